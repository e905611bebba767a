/* A client of the Aura API: base URL, credentials, token, request rate; and the life of
 * one call:
 *
 *     TOKEN -> TURN -> WIRE -> DONE     with RETRY (back to TOKEN) as retry.h decides
 *
 * Turns are given as the governor allows (turns.h). The default deadline of a call runs
 * from its first request on, so that a long queue does not fail it; a deadline that the
 * script gave runs from the start. A call ends by its callback exactly once, unless
 * hl_call_end gives it up before. */
#ifndef HL_CLIENT_H
#define HL_CLIENT_H

#include "durations.h"
#include "token.h"
#include "turns.h"

enum {
    HL_CALL_TIMEOUT_MS = 60000, /* a call's deadline unless it says otherwise */
    HL_MAX_BODY = 16 * 1024 * 1024,
    HL_MAX_ATTEMPTS = 100, /* most that a script may ask for */
    HL_REMEMBERED = 1024 /* accepted operations remembered, for waits that follow them */
};

/* An operation the API accepted a moment ago. */
struct hl_accepted {
    char id[64];
    const char *transient; /* the status it goes through; static */
    int64_t at_ms;
};

/* What is reported of each request, for logs. Never holds a secret. */
struct hl_sent {
    const char *method, *path;
    int status; /* 0: no answer */
    int64_t took_ms;
    const char *request_id, *error; /* "" where there is none */
    int attempt;
};

struct hl_client {
    int refs;
    struct hl_loop *loop;
    struct hl_http_pool pool;
    struct hl_token token;
    struct hl_turns turns;
    struct hl_userdir cache, state; /* closed unless shared */
    struct hl_durations durations;
    char *base_url, *ca_file;
    struct hl_accepted accepted[HL_REMEMBERED];
    unsigned accepted_next;
    unsigned forbidden; /* generation of a token that is known to be good and meets 403 */
    bool told_deprecated;
    size_t max_body; /* bytes of an answer; HL_MAX_BODY unless set */
    struct hl_budget
        *budget; /* what answers, and the client itself, count against, or NULL */
    void (*sent)(void *ud, const struct hl_sent *s); /* may be NULL */
    void (*warn)(void *ud, const char *text);        /* may be NULL */
    void *ud;
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

/* Strings are copied. ca_file: NULL: the system's store. Errors: HALO_NOMEM, HALO_USAGE
 * with a reason in why. */
int hl_client_new(struct hl_client **out, struct hl_loop *loop, const char *base_url,
                  const char *client_id, const char *client_secret, const char *ca_file,
                  int per_minute, char *why, size_t room);
/* Shares token, request rate and what is known of durations with the user's other
 * processes. why: what the user should know, or "". */
void hl_client_share(struct hl_client *c, char *why, size_t room);
void hl_client_ref(struct hl_client *c);
static inline void hl_client_charge(struct hl_client *c, struct hl_budget *budget)
{
    c->budget = budget; /* once */
    budget->used += sizeof *c;
}
void hl_client_unref(
    struct hl_client *c); /* with the last one gone no call may be under way */

/* done is called later from the loop, or at once when the call cannot even start. */
void hl_call_start(struct hl_client *client, struct hl_call *c);
/* Gives up (when running) and frees all it holds. Fine at any time. */
void hl_call_end(struct hl_call *c);

/* The last accepted operation on an instance, or NULL. */
const struct hl_accepted *hl_client_accepted(const struct hl_client *c, const char *id);

#endif
