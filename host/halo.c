#include <halo.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "../bindings/modules.h"
#include "client.h"
#include "runtime.h"
#include "task.h"

/* Registry key of start(), the function of stdlib/script.lua that every run begins with. */
static char START;

unsigned halo_version(void)
{
    return HALO_VERSION_HEX;
}

/* ---- opening and closing --------------------------------------------------------------- */

static void free_strings(halo_config *cfg)
{
    free((char *)cfg->base_url);
    free((char *)cfg->client_id);
    free((char *)cfg->client_secret);
    free((char *)cfg->stdlib_dir);
    free((char *)cfg->scripts_dir);
    free((char *)cfg->work_dir);
}

/* Replaces each string by a copy of the host's own. */
static int copy_strings(halo_config *cfg)
{
    const char **all[] = { &cfg->base_url,   &cfg->client_id,   &cfg->client_secret,
                           &cfg->stdlib_dir, &cfg->scripts_dir, &cfg->work_dir };
    bool ok = true;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        const char *given = *all[i];
        *all[i] = given ? strdup(given) : NULL;
        ok = ok && (*all[i] || !given);
    }
    return ok ? HALO_OK : HALO_NOMEM;
}

int halo_open(halo_host **out, const halo_config *cfg)
{
    *out = NULL;
    if (cfg && (cfg->size > sizeof *cfg || cfg->profile || cfg->effect < 0 || cfg->effect > HALO_DESTROY))
        return HALO_USAGE;
    halo_host *h = calloc(1, sizeof *h);
    if (!h)
        return HALO_NOMEM;
    if (cfg)
        memcpy(&h->cfg, cfg, cfg->size);
    h->cfg.size = sizeof h->cfg;
    if (h->cfg.effect == 0)
        h->cfg.effect = HALO_DESTROY;
    int err = copy_strings(&h->cfg);
    h->loop = hl_loop_new(NULL);
    h->sched = hl_sched_new(h);
    if (!h->loop || !h->sched)
        err = HALO_NOMEM;
    if (err == HALO_OK)
        err = hl_runtime_open(h);
    if (err != HALO_OK) {
        halo_close(h);
        return err;
    }
    *out = h;
    return HALO_OK;
}

void halo_close(halo_host *h)
{
    if (!h || h->in_callback)
        return;
    while (h->sched && h->sched->runs)
        halo_release(h->sched->runs);
    hl_runtime_close(h); /* before what its userdata hold on to */
    hl_client_unref(h->client);
    hl_sched_free(h->sched);
    hl_loop_free(h->loop);
    free_strings(&h->cfg);
    free(h);
}

static int set_preload(lua_State *L)
{
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
    lua_pushvalue(L, 2);
    lua_setfield(L, -2, lua_touserdata(L, 1));
    return 0;
}

int halo_module(halo_host *h, const char *name, int (*open)(struct lua_State *))
{
    if (h->in_callback)
        return HALO_BUSY;
    lua_pushcfunction(h->L, set_preload);
    lua_pushlightuserdata(h->L, (void *)name);
    lua_pushcfunction(h->L, open);
    int status = lua_pcall(h->L, 2, 0, 0);
    if (status != LUA_OK)
        lua_pop(h->L, 1);
    return status == LUA_OK ? HALO_OK : HALO_NOMEM;
}

/* ---- callbacks ------------------------------------------------------------------------- */

void hl_log(struct halo_host *h, int level, const char *text, size_t len)
{
    bool was = h->in_callback;
    h->in_callback = true;
    if (h->cfg.log)
        h->cfg.log(h->cfg.ud, level, text, len);
    h->in_callback = was;
}

void hl_event(struct halo_host *h, const char *json, size_t len)
{
    bool was = h->in_callback;
    h->in_callback = true;
    if (h->cfg.event)
        h->cfg.event(h->cfg.ud, json, len);
    h->in_callback = was;
}

int hl_confirm(struct halo_run *run, const char *question)
{
    halo_host *h = run->host;
    bool was = h->in_callback;
    h->in_callback = true;
    int answer = h->cfg.confirm ? h->cfg.confirm(h->cfg.ud, run, question) : HALO_NO;
    h->in_callback = was;
    return answer;
}

/* ---- starting -------------------------------------------------------------------------- */

/* The main task of a run: start(target, argv, kind). */
static int main_on(lua_State *L, int status, lua_KContext ctx)
{
    (void)status;
    (void)ctx;
    return lua_gettop(L);
}

static int run_main(lua_State *L)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &START);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        lua_getglobal(L, "require");
        lua_pushliteral(L, "script");
        lua_call(L, 1, 1);
        lua_getfield(L, -1, "start");
        lua_remove(L, -2);
        lua_pushvalue(L, -1);
        lua_rawsetp(L, LUA_REGISTRYINDEX, &START);
    }
    lua_insert(L, 1);
    lua_callk(L, lua_gettop(L) - 1, LUA_MULTRET, 0, main_on);
    return main_on(L, LUA_OK, 0);
}

