/* Tasks: how they begin, how they are waited for, cancelled and killed, and what is left
 * of them. */
#include "task.h"

#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "../bindings/error.h"
#include "runtime.h"

/* Message handler of every task: keeps the traceback, leaves the error as it is. */
static int keep_traceback(lua_State *L)
{
    luaL_traceback(L, L, NULL, 1);
    lua_rawgetp(L, LUA_REGISTRYINDEX, hl_task_of(L));
    if (lua_isuserdata(L, -1)) {
        lua_insert(L, -2);
        lua_setiuservalue(L, -2, 3);
    }
    lua_settop(L, 1);
    return 1;
}

/* The body of every task: handler, function and arguments are on the stack. Running under
 * pcall inside the coroutine lets closers wait when the script fails. */
static int task_end(lua_State *L, int status, lua_KContext ctx)
{
    (void)ctx;
    hl_task_of(L)->nomem = status == LUA_ERRMEM;
    lua_pushboolean(L, status == LUA_OK || status == LUA_YIELD);
    lua_replace(L, 1); /* over the handler */
    return lua_gettop(L);
}

static int task_body(lua_State *L)
{
    int nargs = lua_gettop(L) - 1;
    lua_pushcfunction(L, keep_traceback);
    lua_insert(L, 1);
    return task_end(L, lua_pcallk(L, nargs, LUA_MULTRET, 1, 0, task_end), 0);
}

struct hl_task *hl_task_new(lua_State *L, struct halo_run *run, int nargs)
{
    int function = lua_gettop(L) - nargs;
    struct hl_task *t = lua_newuserdatauv(L, sizeof *t, 3);
    memset(t, 0, sizeof *t);
    t->ended = true; /* until it is complete */
    luaL_setmetatable(L, HL_TASK);
    lua_State *co = lua_newthread(L);
    lua_setiuservalue(L, -2, 1);
    if (!lua_checkstack(co, nargs + 8))
        luaL_error(L, "too many arguments");
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX,
                t);            /* anchored: it is collected only after its end */
    hl_set_resumer(L, co, co); /* last: what it says of a thread must not outlive it */
    lua_insert(L, function);
    lua_pushcfunction(co, task_body);
    lua_xmove(L, co, nargs + 1);
    t->L = co;
    t->run = run;
    t->ended = false;
    t->next = run->tasks;
    if (t->next)
        t->next->prev = t;
    run->tasks = t;
    run->alive++;
    hl_sched_ready(t);
    return t;
}

static void leave_run(struct hl_task *t)
{
    if (t->prev)
        t->prev->next = t->next;
    else if (t->run->tasks == t)
        t->run->tasks = t->next;
    if (t->next)
        t->next->prev = t->prev;
    t->prev = t->next = NULL;
}

int hl_task_join(struct hl_task *t, struct hl_wait *w)
{
    struct joiner *j = malloc(sizeof *j);
    if (!j)
        return HALO_NOMEM;
    *j = (struct joiner){ .wait = w, .next = t->joiners };
    t->joiners = j;
    return HALO_OK;
}

void hl_task_unjoin(struct hl_task *t, struct hl_wait *w)
{
    for (struct joiner **at = &t->joiners; *at; at = &(*at)->next)
        if ((*at)->wait == w) {
            struct joiner *j = *at;
            *at = j->next;
            free(j);
            return;
        }
}

/* Ends a task whose value (its error, or a table of its results) is on top of L. [-1, +0,
 * m] */
