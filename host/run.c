/* Runs: how a script begins as the main task of a run, and how the run ends. */
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "../bindings/modules.h"
#include "runtime.h"
#include "task.h"

/* Registry key of start(), the function of stdlib/script.lua that every run begins with.
 */
static char START;

/* What an overdue run has to end in an orderly way. */
enum { GRACE_MS = 2000 };

/* ---- time ---- */

static void on_late(struct hl_timer *t)
{
    struct halo_run *run =
        (struct halo_run *)((char *)t - offsetof(struct halo_run, timer));
    run->late++; /* halo_step does the rest: no script runs inside a turn */
    if (run->late > 1)
        return;
    run->failed_in_time = run->main->ended && run->main->err != HALO_OK;
    hl_timer_start(run->host->loop, t, GRACE_MS, on_late); /* takes the place it had */
}

static int start_timer(struct halo_run *run)
{
    struct halo_host *h = run->host;
    run->begun_ms = hl_loop_now(h->loop);
    return h->cfg.run_ms > 0
               ? hl_timer_start(h->loop, &run->timer, h->cfg.run_ms, on_late)
               : HALO_OK;
}

void hl_run_check_time(struct halo_run *run)
{
    if (run->interrupts < run->late)
        hl_run_interrupt(run);
}

int64_t hl_run_end_ms(const struct halo_run *run)
{
    int limit = run->host->cfg.run_ms;
    return limit > 0 ? run->begun_ms + limit + GRACE_MS : 0;
}

bool hl_run_overdue(const struct halo_run *run)
{
    int64_t end = hl_run_end_ms(run);
    return end > 0 && hl_loop_now(run->host->loop) >= end;
}

/* ---- starting ---- */

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

static int make_main_task(lua_State *L)
{
    const struct hl_start *s = lua_touserdata(L, 1);
    struct halo_run *run = lua_touserdata(L, 2);
    lua_pushcfunction(L, run_main);
    lua_pushstring(L, s->target);
    if (s->json) {
        hl_json_decode(L, s->json, strlen(s->json), false);
        if (!lua_istable(L, -1))
            hl_raise(L, HALO_USAGE, NULL, "json_args must be a JSON object or array");
    } else {
        lua_newtable(L);
        for (int i = 0; s->argv && s->argv[i]; i++) {
            lua_pushstring(L, s->argv[i]);
            lua_rawseti(L, -2, i + 1);
        }
    }
    lua_pushstring(L, s->is_code ? "code" : "script");
    lua_pushstring(L, s->name);
    run->main = hl_task_new(L, run, 4);
    return 0;
}

int hl_run_new(struct halo_run **out, struct halo_host *h, const struct hl_start *s)
{
    *out = NULL;
    struct halo_run *run = calloc(1, sizeof *run);
    if (!run)
        return HALO_NOMEM;
    run->host = h;
    run->effect = h->cfg.effect;
    run->next = h->sched->runs;
    if (run->next)
        run->next->prev = run;
    h->sched->runs = run;
    lua_pushcfunction(h->L, make_main_task);
    lua_pushlightuserdata(h->L, (void *)s);
    lua_pushlightuserdata(h->L, run);
    int status = lua_pcall(h->L, 2, 0, 0);
    if (status != LUA_OK)
        lua_pop(h->L, 1);
    if (status == LUA_OK && start_timer(run) != HALO_OK)
        status = LUA_ERRMEM;
    if (status == LUA_OK) {
        *out = run;
        return HALO_OK;
    }
    hl_run_free(run);
    return status == LUA_ERRMEM ? HALO_NOMEM : HALO_USAGE;
}

/* ---- ending ---- */

/* Pushes an error value as text; a plain table says its message, if it has one. [-0, +1,
 * m] */
static void push_text(lua_State *L, int idx, int err)
{
    bool plain = lua_istable(L, idx);
    if (plain && luaL_getmetafield(L, idx, "__tostring") != LUA_TNIL) {
        lua_pop(L, 1);
        plain = false;
    }
    if (err == HALO_NOMEM && !lua_istable(L, idx))
        hl_push_nomem(L);
    else if (lua_isnil(L, idx))
        lua_pushstring(
            L, halo_strerror(err)); /* raised as nil, or lost for want of memory */
    else if (!plain)
        luaL_tolstring(L, idx, NULL);
    else if (lua_getfield(L, idx, "message") != LUA_TSTRING)
        lua_pushliteral(L, "the script raised a table without a message");
}

