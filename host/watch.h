/* Waiting for a status: get, judge (status.h), pace (pace.h), again. A wait that has once
 * seen the instance survives failing looks until its deadline. One that follows an
 * operation of this process learns from how long earlier ones took (durations.h). */
#ifndef HL_WATCH_H
#define HL_WATCH_H

#include "call.h"
#include "pace.h"
#include "status.h"

enum hl_watch_event {
    HL_WATCH_CHANGED, /* another status than before; call hl_watch_next to go on */
    HL_WATCH_TROUBLE, /* a look failed and the wait goes on: see watch->call.failure */
    HL_WATCH_ENDED    /* see failure.err, status and call.answer */
};

/* Embedded in its owner, zero-initialised, then filled in down to the line. */
struct hl_watch {
    struct hl_client *client; /* must outlive the watch */
    char id[64];
    char **want; /* malloc'ed list of malloc'ed strings, the watch's */
    size_t wants;
    int64_t interval_ms; /* 0: chosen by pace.c */
    int64_t timeout_ms;
    void (*event)(struct hl_watch *w, enum hl_watch_event event);
    /* ---- results */
    struct hl_failure failure;
    char status[64]; /* as the API wrote it; "deleted" once it is gone; "" before the
                        first look */
    char previous[64];
    int64_t took_ms;     /* since the start */
    bool unknown;        /* status is in no table */
    struct hl_call call; /* the last look: its answer is the instance */
    /* ---- inside */
    struct hl_timer timer;
    struct hl_pace pace;
    int64_t begun_ms, looked_ms; /* the last look before this one; 0: there was none */
    char type[32], size[16];     /* of the instance, as the first answer told */
    bool seen, ever, ended;
};

/* Errors are reported by ENDED, perhaps before this returns. */
void hl_watch_start(struct hl_watch *w);
void hl_watch_next(struct hl_watch *w); /* goes on after CHANGED */
void hl_watch_end(
    struct hl_watch *w); /* gives up and frees what it holds; fine at any time */

#endif