static void end_task(lua_State *L, struct hl_task *t, int err)
{
    hl_sched_unready(t);
    t->ended = true;
    t->err = err;
    t->run->alive--;
    lua_rawgetp(L, LUA_REGISTRYINDEX, t);
    lua_insert(L, -2);
    lua_setiuservalue(L, -2, 2);
    hl_set_resumer(L, t->L, NULL);
    t->L = NULL;
    lua_pushnil(L);
    lua_setiuservalue(L, -2, 1);
    lua_pop(L, 1);
    while (t->joiners) {
        struct joiner *j = t->joiners;
        t->joiners = j->next;
        t->observed = true;
        hl_wake(j->wait, HALO_OK);
        free(j);
    }
    if (err == HALO_OK || err == HALO_CANCELLED)
        t->observed = true;
    if (t == t->run->main)
        return; /* halo.c reads its result and lets go of it */
    if (t->observed) {
        leave_run(t);
        lua_pushnil(L);
        lua_rawsetp(L, LUA_REGISTRYINDEX, t);
    }
}

/* Runs protected, on the host's main thread: 1 the task, 2 how many values its thread
 * holds. */
static int finish(lua_State *L)
{
    struct hl_task *t = lua_touserdata(L, 1);
    lua_State *co = t->L;
    int n = (int)lua_tointeger(L, 2), status = (int)lua_tointeger(L, 3);
    if (status == LUA_OK && lua_toboolean(co, -n)) { /* true, results... */
        lua_createtable(L, n - 1, 1);
        lua_pushinteger(L, n - 1);
        lua_setfield(L, -2, "n");
        for (int i = n - 1; i >= 1; i--) {
            lua_xmove(co, L, 1);
            lua_rawseti(L, -2, i);
        }
        end_task(L, t, HALO_OK);
        return 0;
    }
    lua_xmove(co, L, 1);
    end_task(L, t,
             status == LUA_ERRMEM || t->nomem ? HALO_NOMEM : hl_error_number(L, -1));
    return 0;
}

/* The end of a task in which even finish() found no memory. */
static void finish_poor(struct hl_task *t)
{
    hl_sched_unready(t);
    t->ended = true;
    t->err = HALO_NOMEM;
    t->run->alive--;
    hl_set_resumer(t->run->host->L, t->L, NULL);
    t->L = NULL;
    while (t->joiners) {
        struct joiner *j = t->joiners;
        t->joiners = j->next;
        t->observed = true;
        hl_wake(j->wait, HALO_OK);
        free(j);
    }
}

void hl_task_finish(struct hl_task *t, int values, int status)
{
    lua_State *L = t->run->host->L;
    lua_pushcfunction(L, finish);
    lua_pushlightuserdata(L, t);
    lua_pushinteger(L, values);
    lua_pushinteger(L, status);
    if (lua_pcall(L, 3, 0, 0) != LUA_OK) {
        lua_pop(L, 1);
        finish_poor(t);
    }
}

void hl_task_cancel(struct hl_task *t)
{
    if (t->ended || t->cancelled)
        return;
    t->cancelled = true;
    if (t->wait)
        hl_wake(t->wait, HALO_CANCELLED);
    else
        t->cancel_pending = true;
}

static int push_killed(lua_State *L)
{
    hl_push_error(L, HALO_CANCELLED, NULL, "cancelled");
    return 1;
}

void hl_task_kill(struct hl_task *t)
{
    struct hl_sched *s = t->run->host->sched;
    if (t->ended || t == s->current)
        return;
    if (t->wait)
        hl_wait_drop(t->wait);
    struct hl_task *was = s->current;
    s->current = t; /* its closers belong to it */
    hl_runtime_begin(s->host, t->run);
    for (lua_State *L = s->host->L, *at = t->at ? t->at : t->L, *by; at && at != t->L;
         at = by) {
        by = hl_resumer(L,
                        at); /* innermost first: its closers belong to the task as well */
        hl_set_resumer(L, at, NULL);
        lua_resetthread(at);
    }
    lua_resetthread(t->L);
    hl_runtime_end(s->host);
    s->current = was;
    lua_settop(t->L, 0);
    lua_pushcfunction(t->L, push_killed);
    if (lua_pcall(t->L, 0, 1, 0) == LUA_OK)
        hl_task_finish(t, 1, LUA_ERRRUN);
    else
        finish_poor(t);
}
