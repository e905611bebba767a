#include "table.h"

#include <halo.h>

#include "retry.h"

#define DONE .action = HL_ACT_DONE
#define RENEW .action = HL_ACT_RENEW
#define RETRY(ms) .action = HL_ACT_RETRY, .delay_ms = (ms), .counts = 1
#define FAIL(kind) .action = HL_ACT_FAIL, .err = HALO_##kind
#define ONGOING .status = 409, .reason = "Ongoing-Database-Operation"

/* Where a case does not say otherwise, `random` is a half and it is the first request. */
static const struct {
    const char *name;
    struct hl_retry_in in;
    struct hl_retry_out want;
} CASES[] = {
    { "200", { .status = 200 }, { DONE } },
    { "202 to a POST", { .method = HL_POST, .status = 202 }, { DONE } },
    { "204", { .method = HL_DELETE, .status = 204 }, { DONE } },

    /* the token */
    { "401 renews", { .method = HL_POST, .status = 401 }, { RENEW } },
    { "403 renews too", { .method = HL_PATCH, .status = 403 }, { RENEW } },
    { "401 again", { .status = 401, .token_renewed = true }, { FAIL(AUTH) } },
    { "403 again", { .status = 403, .token_renewed = true }, { FAIL(FORBIDDEN) } },
    { "a renewal keeps what is known",
      { .method = HL_DELETE, .status = 401, .maybe_done = true },
      { RENEW, .maybe_done = true } },

    /* refusals */
    { "400", { .status = 400 }, { FAIL(INVALID) } },
    { "404", { .status = 404 }, { FAIL(NOT_FOUND) } },
    { "404 to the first DELETE",
      { .method = HL_DELETE, .status = 404 },
      { FAIL(NOT_FOUND) } },
    { "409",
      { .method = HL_POST, .status = 409, .reason = "instance-action-unavailable" },
      { FAIL(CONFLICT) } },
    { "409 without a reason", { .method = HL_POST, .status = 409 }, { FAIL(CONFLICT) } },
    { "308 is not followed", { .status = 308 }, { FAIL(API) } },
    { "418", { .method = HL_POST, .status = 418 }, { FAIL(API) } },

    /* reads after trouble */
    { "GET 500", { .status = 500 }, { RETRY(250) } },
    { "GET 502, second failure", { .status = 502, .failures = 1 }, { RETRY(500) } },
    { "GET 503, third", { .status = 503, .failures = 2 }, { RETRY(1000) } },
    { "GET 504, fifth", { .status = 504, .failures = 4 }, { RETRY(4000) } },
    { "GET 408", { .status = 408 }, { RETRY(250) } },
    { "GET 501 is no passing trouble", { .status = 501 }, { FAIL(API) } },
    { "the sixth failure is the last",
      { .status = 503, .failures = 5 },
      { FAIL(API), .note = HL_NOTE_ATTEMPTS, .counts = 1 } },
    { "more when asked for",
      { .status = 503, .failures = 8, .max_attempts = 20 },
      { RETRY(10000) } },
    { "the step stops at 20 s",
      { .status = 503, .failures = 18, .max_attempts = 20 },
      { RETRY(10000) } },
    { "none when asked for",
      { .status = 503, .max_attempts = 1 },
      { FAIL(API), .note = HL_NOTE_ATTEMPTS, .counts = 1 } },
    { "full jitter may be nothing", { .status = 500, .random = 1e-9 }, { RETRY(0) } },
    { "full jitter is never all", { .status = 500, .random = 0.9999 }, { RETRY(499) } },
    { "GET 500 with Retry-After",
      { .status = 500, .retry_after_ms = 3000 },
      { RETRY(3000) } },
    { "GET lost", { .net = HL_NET_LOST, .sent = true }, { RETRY(250) } },
    { "GET unsent", { .net = HL_NET_UNSENT }, { RETRY(250) } },
    { "GET without memory", { .net = HL_NET_NOMEM, .sent = true }, { FAIL(NOMEM) } },
    { "GET too large", { .net = HL_NET_UNUSABLE, .status = 200 }, { FAIL(API) } },
    { "POST that reads, 500",
      { .method = HL_POST, .effect = HALO_READ, .status = 500 },
      { RETRY(250) } },
    { "POST that reads, lost",
      { .method = HL_POST, .effect = HALO_READ, .net = HL_NET_LOST, .sent = true },
      { RETRY(250) } },
    { "before the deadline",
      { .status = 500, .elapsed_ms = 9000, .deadline_ms = 10000 },
      { RETRY(250) } },
    { "not at it",
      { .status = 500, .elapsed_ms = 9750, .deadline_ms = 10000 },
      { FAIL(API), .note = HL_NOTE_DEADLINE, .counts = 1 } },
    { "a lost GET out of time",
      { .net = HL_NET_LOST, .sent = true, .elapsed_ms = 10000, .deadline_ms = 10000 },
      { FAIL(TRANSPORT), .note = HL_NOTE_DEADLINE, .counts = 1 } },

    /* the limit */
    { "429 with Retry-After",
      { .method = HL_POST, .status = 429, .retry_after_ms = 5000 },
      { RETRY(5000), .hold_all = true, .hold_ms = 5000 } },
    { "429 without",
      { .method = HL_POST, .status = 429 },
      { RETRY(250), .hold_all = true, .hold_ms = 250 } },
    { "Retry-After is capped",
      { .status = 429, .retry_after_ms = 86400000 },
      { RETRY(120000), .hold_all = true, .hold_ms = 120000 } },
    { "for a 503, too",
      { .method = HL_POST, .status = 503, .retry_after_ms = 120001 },
      { RETRY(120000) } },
    { "and for a read of any 5xx that may pass",
      { .status = 504, .retry_after_ms = 86400000 },
      { RETRY(120000) } },
    { "Retry-After beyond the deadline",
      { .status = 429, .retry_after_ms = 70000, .deadline_ms = 60000 },
      { FAIL(RATE_LIMITED), .note = HL_NOTE_DEADLINE, .counts = 1, .hold_all = true,
        .hold_ms = 70000 } },
    { "Retry-After longer than the caller wants",
      { .status = 503, .retry_after_ms = 5001, .retry_after_max_ms = 5000 },
      { FAIL(API), .note = HL_NOTE_RETRY_AFTER, .counts = 1 } },
    { "but the others are held back",
      { .method = HL_POST,
        .status = 429,
        .retry_after_ms = 300000,
        .retry_after_max_ms = 200000 },
      { FAIL(RATE_LIMITED), .note = HL_NOTE_RETRY_AFTER, .counts = 1, .hold_all = true,
        .hold_ms = 120000 } },
    { "just as long",
      { .status = 503, .retry_after_ms = 5000, .retry_after_max_ms = 5000 },
      { RETRY(5000) } },
    { "a backoff is not a Retry-After",
      { .status = 503, .failures = 4, .retry_after_max_ms = 1000 },
      { RETRY(4000) } },
    { "429 too often",
      { .method = HL_PATCH, .status = 429, .failures = 5, .retry_after_ms = 1000 },
      { FAIL(RATE_LIMITED), .note = HL_NOTE_ATTEMPTS, .counts = 1, .hold_all = true,
        .hold_ms = 1000 } },

    /* changes */
    { "POST 503 with Retry-After",
      { .method = HL_POST, .status = 503, .retry_after_ms = 2000 },
      { RETRY(2000) } },
    { "POST 503 without",
      { .method = HL_POST, .status = 503 },
      { FAIL(AMBIGUOUS), .note = HL_NOTE_GATEWAY, .maybe_done = true } },
    { "POST 500",
      { .method = HL_POST, .effect = HALO_CHANGE, .status = 500 },
      { FAIL(AMBIGUOUS), .note = HL_NOTE_GATEWAY, .maybe_done = true } },
    { "POST 500 where it is a refusal",
      { .method = HL_POST, .status = 500, .refuses_with_500 = true },
      { FAIL(API) } },
    { "PATCH 502",
      { .method = HL_PATCH, .status = 502 },
      { FAIL(AMBIGUOUS), .note = HL_NOTE_GATEWAY, .maybe_done = true } },
    { "POST 504",
      { .method = HL_POST, .status = 504 },
      { FAIL(AMBIGUOUS), .note = HL_NOTE_GATEWAY, .maybe_done = true } },
    { "POST 507",
      { .method = HL_POST, .status = 507 },
      { FAIL(AMBIGUOUS), .note = HL_NOTE_GATEWAY, .maybe_done = true } },
    { "POST unsent", { .method = HL_POST, .net = HL_NET_UNSENT }, { RETRY(250) } },
    { "POST broke off before a byte left",
      { .method = HL_POST, .net = HL_NET_LOST },
      { RETRY(250) } },
    { "POST lost",
      { .method = HL_POST, .net = HL_NET_LOST, .sent = true },
      { FAIL(AMBIGUOUS), .note = HL_NOTE_NO_ANSWER, .maybe_done = true } },
    { "POST lost on the last attempt",
      { .method = HL_POST, .net = HL_NET_LOST, .sent = true, .failures = 5 },
      { FAIL(AMBIGUOUS), .note = HL_NOTE_NO_ANSWER, .maybe_done = true } },
    { "PATCH answered beyond our limits",
      { .method = HL_PATCH, .net = HL_NET_UNUSABLE },
      { FAIL(AMBIGUOUS), .note = HL_NOTE_UNUSABLE, .maybe_done = true } },
    { "POST to a wrong certificate",
      { .method = HL_POST, .net = HL_NET_REFUSED },
      { FAIL(TRANSPORT) } },
    { "GET from a wrong certificate", { .net = HL_NET_REFUSED }, { FAIL(TRANSPORT) } },

    /* DELETE */
    { "DELETE lost",
      { .method = HL_DELETE, .net = HL_NET_LOST, .sent = true },
      { RETRY(250), .maybe_done = true } },
    { "then 404: our own did it",
      { .method = HL_DELETE, .status = 404, .maybe_done = true },
      { DONE, .note = HL_NOTE_GONE } },
    { "or 410",
      { .method = HL_DELETE, .status = 410, .maybe_done = true },
      { DONE, .note = HL_NOTE_GONE } },
    { "then unsent to the end",
      { .method = HL_DELETE, .net = HL_NET_UNSENT, .failures = 5, .maybe_done = true },
      { FAIL(AMBIGUOUS), .note = HL_NOTE_ATTEMPTS, .counts = 1, .maybe_done = true } },
    { "DELETE unsent to the end",
      { .method = HL_DELETE, .net = HL_NET_UNSENT, .failures = 5 },
      { FAIL(TRANSPORT), .note = HL_NOTE_ATTEMPTS, .counts = 1 } },
    { "DELETE 500",
      { .method = HL_DELETE, .status = 500 },
      { RETRY(250), .maybe_done = true } },
    { "DELETE 504 to the end",
      { .method = HL_DELETE, .status = 504, .failures = 5 },
      { FAIL(AMBIGUOUS), .note = HL_NOTE_ATTEMPTS, .counts = 1, .maybe_done = true } },
    { "a GET's 404 is never a success",
      { .status = 404, .maybe_done = true },
      { FAIL(NOT_FOUND), .maybe_done = true } },

    /* an operation under way: no failure, so it does not count */
    { "409 ongoing",
      { .method = HL_POST, ONGOING, .attempt = 1, .random = 1e-9 },
      { .action = HL_ACT_RETRY, .delay_ms = 2000 } },
    { "waits longer each time",
      { .method = HL_POST, ONGOING, .attempt = 3, .random = 1e-9 },
      { .action = HL_ACT_RETRY, .delay_ms = 4499 } },
    { "up to 10 s",
      { .method = HL_POST, ONGOING, .attempt = 50, .random = 1e-12, .failures = 5 },
      { .action = HL_ACT_RETRY, .delay_ms = 9999 } },
    { "never below 2 s",
      { .method = HL_POST, ONGOING, .attempt = 1, .random = 0.9 },
      { .action = HL_ACT_RETRY, .delay_ms = 2000 } },
    { "for DELETE as well",
      { .method = HL_DELETE, ONGOING, .attempt = 1, .maybe_done = true },
      { .action = HL_ACT_RETRY, .delay_ms = 2000, .maybe_done = true } },
    { "until the deadline",
      { .method = HL_POST,
        ONGOING,
        .attempt = 1,
        .elapsed_ms = 58000,
        .deadline_ms = 60000 },
      { FAIL(CONFLICT), .note = HL_NOTE_DEADLINE } },
    { "unless the caller wants to know",
      { .method = HL_POST, ONGOING, .no_conflict_wait = true },
      { FAIL(CONFLICT) } },
};

