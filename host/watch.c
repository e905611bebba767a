#include "watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "answer.h"

static void look(struct hl_watch *w);

static void end(struct hl_watch *w, int err)
{
    w->failure.err = err;
    w->ended = true;
    w->event(w, HL_WATCH_ENDED);
}

static void wanted(const struct hl_watch *w, char *to, size_t room)
{
    size_t at = 0;
    to[0] = '\0';
    for (size_t i = 0; i < w->wants && at + 1 < room; i++) {
        int n = snprintf(to + at, room - at, "%s%s", i > 0 ? " or " : "", w->want[i]);
        at += n > 0 ? (size_t)n : 0;
    }
}

static void on_timer(struct hl_timer *t)
{
    look((struct hl_watch *)((char *)t - offsetof(struct hl_watch, timer)));
}

/* Waits for the next look, or ends the wait when its time is over. */
static void schedule(struct hl_watch *w)
{
    int64_t now = hl_loop_now(w->client->loop);
    int64_t ms = hl_pace_next(&w->pace, now, hl_loop_random());
    if (ms >= 0) {
        if (hl_timer_start(w->client->loop, &w->timer, ms, on_timer) != HALO_OK)
            end(w, HALO_NOMEM);
        return;
    }
    char want[128], last[208];
    wanted(w, want, sizeof want);
    snprintf(last, sizeof last, "%.200s",
             w->call.failure.err ? w->call.failure.message : "");
    snprintf(w->failure.message, sizeof w->failure.message,
             "not %s after %g s: last seen %s%s%s", want, (double)w->timeout_ms / 1000,
             w->status[0] ? w->status : "nothing",
             last[0] ? "; the last look failed: " : "", last);
    end(w, HALO_TIMEOUT);
}

/* Once it is known what is waited for: chooses the looks by what is known of it. */
static void learn(struct hl_watch *w, const struct hl_accepted *last)
{
    const char *body = hl_buf_text(&w->call.answer);
    if (!last || w->type[0] || strcmp(w->status, HL_DELETED) == 0)
        return;
    hl_answer_field(body, w->call.answer.len, "type", w->type, sizeof w->type);
    hl_answer_field(body, w->call.answer.len, "memory", w->size, sizeof w->size);
    hl_pace_learned(
        &w->pace,
        hl_durations_model(&w->client->durations, last->transient, w->type, w->size),
        last->at_ms);
}

/* Remembers how long the operation took that has just been seen to be over. It ended
 * somewhere between the last two looks. */
static void remember(struct hl_watch *w, const struct hl_accepted *last)
{
    const struct hl_status *way = last ? hl_status_find(last->transient) : NULL;
    bool gone = strcmp(w->status, HL_DELETED) == 0;
    if (!way || !w->type[0] || (!w->seen && !gone) || !way->leads ||
        strcasecmp(way->leads, w->status) != 0)
        return;
    int64_t now = hl_loop_now(w->client->loop);
    int64_t before = w->looked_ms > last->at_ms ? w->looked_ms : last->at_ms;
    int64_t middle = before + (now - before) / 2;
    hl_durations_add(&w->client->durations, last->transient, w->type, w->size,
                     (double)(middle - last->at_ms) / 1000);
}

static void judge(struct hl_watch *w)
{
    int64_t now = hl_loop_now(w->client->loop);
    const struct hl_accepted *last = hl_client_accepted(w->client, w->id);
    bool gone = strcmp(w->status, HL_DELETED) == 0;
    struct hl_look seen = { .want = (const char *const *)w->want,
                            .wants = w->wants,
                            .operation = last ? last->transient : NULL,
                            .seen = w->seen,
                            .since_accepted_ms = last ? now - last->at_ms : 0,
                            .since_start_ms = now - w->begun_ms,
                            .status = gone ? NULL : w->status };
    struct hl_judged j = hl_status_judge(&seen);
    w->seen = j.seen;
    w->unknown = j.unknown;
    learn(w, last);
    if (j.verdict == HL_KEEP) {
        w->looked_ms = now;
        schedule(w);
    } else if (j.verdict == HL_DONE) {
        remember(w, last);
        end(w, HALO_OK);
    } else {
        w->failure = w->call.failure;
        if (!gone)
            snprintf(w->failure.message, sizeof w->failure.message, "%s", j.reason);
        end(w, gone ? HALO_NOT_FOUND : HALO_FAILED);
    }
}

