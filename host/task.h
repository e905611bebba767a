/* The inside of tasks and runs, for sched.c, halo.c and the bindings that make or end
 * them. */
#ifndef HL_TASK_H
#define HL_TASK_H

#include <stdbool.h>

#include "host.h"

/* A task lives in a userdata (metatable "halo.task") that the registry holds while it is
 * alive. Its uservalues: 1 its thread, 2 the error or the packed results, 3 the
 * traceback. */
struct hl_task {
    lua_State *L;
    struct halo_run *run;
    lua_State
        *at; /* the thread of its last wait: itself, or a coroutine of the script's */
    struct hl_wait *wait; /* what it waits for; NULL when it is ready, running or ended */
    struct hl_task *next_ready;
    struct hl_task *prev, *next; /* in its run */
    struct joiner *joiners;      /* tasks that wait for its end */
    int err;                     /* HALO_OK, or how it failed; valid when ended */
    bool nomem;                  /* its error is Lua's own about memory */
    bool cancelled;      /* asked to end: told once, so that its closers can still wait */
    bool cancel_pending; /* its next wait raises `cancelled` */
    bool ready, ended, observed; /* observed: somebody got to know its error */
};

struct joiner {
    struct hl_wait *wait;
    struct joiner *next;
};

struct halo_run {
    halo_host *host;
    struct halo_run *prev, *next;
    struct hl_task *tasks; /* alive, and failed ones that nobody has observed */
    struct hl_task *main;
    int alive;      /* tasks that have not ended */
    int effect;     /* highest effect its calls may have */
    bool confirmed; /* the operator said YES to a question of this run */
    bool ended;
    int err;
    char *dir;      /* of its script, for require; NULL: none */
    char *work_dir; /* as --work-dir names it; NULL: the host's */
    char *result, *message;
    char *error; /* as JSON */
    size_t result_len;
    struct hl_wait *question; /* waiting for halo_answer */
    int interrupts;           /* halo_interrupt and halo_cancel, as seen by this run */
    struct hl_timer timer;    /* run_ms */
    int64_t begun_ms;
    int late; /* 1: run_ms is over, 2: and the time to end in an orderly way as well */
    bool failed_in_time; /* the main task, before that */
    bool
        confined; /* it is the script's turn: what a restricted host refuses is refused */
};

struct hl_sched {
    struct halo_host *host;
    struct hl_task *ready_first, *ready_last;
    struct hl_task *current; /* being resumed right now */
    struct halo_run *runs;
};

struct hl_sched *hl_sched_new(struct halo_host *h);
void hl_sched_free(struct hl_sched *s);

/* Makes a task of the function and its nargs arguments on top of L and queues it. Leaves
 * its userdata on the stack instead. [-(nargs+1), +1, m] */
struct hl_task *hl_task_new(lua_State *L, struct halo_run *run, int nargs);

/* Its current wait raises `cancelled`, or its next one does. */
void hl_task_cancel(struct hl_task *t);

/* Ends it where it stands; its closers run but may not wait. */
void hl_task_kill(struct hl_task *t);

/* Its thread has returned, or failed with the LUA_ERR* in status, and holds so many
 * values. */
void hl_task_finish(struct hl_task *t, int values, int status);

/* Registers w to be woken when t ends. HALO_OK or HALO_NOMEM. */
int hl_task_join(struct hl_task *t, struct hl_wait *w);
void hl_task_unjoin(struct hl_task *t, struct hl_wait *w);

/* Queues a task to be resumed, or takes it out of the queue. Fine when it is (not) in it.
 */
void hl_sched_ready(struct hl_task *t);
void hl_sched_unready(struct hl_task *t);

/* Resumes every task that was ready when called. Returns how many. */
int hl_sched_run(struct hl_sched *s);

/* ---- runs (run.c) ---- */

/* What a run is to execute, with its arguments: the words argv, or JSON. */
struct hl_start {
    const char *target;      /* name or path of a script; or the code */
    const char *name;        /* of code: what messages call it */
    const char *json;        /* NULL: argv it is */
    const char *const *argv; /* ends with NULL; may be NULL */
    bool is_code;
};

/* HALO_OK, HALO_NOMEM, or HALO_USAGE for arguments that are no JSON object or array. */
int hl_run_new(struct halo_run **out, struct halo_host *h, const struct hl_start *s);
void hl_run_free(struct halo_run *run); /* ends it first where it is alive */

/* All tasks have ended: reads the result, or the message. */
void hl_run_end(struct halo_run *run);

/* The first time: every wait raises `cancelled`; the second: every task ends where it
 * stands. */
void hl_run_interrupt(struct halo_run *run);

/* Does that for a run whose run_ms are over. */
void hl_run_check_time(struct halo_run *run);

/* When, on the loop's clock, its script is stopped even while it computes; 0: never. */
int64_t hl_run_end_ms(const struct halo_run *run);
bool hl_run_overdue(const struct halo_run *run);
#define HL_RUN_TOO_LONG \
    "the run lasted longer than %d ms (raise it with --max-time or run_ms)"

/* ---- waits inside the script's own coroutines (coroutine.c) ---- */

/* The thread that resumed co, while co runs or waits; of a task's own thread: itself; or
 * NULL. */
lua_State *hl_resumer(lua_State *L, lua_State *co);
void hl_set_resumer(lua_State *L, lua_State *co,
                    lua_State *by); /* NULL: none      [-0, +0, m] */

/* Passes a wait on to whoever resumed L; continues with k(L, LUA_YIELD, ctx). Tail call.
 */
int hl_relay_wait(lua_State *L, lua_KContext ctx, lua_KFunction k);

/* Whether what a resumed thread has just yielded is a wait. */
bool hl_yielded_wait(lua_State *co, int values);

/* Opens the coroutine library with resume, wrap and close that do this.        [-0, +0,
 * m] */
void hl_open_coroutine(lua_State *L);

#define HL_TASK "halo.task"

#endif
