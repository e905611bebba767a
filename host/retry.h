/* What to do after one request of a call has ended and is no success (2xx): the whole of
 * the failure semantics, as one pure function. The rules:
 *
 * | what happened | GET, DELETE | POST, PATCH |
 * |---|---|---|
 * | could not connect | sent again | sent again |
 * | certificate refused; refused by a proxy | fails at once | fails at once |
 * | 429; 503 with Retry-After | sent again | sent again |
 * | 401, 403 | once more with a new token | once more with a new token |
 * | 408, 500, 502, 503, 504 | sent again | `ambiguous` |
 * | any other 5xx | GET fails, DELETE is `ambiguous` | `ambiguous` |
 * | sent, but no answer came | sent again | `ambiguous` |
 * | the answer is too large (16 MB) | GET fails, DELETE is `ambiguous` | `ambiguous` |
 * | 409 `ongoing-database-operation` | waits for its end | waits for its end |
 * | 404, 410 to a DELETE that may have acted before | has succeeded | |
 * | anything else | fails with its kind | fails with its kind |
 *
 * "Kind" is hl_status_error; a failure to connect is HALO_TRANSPORT. An `ambiguous` call
 * fails and is never sent again. Out of memory is HALO_NOMEM, or `ambiguous` for a change
 * that was sent. A wait for the end of an operation sends again every
 * 2 to 10 s until the deadline. A POST that only reads counts as a GET. The README has
 * the same table; tests/unit/test_retry_table.c holds both to the code.
 *
 * A 5xx to a POST is no proof that nothing happened: a gateway says 502 and 504 while the
 * service behind it carries the request out.
 *
 * "Send again" means exponential backoff with full jitter (500 ms doubling to 20 s), or
 * Retry-After up to 120 s; at most 6 times in all and never past the deadline, where it
 * becomes a failure of the kind it was. A DELETE that gives up after an unanswered one is
 * ambiguous. */
#ifndef HL_RETRY_H
#define HL_RETRY_H

#include <stdbool.h>
#include <stdint.h>

enum {
    HL_RETRY_ATTEMPTS = 6,
    HL_RETRY_BASE_MS = 500,
    HL_RETRY_CAP_MS = 20000,
    HL_RETRY_AFTER_CAP_MS = 120000,
    HL_CONFLICT_MIN_MS = 2000,
    HL_CONFLICT_MAX_MS = 10000
};

enum hl_method { HL_GET, HL_DELETE, HL_POST, HL_PATCH };
const char *hl_method_name(enum hl_method method); /* "GET" */

/* How the transfer itself went. */
enum hl_net {
    HL_NET_ANSWER,  /* a complete answer came: look at the status */
    HL_NET_UNSENT,  /* could not resolve or connect; may work next time */
    HL_NET_LOST,    /* broke off or timed out, without a complete answer */
    HL_NET_REFUSED, /* cannot work: certificate not trusted, bad URL. Nothing was sent */
    HL_NET_NOMEM,   /* memory ran out, before or after it was sent */
    HL_NET_UNUSABLE /* answered with something beyond our limits, such as a body too large
                     */
};

/* One ended request. A zeroed struct is a first GET without an answer's status. */
struct hl_retry_in {
    enum hl_method method;
    int effect; /* enum halo_effect; a POST with HALO_READ is sent again like a GET */
    enum hl_net net;
    bool sent;          /* HL_NET_LOST, _NOMEM: at least a byte of the request left */
    int status;         /* HL_NET_ANSWER: the HTTP status */
    const char *reason; /* the API's reason code, or NULL */
    int failures;       /* sum of `counts` of the earlier requests of this call */
    int attempt;        /* requests sent for this call, this one included: 1, 2, ... */
    int max_attempts;   /* 0: HL_RETRY_ATTEMPTS; 1: never send again after a failure */
    int64_t retry_after_ms;     /* 0 or less: the answer did not say */
    int64_t retry_after_max_ms; /* a longer one is not waited for; 0: any is */
    bool
        token_renewed; /* the token was renewed for this call already, or there is none */
    bool maybe_done;   /* or-ed from the outputs of the earlier requests of this call */
    bool no_conflict_wait; /* 409 ongoing-database-operation is the caller's to handle */
    bool refuses_with_500; /* this endpoint documents 500 as a refusal (overwrite) */
    int64_t elapsed_ms;    /* since the call began, as its caller counts it */
    int64_t deadline_ms;   /* on the same scale; 0: none */
    double random;         /* 0 <= random < 1 */
};

enum hl_retry_action {
    HL_ACT_DONE,  /* the call has succeeded */
    HL_ACT_RETRY, /* send the same request again after delay_ms */
    HL_ACT_RENEW, /* drop the token, get a new one, send again at once */
    HL_ACT_FAIL   /* give up with err */
};

enum hl_retry_note {
    HL_NOTE_NONE,
    HL_NOTE_GONE, /* DONE by a 404/410: the DELETE whose answer got lost did it. No body
                   */
    HL_NOTE_NO_ANSWER, /* AMBIGUOUS: sent, and no answer came */
    HL_NOTE_GATEWAY,   /* AMBIGUOUS: a 408 or 5xx that does not say whether it was carried
                          out */
    HL_NOTE_UNUSABLE,  /* AMBIGUOUS: answered, but beyond our limits */
    HL_NOTE_ATTEMPTS,  /* FAIL: would be sent again, but was tried often enough */
    HL_NOTE_RETRY_AFTER, /* FAIL: would be sent again, but later than the caller wants */
    HL_NOTE_DEADLINE     /* FAIL: would be sent again, but not before the deadline */
};

struct hl_retry_out {
    enum hl_retry_action action;
    enum hl_retry_note note;
    int err;          /* FAIL: HALO_*; otherwise HALO_OK */
    int64_t delay_ms; /* RETRY: how long to wait first */
    int counts; /* add to `failures`: 1 for a failure, 0 for conflicts and renewals */
    bool maybe_done; /* this or an earlier request may have taken effect */
    bool hold_all;   /* RETRY or FAIL of a 429: hold the governor for hold_ms too */
    int64_t hold_ms;
};

struct hl_retry_out hl_retry(const struct hl_retry_in *in);

/* The HALO_* error of a status that is no success (300 .. 599; anything else is
 * HALO_API). */
int hl_status_error(int status);

/* A note in words for messages; "" for HL_NOTE_NONE. Static. */
const char *hl_retry_note_text(enum hl_retry_note note);

#endif
