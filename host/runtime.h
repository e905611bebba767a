/* The Lua state of a host: limited allocator, allow-list of libraries, text chunks only,
 * a hook against scripts that compute for ever. */
#ifndef HL_RUNTIME_H
#define HL_RUNTIME_H

#include "host.h"

struct hl_runtime {
    int64_t compute_until; /* ms on the monotonic clock; 0: no limit is running */
};

/* Makes h->L with everything in it. HALO_OK or HALO_NOMEM. */
int hl_runtime_open(struct halo_host *h);
void hl_runtime_close(struct halo_host *h);

/* Begins and ends counting the computing time of the current task, or of code of a script's
 * that is called for a run. Outside of it nothing is counted: the host itself is at work. */
void hl_runtime_begin(struct halo_host *h, const struct halo_run *run);
void hl_runtime_end(struct halo_host *h);

/* For C code that loops for a script: raises when its time is over.             [-0, +0, v] */
void hl_runtime_check(lua_State *L);

/* Whether the hook has raised an error in a thread. While Lua looks for a handler of it, and
 * for ever when the thread died of it, Lua calls no hooks there, so nothing of the script may
 * run: neither the handler, nor closers. */
bool hl_runtime_stopped(lua_State *L);

/* "not enough memory: ..." with the limit and how to raise it.                  [-0, +1, m] */
void hl_push_nomem(lua_State *L);

/* Counts n descriptors that a script is about to hold; raises kind `denied` beyond max_files.
 * hl_drop_files takes them back.                                                [-0, +0, v] */
void hl_take_files(lua_State *L, int n);
void hl_drop_files(struct halo_host *h, int n);

/* Raises kind `denied` when a restricted host does not have what is named.      [-0, +0, v] */
void hl_check_unrestricted(lua_State *L, const char *op);

/* ---- libraries.c, world.c, bounded.c ---- */

/* Opens what the scripts of an unrestricted host see, and the host's own Lua code.
 * [-0, +0, m] */
void hl_open_libraries(lua_State *L);

/* Pushes a load() that takes text only, with the table at env as globals.       [-0, +1, m] */
void hl_push_load(lua_State *L, int env);

/* Replaces what may run for ever inside one call of Lua's libraries (bounded.c). [-0, +0, m] */
void hl_bound_libraries(lua_State *L);

/* Pushes the globals of a new run: the shared ones or, when restricted, fresh ones with
 * modules of their own.                                                         [-0, +1, m] */
void hl_push_world(lua_State *L);

#endif