/* Failures that may pass by themselves. */
static bool may_pass(const struct hl_failure *f)
{
    return f->err == HALO_TRANSPORT || f->err == HALO_API ||
           f->err == HALO_RATE_LIMITED || f->err == HALO_TIMEOUT;
}

static void on_look(struct hl_call *c)
{
    struct hl_watch *w = (struct hl_watch *)((char *)c - offsetof(struct hl_watch, call));
    char status[sizeof w->status];
    w->took_ms = hl_loop_now(w->client->loop) - w->begun_ms;
    int read = c->failure.err == HALO_OK
                   ? hl_answer_status(hl_buf_text(&c->answer), c->answer.len, status,
                                      sizeof status)
                   : HALO_OK;
    if (read != HALO_OK) {
        c->failure.err = read;
        hl_answer_error(hl_buf_text(&c->answer), c->answer.len, &c->failure);
        if (!c->failure.message[0])
            snprintf(c->failure.message, sizeof c->failure.message,
                     "the answer holds no instance");
    }
    bool gone = c->status == 404 || c->status == 410;
    if (c->failure.err != HALO_OK && !gone) {
        if ((w->ever || w->took_ms >= w->timeout_ms) && may_pass(&c->failure)) {
            w->event(w, HL_WATCH_TROUBLE);
            schedule(w);
        } else {
            w->failure = c->failure;
            end(w, c->failure.err);
        }
        return;
    }
    if (gone)
        snprintf(status, sizeof status, "%s", HL_DELETED);
    else
        w->ever = true;
    if (gone || strcasecmp(status, w->status) != 0) {
        /* a 404 right after a create is not a status: it is only told when the wait ends
         * by it */
        bool tell = !gone || w->ever;
        snprintf(w->previous, sizeof w->previous, "%s", w->status);
        if (strcmp(w->previous, HL_DELETED) == 0)
            w->previous[0] = '\0';
        memcpy(w->status, status, sizeof status);
        w->unknown = !gone && status[0] && !hl_status_find(status);
        if (tell && strcasecmp(w->previous, w->status) != 0) {
            w->event(w, HL_WATCH_CHANGED);
            return;
        }
    }
    judge(w);
}

static void look(struct hl_watch *w)
{
    int64_t left = w->timeout_ms - (hl_loop_now(w->client->loop) - w->begun_ms);
    hl_call_end(&w->call);
    memset(&w->call, 0, sizeof w->call);
    w->call.method = HL_GET;
    w->call.effect = HALO_READ;
    if (left < HL_CALL_TIMEOUT_MS)
        w->call.timeout_ms = left > 1000 ? left : 1000;
    w->call.done = on_look;
    if (asprintf(&w->call.path, "/v1/instances/%s", w->id) < 0) {
        w->call.path = NULL;
        end(w, HALO_NOMEM);
        return;
    }
    hl_call_start(w->client, &w->call);
}

void hl_watch_start(struct hl_watch *w)
{
    w->begun_ms = hl_loop_now(w->client->loop);
    hl_pace_init(&w->pace, w->begun_ms, w->interval_ms, w->timeout_ms);
    schedule(w);
}

void hl_watch_next(struct hl_watch *w)
{
    if (!w->ended)
        judge(w);
}

void hl_watch_end(struct hl_watch *w)
{
    if (w->client)
        hl_timer_stop(w->client->loop, &w->timer);
    hl_call_end(&w->call);
    for (size_t i = 0; i < w->wants; i++)
        free(w->want[i]);
    free(w->want);
    w->want = NULL;
    w->wants = 0;
}
