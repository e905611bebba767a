/* "task.core": what stdlib/task.lua builds task.spawn, all, sleep and timeout on. */
#include <stdlib.h>
#include <string.h>

#include "modules.h"
#include "runtime.h"
#include "task.h"

#define SLEEP "task.sleep"
#define JOIN "task.join"

/* ---- sleep ---- */

struct sleep {
    struct hl_wait wait;
    struct hl_timer timer;
    struct hl_loop *loop;
};

static int sleep_close(lua_State *L)
{
    struct sleep *s = luaL_checkudata(L, 1, SLEEP);
    hl_wait_drop(&s->wait);
    if (s->loop)
        hl_timer_stop(s->loop, &s->timer);
    return 0;
}

static void sleep_fire(struct hl_timer *t)
{
    struct sleep *s = (struct sleep *)((char *)t - offsetof(struct sleep, timer));
    hl_wake(&s->wait, HALO_OK);
}

static int sleep_done(lua_State *L, int status, lua_KContext self)
{
    struct sleep *s = lua_touserdata(L, (int)self);
    (void)status;
    if (s->wait.err != HALO_OK)
        return hl_raise(L, s->wait.err, "task.sleep", "cancelled");
    return 0;
}

/* sleep(seconds)                                                              [-0, +0, v]
 */
static int l_sleep(lua_State *L)
{
    lua_Number seconds = luaL_checknumber(L, 1);
    luaL_argcheck(L, seconds >= 0 && seconds < 1e8, 1, "expected 0 to 1e8 seconds");
    hl_check_await(L);
    lua_settop(L, 1);
    struct sleep *s = lua_newuserdatauv(L, sizeof *s, 0);
    memset(s, 0, sizeof *s);
    luaL_setmetatable(L, SLEEP);
    lua_toclose(L, 2);
    s->loop = hl_host(L)->loop;
    if (hl_timer_start(s->loop, &s->timer, (int64_t)(seconds * 1000), sleep_fire) !=
        HALO_OK)
        return hl_raise(L, HALO_NOMEM, "task.sleep", "%s", halo_strerror(HALO_NOMEM));
    return hl_await(L, &s->wait, sleep_done, 2);
}

/* ---- spawn, wait, cancel ---- */

static struct hl_task *check_task(lua_State *L)
{
    return luaL_checkudata(L, 1, HL_TASK);
}

/* spawn(fn, ...) -> task: runs beside the caller, in the same run             [-0, +1, v]
 */
static int l_spawn(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    struct halo_run *run = hl_run_of(L);
    if (!run)
        return hl_raise(L, HALO_USAGE, "task.spawn", "no run to belong to");
    int max = run->host->cfg.max_tasks;
    if (max > 0 && run->alive >= max)
        return hl_raise(L, HALO_DENIED, "task.spawn",
                        "a run may have %d tasks at a time (raise it with --max-tasks or "
                        "max_tasks)",
                        max);
    hl_task_new(L, run, lua_gettop(L) - 1);
    return 1;
}

struct join {
    struct hl_wait wait;
    struct hl_task *task; /* whose end is waited for; kept alive by the stack */
};

static int join_close(lua_State *L)
{
    struct join *j = luaL_checkudata(L, 1, JOIN);
    hl_wait_drop(&j->wait);
    if (j->task && !j->task->ended)
        hl_task_unjoin(j->task, &j->wait);
    j->task = NULL;
    return 0;
}

/* Returns the results of the ended task at 1, or raises its error. */
static int results(lua_State *L)
{
    struct hl_task *t = lua_touserdata(L, 1);
    t->observed = true;
    lua_getiuservalue(L, 1, 2);
    if (t->err != HALO_OK && lua_isnil(L, -1)) /* there was no memory for its error */
        return hl_raise(L, t->err, "task.wait", NULL);
    if (t->err != HALO_OK)
        return lua_error(L);
    lua_getfield(L, -1, "n");
    int n = (int)lua_tointeger(L, -1), list = lua_gettop(L) - 1;
    luaL_checkstack(L, n, "too many results");
    for (int i = 1; i <= n; i++)
        lua_rawgeti(L, list, i);
    return n;
}

static int join_done(lua_State *L, int status, lua_KContext self)
{
    struct join *j = lua_touserdata(L, (int)self);
    (void)status;
    if (j->wait.err != HALO_OK)
        return hl_raise(L, j->wait.err, "task.wait", "cancelled");
    return results(L);
}

/* task:wait() -> its results, or raises its error                             [-0, +n, v]
 */
static int l_wait(lua_State *L)
{
    struct hl_task *t = check_task(L);
    lua_settop(L, 1);
    if (t->ended)
        return results(L);
    if (t == hl_task_of(L))
        return hl_raise(L, HALO_USAGE, "task.wait", "a task cannot wait for itself");
    hl_check_await(L);
    struct join *j = lua_newuserdatauv(L, sizeof *j, 1);
    memset(j, 0, sizeof *j);
    luaL_setmetatable(L, JOIN);
    lua_pushvalue(L, 1); /* its task, which it looks at when it is collected */
    lua_setiuservalue(L, 2, 1);
    lua_toclose(L, 2);
    if (hl_task_join(t, &j->wait) != HALO_OK)
        return hl_raise(L, HALO_NOMEM, "task.wait", "%s", halo_strerror(HALO_NOMEM));
    j->task = t;
    return hl_await(L, &j->wait, join_done, 2);
}

/* task:cancel(): its current wait, or its next one, raises `cancelled`        [-0, +0, -]
 */
static int l_cancel(lua_State *L)
{
    struct hl_task *t = check_task(L);
    t->observed = true;
    hl_task_cancel(t);
    return 0;
}

/* task:ended() -> boolean */
static int l_ended(lua_State *L)
{
    lua_pushboolean(L, check_task(L)->ended);
    return 1;
}

static void metatable(lua_State *L, const char *name, const luaL_Reg *functions)
{
    luaL_newmetatable(L, name);
    luaL_setfuncs(L, functions, 0);
    lua_pop(L, 1);
}

int hl_open_task(lua_State *L)
{
    static const luaL_Reg SLEEP_META[] = { { "__gc", sleep_close },
                                           { "__close", sleep_close },
                                           { NULL, NULL } };
    static const luaL_Reg JOIN_META[] = { { "__gc", join_close },
                                          { "__close", join_close },
                                          { NULL, NULL } };
    static const luaL_Reg TASK[] = {
        { "wait", l_wait }, { "cancel", l_cancel }, { "ended", l_ended }, { NULL, NULL }
    };
    static const luaL_Reg MODULE[] = { { "sleep", l_sleep },
                                       { "spawn", l_spawn },
                                       { NULL, NULL } };
    metatable(L, SLEEP, SLEEP_META);
    metatable(L, JOIN, JOIN_META);
    luaL_newmetatable(L, HL_TASK);
    luaL_newlib(L, TASK);
    lua_setfield(L, -2, "__index");
    lua_pushliteral(L, HL_TASK); /* scripts may look, not touch */
    lua_setfield(L, -2, "__metatable");
    luaL_newlib(L, MODULE);
    return 1;
}
