#include "sched.h"

#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "../bindings/error.h"
#include "runtime.h"
#include "task.h"

/* What a host wait yields. Its address cannot be had by a script in any other way. */
static char WAIT;

/* Registry key of the host. */
static char HOST;

/* How soon a blocking wait sees a signal that came just before the loop blocked, and so
 * did not wake it. */
enum { TICK_MS = 1000 };

struct halo_host *hl_find_host(lua_State *L)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &HOST);
    struct halo_host *h = lua_touserdata(L, -1);
    lua_pop(L, 1);
    return h;
}

struct halo_host *hl_host(lua_State *L)
{
    struct halo_host *h = hl_find_host(L);
    if (!h)
        luaL_error(L, "this Lua state is being closed");
    return h;
}

void hl_set_host(lua_State *L)
{
    lua_rawsetp(L, LUA_REGISTRYINDEX, &HOST);
}

struct hl_task *hl_task_of(lua_State *L)
{
    const struct hl_sched *s = hl_host(L)->sched;
    return s ? s->current : NULL;
}

struct halo_run *hl_run_of(lua_State *L)
{
    struct hl_task *t = hl_task_of(L);
    return t ? t->run : NULL;
}

/* ---- waiting ---- */

void hl_check_await(lua_State *L)
{
    luaL_checkstack(L, 4, "a wait");
    if (!hl_host(L)->sched)
        return; /* it blocks, which is possible everywhere */
    struct hl_task *t = hl_task_of(L);
    lua_State *at = t ? L : NULL;
    while (at && at != t->L && lua_isyieldable(at))
        at = hl_resumer(L, at);
    if (!at || !lua_isyieldable(at))
        hl_raise(L, HALO_USAGE, NULL,
                 "cannot wait here (inside a sort comparator, a gsub callback, a "
                 "metamethod called from C, "
                 "__gc, or a module while it is being required)");
    if (t->cancel_pending) {
        t->cancel_pending = false;
        hl_raise(L, HALO_CANCELLED, NULL, "cancelled");
    }
}

/* Whether an interpreter's signal handler has set its hook (Ctrl-C in lua), which is one
 * for the very next instruction: since `before` was looked at, or shortly before that. */
static bool hook_is_due(lua_State *L, lua_Hook before)
{
    return lua_gethook(L) != before ||
           (before && lua_gethookmask(L) & LUA_MASKCOUNT && lua_gethookcount(L) == 1);
}

/* Turns the loop until the wait is over, or is cancelled so that a hook gets to run. */
static void block(struct halo_host *h, struct hl_wait *w)
{
    lua_Hook before = lua_gethook(h->L);
    while (!w->done) {
        if (hook_is_due(h->L, before))
            hl_wake(w, HALO_CANCELLED);
        else
            hl_loop_turn(h->loop, TICK_MS);
    }
}

int hl_await(lua_State *L, struct hl_wait *w, lua_KFunction k, lua_KContext ctx)
{
    struct halo_host *h = hl_host(L);
    if (!h->sched)
        block(h, w);
    if (w->done)
        return k(L, LUA_OK, ctx);
    struct hl_task *t = hl_task_of(L);
    w->task = t;
    t->wait = w;
    t->at = L;
    return hl_relay_wait(L, ctx, k);
}

int hl_relay_wait(lua_State *L, lua_KContext ctx, lua_KFunction k)
{
    lua_pushlightuserdata(L, &WAIT);
    return lua_yieldk(L, 1, ctx, k);
}

bool hl_yielded_wait(lua_State *co, int values)
{
    return values == 1 && lua_touserdata(co, -1) == &WAIT;
}

void hl_sched_ready(struct hl_task *t)
{
    struct hl_sched *s = t->run->host->sched;
    if (t->ready || t->ended)
        return;
    t->ready = true;
    t->next_ready = NULL;
    if (s->ready_last)
        s->ready_last->next_ready = t;
    else
        s->ready_first = t;
    s->ready_last = t;
}

void hl_sched_unready(struct hl_task *t)
{
    struct hl_sched *s = t->run->host->sched;
    struct hl_task *before = NULL;
    if (!t->ready)
        return;
    t->ready = false;
    for (struct hl_task *at = s->ready_first; at != t; at = at->next_ready)
        before = at;
    if (before)
        before->next_ready = t->next_ready;
    else
        s->ready_first = t->next_ready;
    if (s->ready_last == t)
        s->ready_last = before;
}

void hl_wake(struct hl_wait *w, int err)
{
    struct hl_task *t = w->task;
    if (w->done)
        return;
    w->done = true;
    w->err = err;
    w->task = NULL;
    if (t) {
        t->wait = NULL;
        hl_sched_ready(t);
    }
}

void hl_wait_drop(struct hl_wait *w)
{
    if (w->task && w->task->wait == w)
        w->task->wait = NULL;
    w->task = NULL;
    w->done = true;
}

/* ---- running ---- */

static int push_stray(lua_State *L)
{
    lua_pushliteral(L, "coroutine.yield called outside a coroutine of the script's own");
    return 1;
}

static void resume(struct hl_sched *s, struct hl_task *t)
{
    lua_State *co = t->L;
    int values = 0;
    int nargs = lua_status(co) == LUA_OK ? lua_gettop(co) - 1 : 0;
    s->current = t;
    hl_runtime_begin(s->host, t->run);
    t->at = NULL;
    int status = lua_resume(co, s->host->L, nargs, &values);
    bool waits = status == LUA_YIELD && hl_yielded_wait(co, values);
    if (status == LUA_YIELD && !waits)
        lua_resetthread(co);
    hl_runtime_end(s->host);
    s->current = NULL;
    if (waits) {
        lua_pop(co, 1);
        return;
    }
    if (status == LUA_YIELD) {
        lua_settop(co, 0);
        lua_pushcfunction(co, push_stray); /* protected: it needs memory */
        if (lua_pcall(co, 0, 1, 0) == LUA_ERRMEM)
            t->nomem = true;
        status = LUA_ERRRUN;
    }
    if (status != LUA_OK)
        values = 1;
    hl_task_finish(t, values, status);
}

int hl_sched_run(struct hl_sched *s)
{
    int ran = 0;
    struct hl_task *last =
        s->ready_last; /* a snapshot: what they wake runs in the next turn */
    while (s->ready_first && last) {
        struct hl_task *t = s->ready_first;
        s->ready_first = t->next_ready;
        if (!s->ready_first)
            s->ready_last = NULL;
        t->ready = false;
        ran++;
        bool end = t == last;
        if (!t->ended)
            resume(s, t);
        if (end)
            break;
    }
    return ran;
}

struct hl_sched *hl_sched_new(struct halo_host *h)
{
    struct hl_sched *s = calloc(1, sizeof *s);
    if (s)
        s->host = h;
    return s;
}

void hl_sched_free(struct hl_sched *s)
{
    free(s);
}