static void test_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(CASES); i++) {
        struct hl_retry_in in = CASES[i].in;
        const struct hl_retry_out *want = &CASES[i].want;
        if (in.random <= 0)
            in.random = 0.5;
        struct hl_retry_out got = hl_retry(&in);
        CHECK_EQ(CASES[i].name, got.action, want->action);
        CHECK_EQ(CASES[i].name, got.err, want->err);
        CHECK_EQ(CASES[i].name, got.note, want->note);
        CHECK_EQ(CASES[i].name, got.delay_ms, want->delay_ms);
        CHECK_EQ(CASES[i].name, got.counts, want->counts);
        CHECK_EQ(CASES[i].name, got.maybe_done, want->maybe_done);
        CHECK_EQ(CASES[i].name, got.hold_all, want->hold_all);
        CHECK_EQ(CASES[i].name, got.hold_ms, want->hold_ms);
    }
    CHECK_END();
}

/* Every combination: a change that may have happened is never sent again, and what is
 * reported as a clear failure cannot have happened. */
static void test_never_twice(void **state)
{
    (void)state;
    for (int method = HL_POST; method <= HL_PATCH; method++)
        for (int net = HL_NET_ANSWER; net <= HL_NET_UNUSABLE; net++)
            for (int status = 200; status < 600; status++)
                for (int bits = 0; bits < 16; bits++) {
                    struct hl_retry_in in = { .method = (enum hl_method)method,
                                              .effect = HALO_CHANGE,
                                              .net = (enum hl_net)net,
                                              .status = status,
                                              .sent = bits & 1,
                                              .token_renewed = bits & 2,
                                              .retry_after_ms = bits & 4 ? 1000 : -1,
                                              .reason = bits & 8
                                                            ? "ongoing-database-operation"
                                                            : NULL,
                                              .attempt = 1 };
                    bool nothing_happened =
                        net == HL_NET_UNSENT || net == HL_NET_REFUSED ||
                        ((net == HL_NET_LOST || net == HL_NET_NOMEM) && !in.sent) ||
                        (net == HL_NET_ANSWER &&
                         ((status >= 300 && status < 500 && status != 408) ||
                          (status == 503 && in.retry_after_ms > 0)));
                    struct hl_retry_out out = hl_retry(&in);
                    char name[80];
                    snprintf(name, sizeof name, "method %d net %d status %d bits %d",
                             method, net, status, bits);
                    if (out.action == HL_ACT_RETRY || out.action == HL_ACT_RENEW)
                        CHECK_EQ(name, nothing_happened, true);
                    if (out.action == HL_ACT_FAIL)
                        CHECK_EQ(name, out.err == HALO_AMBIGUOUS, !nothing_happened);
                    if (out.action == HL_ACT_DONE)
                        CHECK_EQ(name, net == HL_NET_ANSWER && status < 300, true);
                }
    CHECK_END();
}

