/* What the instance statuses of the Aura API mean, in one table, and whether a wait for
 * some of them goes on. Pure. Names compare without regard to case. */
#ifndef HL_STATUS_H
#define HL_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How long after the start of a wait a 404 is tolerated, and how long after a
 * just-accepted operation the old status may still be shown. */
enum { HL_GRACE_MS = 5000 };

/* What a wait may ask for besides the statuses: that the instance is gone (404 or 410).
 */
#define HL_DELETED "deleted"

struct hl_status {
    const char *name; /* lower case, as the API writes it */
    bool settled;     /* stays until somebody does something; otherwise transient */
    bool dead_end; /* only deleting leads out of it, directly or by way of destroying */
    const char
        *from; /* transient: the status in which its operation is accepted; or NULL */
    const char *leads; /* transient: where it ends when all goes well */
};

/* NULL when the name is not known. */
const struct hl_status *hl_status_find(const char *name);

enum hl_verdict { HL_KEEP, HL_DONE, HL_FAILED };

/* One look at the instance of a wait. */
struct hl_look {
    const char *const
        *want; /* statuses (also transient or unknown ones) and HL_DELETED */
    size_t wants;
    const char
        *operation; /* transient of the last accepted operation: "pausing"; or NULL */
    bool seen;      /* `seen` of an earlier look since that operation was accepted */
    int64_t since_accepted_ms; /* since that operation was accepted */
    int64_t since_start_ms;    /* since the wait began */
    const char *status;        /* as observed; NULL: gone (404 or 410) */
};

struct hl_judged {
    enum hl_verdict verdict;
    bool seen;    /* the operation's transient has been seen, now or before */
    bool unknown; /* the status is in no table: name it to the user once, and keep waiting
                   */
    char reason[200]; /* HL_FAILED: "is destroying and cannot become running"; or "" */
};

/* KEEP: look again later. DONE: it is as wanted. FAILED: it can no longer become so. A
 * wait that FAILED because the instance is gone (status NULL) is better reported as the
 * API's not_found. */
struct hl_judged hl_status_judge(const struct hl_look *look);

#endif
