#include "runtime.h"

#include <stdio.h>
#include <stdlib.h>

#include <lauxlib.h>

#include "../bindings/modules.h"
#include "task.h"

/* Between two looks at the clock: well below a millisecond, except for instructions that work
 * on long strings. */
enum { HOOK_INSTRUCTIONS = 1000 };

enum { GC_STEP_KB = 64 };

/* ---- memory ---- */

static void *allocate(void *ud, void *ptr, size_t osize, size_t nsize)
{
    struct halo_host *h = ud;
    size_t old = ptr ? osize : 0; /* osize is a type tag when ptr is NULL */
    if (nsize > old && !hl_budget_has(&h->budget, nsize - old))
        return NULL;
    void *fresh = NULL;
    if (h->cfg.alloc)
        fresh = h->cfg.alloc(h->cfg.ud, ptr, old, nsize);
    else if (nsize == 0)
        free(ptr);
    else
        fresh = realloc(ptr, nsize);
    if (fresh || nsize == 0)
        h->budget.used += nsize - old;
    return fresh;
}

void hl_push_nomem(lua_State *L)
{
    char text[128];
    size_t limit = hl_host(L)->budget.limit;
    snprintf(text, sizeof text,
             "not enough memory: scripts of this host may use %.6g MB (raise it with "
             "--memory or memory_bytes)",
             (double)limit / 1048576);
    lua_pushstring(L, limit ? text : halo_strerror(HALO_NOMEM));
}

/* ---- computing time ---- */

static void on_hook(lua_State *L, lua_Debug *ar);

/* Calls are looked at as well where time is limited: a C function, or a coroutine of few
 * instructions, may take long. */
static void set_hook(lua_State *L, int instructions)
{
    const halo_config *cfg = &hl_host(L)->cfg;
    int calls = cfg->compute_ms > 0 || cfg->run_ms > 0 ? LUA_MASKCALL : 0;
    lua_sethook(L, on_hook, LUA_MASKCOUNT | calls, instructions);
}

static bool killed(lua_State *L)
{
    struct halo_host *h = hl_host(L);
    struct halo_run *run = hl_run_of(L);
    return run && run->interrupts + (h->interrupts - h->interrupts_seen) >= 2;
}

static void raise_overdue(lua_State *L)
{
    struct halo_host *h = hl_host(L);
    struct halo_run *run = hl_run_of(L);
    set_hook(L, 1); /* so that a pcall in a loop dies too */
    if (killed(L))
        hl_raise(L, HALO_CANCELLED, NULL, "cancelled");
    if (run && hl_run_overdue(run))
        hl_raise(L, HALO_TIMEOUT, NULL, HL_RUN_TOO_LONG, h->cfg.run_ms);
    hl_raise(L, HALO_COMPUTE, NULL,
             "computed for more than %d ms without waiting (raise it with --compute or "
             "compute_ms)",
             h->cfg.compute_ms);
}

static bool overdue(lua_State *L)
{
    const struct halo_host *h = hl_host(L);
    int64_t until = h->runtime->compute_until;
    return killed(L) || (until != 0 && hl_loop_now(h->loop) >= until);
}

static void on_hook(lua_State *L, lua_Debug *ar)
{
    (void)ar;
    if (overdue(L))
        raise_overdue(L);
    else if (lua_gethookcount(L) == 1)
        set_hook(L, HOOK_INSTRUCTIONS); /* that of an earlier slice */
}

void hl_runtime_check(lua_State *L)
{
    if (overdue(L))
        raise_overdue(L);
}

bool hl_runtime_stopped(lua_State *L)
{
    return lua_gethook(L) == on_hook && lua_gethookcount(L) == 1;
}

void hl_runtime_begin(struct halo_host *h, const struct halo_run *run)
{
    /* Near the limit Lua's own pace may begin a collection only beyond it; then nothing that
     * needs a finalizer is freed any more. */
    if (h->budget.limit && h->budget.used > h->budget.limit / 2)
        lua_gc(h->L, LUA_GCSTEP, GC_STEP_KB);
    int64_t until = h->cfg.compute_ms > 0 ? hl_loop_now(h->loop) + h->cfg.compute_ms : 0;
    int64_t end = hl_run_end_ms(run);
    h->runtime->compute_until = end > 0 && (until == 0 || end < until) ? end : until;
}

void hl_runtime_end(struct halo_host *h)
{
    h->runtime->compute_until = 0;
    if (lua_gethookcount(h->L) != HOOK_INSTRUCTIONS)
        set_hook(h->L, HOOK_INSTRUCTIONS); /* threads inherit it */
}

/* ---- what else is limited ---- */

void hl_take_files(lua_State *L, int n)
{
    struct halo_host *h = hl_host(L);
    int max = h->cfg.max_files;
    if (max > 0 && h->files + n > max)
        lua_gc(L, LUA_GCCOLLECT); /* closes what was dropped without being closed */
    if (max > 0 && h->files + n > max)
        hl_raise(L, HALO_DENIED, NULL,
                 "scripts of this host may hold %d descriptors at a time (raise it with "
                 "--max-files or max_files)",
                 max);
    h->files += n;
}

void hl_drop_files(struct halo_host *h, int n)
{
    h->files -= n;
}

void hl_check_unrestricted(lua_State *L, const char *op)
{
    if (hl_host(L)->cfg.restricted)
        hl_raise(L, HALO_DENIED, op,
                 "not available: this host is restricted (--restrict, restricted)");
}

/* ---- opening and closing ---- */

/* Runs protected: everything that needs memory. The host is its argument. */
static int setup(lua_State *L)
{
    hl_set_host(L);
    set_hook(L, HOOK_INSTRUCTIONS); /* inherited by every thread */
    hl_open_libraries(L);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
    for (const luaL_Reg *m = hl_modules; m->name; m++) {
        lua_pushcfunction(L, m->func);
        lua_setfield(L, -2, m->name);
    }
    return 0;
}

int hl_runtime_open(struct halo_host *h)
{
    h->runtime = calloc(1, sizeof *h->runtime);
    if (!h->runtime)
        return HALO_NOMEM;
    h->L = lua_newstate(allocate, h);
    if (!h->L)
        return HALO_NOMEM;
    lua_pushcfunction(h->L, setup);
    lua_pushlightuserdata(h->L, h);
    return lua_pcall(h->L, 1, 0, 0) == LUA_OK ? HALO_OK : HALO_NOMEM;
}

void hl_runtime_close(struct halo_host *h)
{
    if (h->L)
        lua_close(h->L);
    h->L = NULL;
    free(h->runtime);
    h->runtime = NULL;
}