static void test_statuses(void **state)
{
    static const struct {
        int status, err;
    } STATUSES[] = {
        { 301, HALO_API },       { 308, HALO_API },          { 400, HALO_INVALID },
        { 401, HALO_AUTH },      { 402, HALO_FORBIDDEN },    { 403, HALO_FORBIDDEN },
        { 404, HALO_NOT_FOUND }, { 405, HALO_FORBIDDEN },    { 408, HALO_API },
        { 409, HALO_CONFLICT },  { 410, HALO_NOT_FOUND },    { 413, HALO_INVALID },
        { 415, HALO_INVALID },   { 418, HALO_API },          { 420, HALO_INVALID },
        { 422, HALO_INVALID },   { 429, HALO_RATE_LIMITED }, { 500, HALO_API },
        { 503, HALO_API },       { 599, HALO_API },          { 0, HALO_API },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(STATUSES); i++) {
        char name[16];
        snprintf(name, sizeof name, "%d", STATUSES[i].status);
        CHECK_EQ(name, hl_status_error(STATUSES[i].status), STATUSES[i].err);
    }
    for (int note = HL_NOTE_NONE; note <= HL_NOTE_DEADLINE; note++)
        CHECK_EQ("notes have words",
                 hl_retry_note_text((enum hl_retry_note)note)[0] != '\0',
                 note != HL_NOTE_NONE);
    CHECK_END();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_never_twice),
        cmocka_unit_test(test_statuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
