#include "retry.h"

#include <strings.h>

#include <halo.h>

/* "Full jitter": anywhere between nothing and the doubled step, which keeps clients that
 * failed together from coming back together. */
static int64_t backoff_ms(const struct hl_retry_in *in)
{
    int64_t step = HL_RETRY_BASE_MS;
    for (int i = 0; i < in->failures && step < HL_RETRY_CAP_MS; i++)
        step *= 2;
    if (step > HL_RETRY_CAP_MS)
        step = HL_RETRY_CAP_MS;
    return (int64_t)((double)step * in->random);
}

/* 2 s, growing by half to 10 s, then up to a fifth of it off (but never below 2 s). */
static int64_t conflict_ms(const struct hl_retry_in *in)
{
    double step = HL_CONFLICT_MIN_MS;
    for (int i = 1; i < in->attempt && step < HL_CONFLICT_MAX_MS; i++)
        step *= 1.5;
    if (step > HL_CONFLICT_MAX_MS)
        step = HL_CONFLICT_MAX_MS;
    step -= step * 0.2 * in->random;
    return step < HL_CONFLICT_MIN_MS ? HL_CONFLICT_MIN_MS : (int64_t)step;
}

static int64_t retry_after_ms(const struct hl_retry_in *in)
{
    int64_t ms = in->retry_after_ms;
    return ms > HL_RETRY_AFTER_CAP_MS ? HL_RETRY_AFTER_CAP_MS : ms;
}

/* Sending it twice is as good as once. */
static bool repeatable(const struct hl_retry_in *in)
{
    return in->method == HL_GET || in->method == HL_DELETE || in->effect == HALO_READ;
}

/* Does not only read, so its outcome matters. */
static bool changes(const struct hl_retry_in *in)
{
    return in->method != HL_GET && in->effect != HALO_READ;
}

static struct hl_retry_out done(enum hl_retry_note note)
{
    return (struct hl_retry_out){ .action = HL_ACT_DONE, .note = note };
}

/* A refusal that is final. */
static struct hl_retry_out fail(const struct hl_retry_in *in, int err,
                                enum hl_retry_note note)
{
    /* whatever this answer says: an earlier request may have been carried out */
    bool maybe = changes(in) && in->maybe_done;
    return (struct hl_retry_out){ .action = HL_ACT_FAIL,
                                  .note = note,
                                  .err = maybe ? HALO_AMBIGUOUS : err,
                                  .maybe_done = in->maybe_done };
}

static struct hl_retry_out ambiguous(const struct hl_retry_in *in,
                                     enum hl_retry_note note)
{
    struct hl_retry_out out = fail(in, HALO_AMBIGUOUS, note);
    out.maybe_done = true;
    return out;
}

/* Sends it again after delay_ms where attempts and deadline allow it, or fails with err.
 * maybe: this request may have been carried out. */
static struct hl_retry_out again(const struct hl_retry_in *in, int64_t delay_ms, int err,
                                 bool maybe)
{
    int most = in->max_attempts > 0 ? in->max_attempts : HL_RETRY_ATTEMPTS;
    bool maybe_done = changes(in) && (maybe || in->maybe_done);
    struct hl_retry_out out = { .action = HL_ACT_RETRY,
                                .delay_ms = delay_ms,
                                .counts = 1,
                                .maybe_done = maybe_done };
    if (in->failures + 1 >= most)
        out.note = HL_NOTE_ATTEMPTS;
    else if (in->retry_after_max_ms > 0 && in->retry_after_ms > in->retry_after_max_ms)
        out.note = HL_NOTE_RETRY_AFTER;
    else if (in->deadline_ms > 0 && in->elapsed_ms + delay_ms >= in->deadline_ms)
        out.note = HL_NOTE_DEADLINE;
    if (out.note != HL_NOTE_NONE) {
        out.action = HL_ACT_FAIL;
        out.err = maybe_done ? HALO_AMBIGUOUS : err;
        out.delay_ms = 0;
    }
    return out;
}

static struct hl_retry_out conflict(const struct hl_retry_in *in)
{
    bool ongoing =
        in->reason && strcasecmp(in->reason, "ongoing-database-operation") == 0;
    if (!ongoing || in->no_conflict_wait)
        return fail(in, HALO_CONFLICT, HL_NOTE_NONE);
    int64_t delay = conflict_ms(in);
    if (in->deadline_ms > 0 && in->elapsed_ms + delay >= in->deadline_ms)
        return fail(in, HALO_CONFLICT, HL_NOTE_DEADLINE);
    return (struct hl_retry_out){ .action = HL_ACT_RETRY,
                                  .delay_ms = delay,
                                  .maybe_done = in->maybe_done };
}

/* The server says that it did not take this one: any method may come again. */
static struct hl_retry_out turned_away(const struct hl_retry_in *in, int err)
{
    int64_t asked = retry_after_ms(in);
    struct hl_retry_out out = again(in, asked > 0 ? asked : backoff_ms(in), err, false);
    if (in->status == 429) {
        out.hold_all = true;
        out.hold_ms = asked > 0 ? asked : out.delay_ms;
    }
    return out;
}