struct start {
    struct halo_run *run;
    const char *target, *name, *json;
    const char *const *argv;
};

static int make_main_task(lua_State *L)
{
    const struct start *s = lua_touserdata(L, 1);
    lua_pushcfunction(L, run_main);
    lua_pushstring(L, s->target);
    if (s->json) {
        hl_json_decode(L, s->json, strlen(s->json), false);
        if (!lua_istable(L, -1))
            hl_raise(L, HALO_USAGE, NULL, "json_args must be a JSON object");
    } else {
        lua_newtable(L);
        for (int i = 0; s->argv && s->argv[i]; i++) {
            lua_pushstring(L, s->argv[i]);
            lua_rawseti(L, -2, i + 1);
        }
    }
    lua_pushstring(L, s->name ? "code" : "script");
    lua_pushstring(L, s->name);
    s->run->main = hl_task_new(L, s->run, 4);
    return 0;
}

static int start(halo_host *h, struct start *s, halo_run **out)
{
    *out = NULL;
    if (h->in_callback)
        return HALO_BUSY;
    struct halo_run *run = calloc(1, sizeof *run);
    if (!run)
        return HALO_NOMEM;
    run->host = h;
    run->effect = h->cfg.dry_run ? HALO_READ : h->cfg.effect;
    s->run = run;
    if (!h->sched->runs)
        h->interrupts = h->interrupts_seen = 0;
    run->next = h->sched->runs;
    if (run->next)
        run->next->prev = run;
    h->sched->runs = run;
    lua_pushcfunction(h->L, make_main_task);
    lua_pushlightuserdata(h->L, s);
    int status = lua_pcall(h->L, 1, 0, 0);
    if (status != LUA_OK) {
        lua_pop(h->L, 1);
        halo_release(run);
        return status == LUA_ERRMEM ? HALO_NOMEM : HALO_USAGE;
    }
    *out = run;
    return HALO_OK;
}

int halo_start(halo_host *h, const char *script, const char *const *argv, halo_run **out)
{
    return start(h, &(struct start){ .target = script, .argv = argv }, out);
}

int halo_start_string(halo_host *h, const char *name, const char *code, const char *json_args, halo_run **out)
{
    return start(h, &(struct start){ .target = code, .name = name ? name : "code", .json = json_args ? json_args : "{}" },
                 out);
}

/* ---- ending ---------------------------------------------------------------------------- */

/* Pushes the error text of a task: one readable line, a hint, and where the script is at fault its
 * traceback.                                                                   [-0, +1, m] */
static void push_message(lua_State *L, struct hl_task *t)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, t);
    int task = lua_gettop(L);
    luaL_Buffer b;
    lua_getiuservalue(L, task, 2);
    int error = lua_gettop(L);
    luaL_buffinit(L, &b);
    luaL_tolstring(L, error, NULL);
    luaL_addvalue(&b);
    bool fault = t->err == HALO_SCRIPT || t->err == HALO_COMPUTE || t->err == HALO_NOMEM;
    if (lua_istable(L, error) && !fault) {
        lua_getfield(L, error, "where");
        const char *where = lua_tostring(L, -1);
        bool own = where && strncmp(where, "scripts/", 8) != 0 && strncmp(where, "stdlib/", 7) != 0;
        where = own && t->err != HALO_USAGE ? lua_pushfstring(L, "\n  at: %s", where) : "";
        luaL_addstring(&b, where);
        lua_getfield(L, error, "hint");
        if (lua_isstring(L, -1))
            luaL_addstring(&b, lua_pushfstring(L, "\n  hint: %s", lua_tostring(L, -1)));
    }
    lua_getiuservalue(L, task, 3);
    if (fault && lua_isstring(L, -1))
        luaL_addstring(&b, lua_pushfstring(L, "\n%s", lua_tostring(L, -1)));
    luaL_pushresult(&b);
    lua_replace(L, task);
    lua_settop(L, task);
}

/* 1: the task that decides how the run ended. Returns its message, or its result as JSON. */
static int conclude(lua_State *L)
{
    struct hl_task *t = lua_touserdata(L, 1);
    if (t->err != HALO_OK) {
        push_message(L, t);
        return 1;
    }
    lua_rawgetp(L, LUA_REGISTRYINDEX, t);
    lua_getiuservalue(L, -1, 2);
    lua_rawgeti(L, -1, 1);
    hl_json_encode(L, -1, false);
    return 1;
}

static char *copy_text(lua_State *L, size_t *len)
{
    const char *text = lua_tolstring(L, -1, len);
    char *copy = text ? malloc(*len + 1) : NULL;
    if (copy)
        memcpy(copy, text, *len + 1);
    lua_pop(L, 1);
    return copy;
}

