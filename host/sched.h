/* The scheduler: tasks are Lua coroutines, a run is a tree of tasks. sched.c is the only
 * caller of lua_resume.
 *
 * How a binding waits: check the arguments; hl_check_await(L), which raises before
 * anything has been started; make a closable userdata whose first member is a struct
 * hl_wait; start the work; `return hl_await(L, &u->wait, continuation, index of the
 * userdata)`. Whoever finishes the work calls hl_wake. The continuation looks at
 * wait.err: HALO_CANCELLED must be raised, with hl_raise(L, wait.err, what), never
 * returned. */
#ifndef HL_SCHED_H
#define HL_SCHED_H

#include <stdbool.h>

#include <lua.h>

struct halo_host;
struct halo_run;
struct hl_task;

struct hl_wait {
    struct hl_task *task; /* who waits; NULL when nobody does (yet) */
    int err; /* why it ended: HALO_OK, HALO_CANCELLED or what hl_wake was given */
    bool done;
};

/* Raises a `usage` error where a wait is impossible (sort comparators, gsub callbacks,
 * __gc, a module body run by require, outside a task); not where waits block. Call it
 * before any side effect. */
void hl_check_await(lua_State *L);

/* Waits until w is done, then continues with k(L, LUA_YIELD, ctx); goes straight on when
 * w is done already, and after blocking where there are no tasks (module.c). Must be the
 * last act: return hl_await(...). w must stay valid, which it does inside a userdata on
 * L's stack. */
int hl_await(lua_State *L, struct hl_wait *w, lua_KFunction k, lua_KContext ctx);

/* Ends the wait: its task continues at the end of this turn of the loop. The first call
 * counts. */
void hl_wake(struct hl_wait *w, int err);

/* A wait that is given up (its userdata is closed): forgets its task. */
void hl_wait_drop(struct hl_wait *w);

/* The task and the run that L (or the coroutine it was resumed from) belongs to; NULL
 * outside one. */
struct hl_task *hl_task_of(lua_State *L);
struct halo_run *hl_run_of(lua_State *L);

#endif