/* A status that may come from a gateway in front of a service that carried the request
 * out. */
static struct hl_retry_out unclear(const struct hl_retry_in *in)
{
    if (!repeatable(in))
        return ambiguous(in, HL_NOTE_GATEWAY);
    int64_t asked = retry_after_ms(in);
    return again(in, asked > 0 ? asked : backoff_ms(in), hl_status_error(in->status),
                 true);
}

static struct hl_retry_out answered(const struct hl_retry_in *in)
{
    if (in->status >= 200 && in->status <= 299)
        return done(HL_NOTE_NONE);
    int err = hl_status_error(in->status);
    switch (in->status) {
    case 401:
    case 403:
        if (!in->token_renewed)
            return (struct hl_retry_out){ .action = HL_ACT_RENEW,
                                          .maybe_done = in->maybe_done };
        return fail(in, err, HL_NOTE_NONE);
    case 404:
    case 410:
        if (in->method == HL_DELETE && in->maybe_done)
            return done(HL_NOTE_GONE);
        return fail(in, err, HL_NOTE_NONE);
    case 409:
        return conflict(in);
    case 429:
        return turned_away(in, err);
    case 503:
        return in->retry_after_ms > 0 ? turned_away(in, err) : unclear(in);
    case 500:
        return in->refuses_with_500 ? fail(in, err, HL_NOTE_NONE) : unclear(in);
    case 408:
    case 502:
    case 504:
        return unclear(in);
    default:
        if (in->status >= 500 && changes(in))
            return ambiguous(in, HL_NOTE_GATEWAY);
        return fail(in, err, HL_NOTE_NONE);
    }
}

struct hl_retry_out hl_retry(const struct hl_retry_in *in)
{
    switch (in->net) {
    case HL_NET_ANSWER:
        return answered(in);
    case HL_NET_UNSENT:
        return again(in, backoff_ms(in), HALO_TRANSPORT, false);
    case HL_NET_LOST:
        if (in->sent && !repeatable(in))
            return ambiguous(in, HL_NOTE_NO_ANSWER);
        return again(in, backoff_ms(in), HALO_TRANSPORT, in->sent);
    case HL_NET_UNUSABLE:
        return changes(in) ? ambiguous(in, HL_NOTE_UNUSABLE)
                           : fail(in, HALO_API, HL_NOTE_NONE);
    case HL_NET_NOMEM:
        return changes(in) && (in->sent || in->maybe_done)
                   ? ambiguous(in, HL_NOTE_NO_ANSWER)
                   : fail(in, HALO_NOMEM, HL_NOTE_NONE);
    case HL_NET_REFUSED:
        break;
    }
    return fail(in, changes(in) && in->maybe_done ? HALO_AMBIGUOUS : HALO_TRANSPORT,
                HL_NOTE_NONE);
}

const char *hl_method_name(enum hl_method method)
{
    static const char *const NAMES[] = {
        [HL_GET] = "GET", [HL_DELETE] = "DELETE", [HL_POST] = "POST", [HL_PATCH] = "PATCH"
    };
    return NAMES[method];
}

int hl_status_error(int status)
{
    static const struct {
        int status, err;
    } KINDS[] = {
        { 400, HALO_INVALID },      { 401, HALO_AUTH },      { 402, HALO_FORBIDDEN },
        { 403, HALO_FORBIDDEN },    { 404, HALO_NOT_FOUND }, { 405, HALO_FORBIDDEN },
        { 409, HALO_CONFLICT },     { 410, HALO_NOT_FOUND }, { 413, HALO_INVALID },
        { 415, HALO_INVALID },      { 420, HALO_INVALID },   { 422, HALO_INVALID },
        { 429, HALO_RATE_LIMITED },
    };
    for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; i++) {
        if (KINDS[i].status == status)
            return KINDS[i].err;
    }
    return HALO_API; /* 308 and other redirects, 408, 5xx, what nobody has documented */
}

const char *hl_retry_note_text(enum hl_retry_note note)
{
    switch (note) {
    case HL_NOTE_NONE:
        break;
    case HL_NOTE_GONE:
        return "an earlier DELETE of this call, whose answer got lost, did it";
    case HL_NOTE_NO_ANSWER:
        return "the request was sent, but no answer came: it may have been carried out";
    case HL_NOTE_GATEWAY:
        return "this answer does not tell whether the request was carried out";
    case HL_NOTE_UNUSABLE:
        return "the request was answered, but the answer could not be taken in";
    case HL_NOTE_ATTEMPTS:
        return "tried as often as allowed";
    case HL_NOTE_RETRY_AFTER:
        return "to be sent again only after a longer wait than this call allows";
    case HL_NOTE_DEADLINE:
        return "no time was left to try again";
    }
    return "";
}