static void end_run(struct halo_run *run)
{
    lua_State *L = run->host->L;
    struct hl_task *t = run->main;
    size_t len = 0;
    for (struct hl_task *other = run->tasks; other && t->err == HALO_OK; other = other->next)
        if (!other->observed && other->err != HALO_OK)
            t = other;
    run->ended = true;
    run->err = t->err;
    lua_pushcfunction(L, conclude);
    lua_pushlightuserdata(L, t);
    int status = lua_pcall(L, 1, 1, 0);
    if (status != LUA_OK && run->err == HALO_OK)
        run->err = status == LUA_ERRMEM ? HALO_NOMEM : HALO_SCRIPT; /* a result that is no JSON */
    if (run->err == HALO_OK)
        run->result = copy_text(L, &run->result_len);
    else
        run->message = copy_text(L, &len);
    if (run->err == HALO_OK && !run->result)
        run->err = HALO_NOMEM;
}

static int forget_tasks(lua_State *L)
{
    struct halo_run *run = lua_touserdata(L, 1);
    while (run->tasks) {
        struct hl_task *t = run->tasks;
        run->tasks = t->next;
        t->prev = t->next = NULL;
        lua_pushnil(L);
        lua_rawsetp(L, LUA_REGISTRYINDEX, t);
    }
    return 0;
}

static void kill_tasks(struct halo_run *run)
{
    for (bool again = true; again;) { /* a closer may spawn: until none is left */
        again = false;
        for (struct hl_task *t = run->tasks; t; t = t->next)
            if (!t->ended) {
                hl_task_kill(t);
                again = true;
                break;
            }
    }
}

static void cancel_tasks(struct halo_run *run)
{
    for (struct hl_task *t = run->tasks, *next; t; t = next) {
        next = t->next;
        hl_task_cancel(t);
    }
}

void halo_release(halo_run *run)
{
    if (!run || run->host->in_callback)
        return;
    halo_host *h = run->host;
    kill_tasks(run);
    lua_pushcfunction(h->L, forget_tasks);
    lua_pushlightuserdata(h->L, run);
    if (lua_pcall(h->L, 1, 0, 0) != LUA_OK)
        lua_pop(h->L, 1);
    if (run->prev)
        run->prev->next = run->next;
    else
        h->sched->runs = run->next;
    if (run->next)
        run->next->prev = run->prev;
    free(run->dir);
    free(run->result);
    free(run->message);
    free(run);
}

/* ---- driving --------------------------------------------------------------------------- */

static void interrupt_run(struct halo_run *run)
{
    if (run->ended)
        return;
    run->interrupts++;
    if (run->interrupts == 1)
        cancel_tasks(run);
    else
        kill_tasks(run);
}

static void handle_interrupts(halo_host *h)
{
    while (h->interrupts_seen < h->interrupts) {
        h->interrupts_seen++;
        for (struct halo_run *run = h->sched->runs; run; run = run->next)
            interrupt_run(run);
    }
}

/* Ends the runs whose tasks have all ended; the failure of a main task cancels the others. */
static int reap(halo_host *h)
{
    int alive = 0;
    for (struct halo_run *run = h->sched->runs; run; run = run->next) {
        if (run->ended)
            continue;
        if (run->alive == 0)
            end_run(run);
        else if (run->main->ended && run->main->err != HALO_OK && run->interrupts == 0)
            interrupt_run(run);
        alive += run->ended ? 0 : 1;
    }
    return alive;
}

int halo_step(halo_host *h, int max_wait_ms)
{
    if (h->in_callback || h->sched->current)
        return HALO_BUSY;
    handle_interrupts(h);
    hl_loop_turn(h->loop, h->sched->ready_first ? 0 : max_wait_ms);
    handle_interrupts(h);
    hl_sched_run(h->sched);
    return reap(h);
}

int halo_timeout(const halo_host *h)
{
    if (h->sched->ready_first || h->interrupts != h->interrupts_seen)
        return 0;
    return hl_loop_timeout(h->loop);
}

int halo_wait(halo_run *run)
{
    while (!run->ended) {
        int alive = halo_step(run->host, -1);
        if (alive < 0)
            return alive;
    }
    return run->err;
}

void halo_wakeup(halo_host *h)
{
    hl_loop_wakeup(h->loop);
}

void halo_interrupt(halo_host *h)
{
    h->interrupts++;
    hl_loop_wakeup(h->loop);
}

int halo_cancel(halo_run *run)
{
    if (run->host->in_callback)
        return HALO_BUSY;
    interrupt_run(run);
    return HALO_OK;
}

int halo_answer(halo_run *run, int yes)
{
    if (!run->question)
        return HALO_USAGE;
    struct hl_wait *w = run->question;
    run->question = NULL;
    hl_wake(w, yes ? HALO_OK : HALO_DENIED);
    return HALO_OK;
}

int halo_result(const halo_run *run, const char **json, size_t *len)
{
    *json = run->ended && run->err == HALO_OK ? run->result : NULL;
    if (len)
        *len = *json ? run->result_len : 0;
    return run->ended ? run->err : HALO_USAGE;
}

const char *halo_message(const halo_run *run)
{
    if (run->ended && run->err != HALO_OK)
        return run->message ? run->message : halo_strerror(run->err);
    return "";
}