/* Where a script of the operator's own made the failing call, unless the message says
 * enough. */
static const char *call_site(lua_State *L, int error, int err)
{
    const char *where =
        lua_getfield(L, error, "where") == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
    bool bundled = where && (strncmp(where, "scripts/", 8) == 0 ||
                             strncmp(where, "stdlib/", 7) == 0);
    return bundled || err == HALO_USAGE ? NULL : where;
}

/* Pushes the error text of a task: one readable line, a hint, and where the script is at
 * fault its traceback. [-0, +1, m] */
static void push_message(lua_State *L, struct hl_task *t)
{
    bool fault = t->err == HALO_SCRIPT || t->err == HALO_COMPUTE || t->err == HALO_NOMEM;
    const char *site = NULL, *hint = NULL, *trace = NULL;
    lua_rawgetp(L, LUA_REGISTRYINDEX, t);
    int task = lua_gettop(L), error = task + 1;
    lua_getiuservalue(L, task, 2);
    if (lua_istable(L, error) && !fault) {
        site = call_site(L, error, t->err);
        hint = lua_getfield(L, error, "hint") == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
    }
    bool told =
        lua_istable(L, error) && /* as an error table: that is no bug in the script */
        luaL_getmetafield(L, error, "__tostring") != LUA_TNIL;
    lua_getiuservalue(L, task, 3);
    if (fault && !told)
        trace = lua_tostring(L, -1);
    push_text(L, error, t->err);
    lua_pushfstring(L, "%s%s%s%s%s%s%s", lua_tostring(L, -1), site ? "\n  at: " : "",
                    site ? site : "", hint ? "\n  hint: " : "", hint ? hint : "",
                    trace ? "\n" : "", trace ? trace : "");
    lua_replace(L, task);
    lua_settop(L, task);
}

/* What other programs get to see of an error: the rest of it may be an answer of the API,
 * with a password in it. */
static const struct {
    const char *name;
    int type;
} FIELDS[] = {
    { "op", LUA_TSTRING },         { "id", LUA_TSTRING },       { "method", LUA_TSTRING },
    { "path", LUA_TSTRING },       { "status", LUA_TNUMBER },   { "reason", LUA_TSTRING },
    { "field", LUA_TSTRING },      { "errors", LUA_TTABLE },    { "hint", LUA_TSTRING },
    { "request_id", LUA_TSTRING }, { "attempts", LUA_TNUMBER }, { "where", LUA_TSTRING },
    { "message", LUA_TSTRING },
};

/* 1: the number of the error, 2: the error, or the task that failed with it. Returns it
 * as a JSON object. */
static int describe(lua_State *L)
{
    int err = (int)lua_tointeger(L, 1);
    if (lua_islightuserdata(L, 2)) {
        lua_rawgetp(L, LUA_REGISTRYINDEX, lua_touserdata(L, 2));
        lua_getiuservalue(L, -1, 2);
        lua_replace(L, 2);
    }
    lua_settop(L, 2);
    lua_newtable(L);
    push_text(L, 2, err);
    lua_setfield(L, 3, "message");
    for (size_t i = 0; lua_istable(L, 2) && i < sizeof FIELDS / sizeof *FIELDS; i++) {
        lua_settop(L, 3);
        lua_pushstring(L, FIELDS[i].name);
        if (lua_rawget(L, 2) == FIELDS[i].type)
            lua_setfield(L, 3, FIELDS[i].name);
    }
    lua_settop(L, 3);
    lua_pushstring(L, hl_err_kind(err));
    lua_setfield(L, 3, "kind");
    hl_json_encode(L, 3, false);
    return 1;
}

/* 1: the task that failed. Returns the `result` of its error as JSON: what was done before
 * it; nothing when it has none. */
