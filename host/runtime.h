/* The Lua state of a host: limited allocator, allow-list of libraries, text chunks only, a count
 * hook against scripts that compute for ever, and the loader of stdlib/ and scripts/, embedded or
 * from disk. */
#ifndef HL_RUNTIME_H
#define HL_RUNTIME_H

#include "host.h"

struct hl_runtime {
    size_t used, limit;      /* bytes allocated for Lua; limit 0: none */
    int64_t compute_until;   /* ms on the monotonic clock; 0: no limit is running */
    bool exhausted;          /* this task has computed for too long: keep raising */
};

/* Makes h->L with everything in it. HALO_OK or HALO_NOMEM. */
int hl_runtime_open(struct halo_host *h);
void hl_runtime_close(struct halo_host *h);

/* Begins counting the computing time of a task that is about to run. */
void hl_runtime_begin(struct halo_host *h);

/* Pushes the text and the chunk name of a bundled or disk file: kind "stdlib" or "scripts", name
 * without ".lua". Pushes nothing and answers false where there is none.     [-0, +(0|2), m] */
bool hl_runtime_file(lua_State *L, const char *kind, const char *name);

/* Pushes a list of the names of the bundled scripts, or of those in --scripts. [-0, +1, v] */
void hl_runtime_list(lua_State *L);

#endif
