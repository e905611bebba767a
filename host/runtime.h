/* The Lua state of a host: limited allocator, allow-list of libraries, text chunks only,
 * a count hook against scripts that compute for ever. */
#ifndef HL_RUNTIME_H
#define HL_RUNTIME_H

#include "host.h"

struct hl_runtime {
    size_t used, limit;    /* bytes allocated for Lua; limit 0: none */
    int64_t compute_until; /* ms on the monotonic clock; 0: no limit is running */
};

/* Makes h->L with everything in it. HALO_OK or HALO_NOMEM. */
int hl_runtime_open(struct halo_host *h);
void hl_runtime_close(struct halo_host *h);

/* Begins counting the computing time of a task that is about to run. */
void hl_runtime_begin(struct halo_host *h);

#endif
