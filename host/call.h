/* The life of one call:
 *
 *     TOKEN -> TURN -> WIRE -> DONE     with RETRY (back to TOKEN) as retry.h decides
 *
 * Turns are given as the governor allows (turns.h). The default deadline of a call runs
 * from its first request on, so that a long queue does not fail it; a deadline that the
 * script gave runs from the start. A call ends by its callback exactly once, unless
 * hl_call_end gives it up before. */
#ifndef HL_CALL_H
#define HL_CALL_H

#include "client.h"

enum {
    HL_CALL_TIMEOUT_MS = 60000, /* a call's deadline unless it says otherwise */
    HL_MAX_ATTEMPTS = 100       /* most that a script may ask for */
};

enum hl_call_state {
    HL_CALL_IDLE,
    HL_CALL_TOKEN,
    HL_CALL_TURN,
    HL_CALL_WIRE,
    HL_CALL_RETRY,
    HL_CALL_DONE
};

/* One call; embedded in its owner, zero-initialised, then filled in down to the line. */
struct hl_call {
    enum hl_method method;
    int effect;       /* enum halo_effect */
    char *path;       /* "/v1/instances/3fa29c1e?x=y"; malloc'ed, the call's */
    const char *body; /* borrowed until the call ends; NULL: none */
    size_t body_len;
    const char *transient; /* status the instance goes through when this is accepted, or
                              NULL; static */
    char id[64];           /* the instance, or "" */
    int64_t timeout_ms;    /* 0: HL_CALL_TIMEOUT_MS */
    int max_attempts;      /* 0: the default; 1: never sent again */
    int64_t retry_after_max_ms; /* longest Retry-After to wait for; 0: any */
    bool no_conflict_wait, refuses_with_500;
    void (*done)(struct hl_call *c);
    /* ---- results, from `done` on */
    struct hl_failure failure; /* err is HALO_OK after success */
    int status, attempts;
    struct hl_buf answer;
    char request_id[96];
    bool gone; /* a DELETE that succeeded by a 404 or 410 */
    /* ---- inside */
    enum hl_call_state state;
    struct hl_client *client;
    struct hl_token_wait token_wait;
    struct hl_turn turn;
    struct hl_timer timer;
    struct hl_http http;
    unsigned generation;
    int failures;
    bool renewed, maybe_done;
    int64_t begun_ms, sent_ms;
};

/* done is called later from the loop, or at once when the call cannot even start. */
void hl_call_start(struct hl_client *client, struct hl_call *c);
/* Gives up (when running) and frees all it holds. Fine at any time. */
void hl_call_end(struct hl_call *c);

#endif