static int partial_result(lua_State *L)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, lua_touserdata(L, 1));
    lua_getiuservalue(L, -1, 2);
    if (!lua_istable(L, -1))
        return 0;
    lua_pushliteral(L, "result");
    if (lua_rawget(L, -2) != LUA_TTABLE)
        return 0;
    hl_json_encode(L, -1, false);
    return 1;
}

static int to_text(lua_State *L)
{
    push_text(L, 1, HALO_SCRIPT);
    return 1;
}

/* 1: the task that decides how the run ended. Returns its message, or its result as JSON.
 */
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

/* Pops the text on top into memory of its own; NULL when there is none. */
static char *copy_text(lua_State *L, size_t *len)
{
    const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, len) : NULL;
    char *copy = text ? malloc(*len + 1) : NULL;
    if (copy)
        memcpy(copy, text, *len + 1);
    lua_pop(L, 1);
    return copy;
}

/* Fills in the result, or the error's text and fields. t: the task that decides. */
static void conclude_run(struct halo_run *run, struct hl_task *t)
{
    lua_State *L = run->host->L;
    size_t len;
    lua_pushcfunction(L, conclude);
    lua_pushlightuserdata(L, t);
    int status = lua_pcall(L, 1, 1, 0);
    if (status != LUA_OK && run->err == HALO_OK)
        run->err = status == LUA_ERRMEM ? HALO_NOMEM
                                        : HALO_SCRIPT; /* a result that is no JSON */
    if (run->err == HALO_OK) {
        run->result = copy_text(L, &run->result_len);
        run->err = run->result ? HALO_OK : HALO_NOMEM;
        return;
    }
    lua_pushcfunction(L, describe);
    lua_pushinteger(L, run->err);
    if (t->err == HALO_OK)
        lua_pushvalue(L, -3);
    else
        lua_pushlightuserdata(L, t);
    if (lua_pcall(L, 2, 1, 0) == LUA_OK)
        run->error = copy_text(L, &len);
    else
        lua_pop(L, 1);
    if (status != LUA_OK) { /* an error value in place of the text */
        lua_pushcfunction(L, to_text);
        lua_insert(L, -2);
        lua_pcall(L, 1, 1, 0);
    }
    run->message = copy_text(L, &len);
    lua_pushcfunction(L, partial_result);
    lua_pushlightuserdata(L, t);
    if (lua_pcall(L, 1, 1, 0) == LUA_OK)
        run->result = copy_text(L, &run->result_len);
    else
        lua_pop(L, 1);
}

void hl_run_end(struct halo_run *run)
{
    struct halo_host *h = run->host;
    struct hl_task *t = run->main;
    for (struct hl_task *other = run->tasks; other; other = other->next)
        if (!other->observed && other != t &&
            (t->err == HALO_OK ? other->err != HALO_OK
                               : t->err == HALO_CANCELLED && other->err == HALO_NOMEM))
            t = other;
    run->ended = true;
    run->err = t->err;
    hl_timer_stop(h->loop, &run->timer);
    if (run->late && !run->failed_in_time) {
        run->err = HALO_TIMEOUT;
        if (asprintf(&run->message, HL_RUN_TOO_LONG, h->cfg.run_ms) < 0)
            run->message = NULL;
        return;
    }
    if (run->late)
        run->begun_ms = hl_loop_now(h->loop); /* its error may still be shown */
    hl_runtime_begin(h, run);                 /* metamethods of the script's are called */
    conclude_run(run, t);
    hl_runtime_end(h);
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

void hl_run_interrupt(struct halo_run *run)
{
    if (run->ended)
        return;
    run->interrupts++;
    if (run->interrupts == 1)
        cancel_tasks(run);
    else
        kill_tasks(run);
}

void hl_run_free(struct halo_run *run)
{
    struct halo_host *h = run->host;
    kill_tasks(run);
    hl_timer_stop(h->loop, &run->timer);
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
    /* What needs a finalizer is not freed when Lua runs out of memory, so not left to then;
     * the second time frees what the first has finalized. */
    for (int i = 0; i < 2 && h->budget.used > h->budget.limit / 4 && h->budget.limit; i++)
        lua_gc(h->L, LUA_GCCOLLECT);
    free(run->dir);
    free(run->work_dir);
    free(run->result);
    free(run->message);
    free(run->error);
    free(run);
}
