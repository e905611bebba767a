#include "call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"

static void step(struct hl_call *c);
static void leave_queues(struct hl_call *c);

static int64_t elapsed(const struct hl_call *c)
{
    return hl_loop_now(c->client->loop) - c->begun_ms;
}

static int64_t deadline(const struct hl_call *c)
{
    return c->timeout_ms > 0 ? c->timeout_ms : HL_CALL_TIMEOUT_MS;
}

static void finish(struct hl_call *c, int err)
{
    c->failure.err = err;
    c->failure.attempts = c->attempts;
    c->state = HL_CALL_DONE;
    leave_queues(c); /* it may end while it waits, for want of a timer */
    hl_timer_stop(c->client->loop, &c->timer);
    if (err == HALO_OK && c->transient && c->id[0])
        hl_client_remember(c->client, c->id, c->transient);
    c->done(c);
}

static void fail(struct hl_call *c, int err, const char *text)
{
    if (c->maybe_done && err == HALO_NOMEM)
        err = HALO_AMBIGUOUS;
    snprintf(c->failure.message, sizeof c->failure.message, "%s", text);
    finish(c, err);
}

static void on_timer(struct hl_timer *t)
{
    struct hl_call *c = (struct hl_call *)((char *)t - offsetof(struct hl_call, timer));
    if (c->state == HL_CALL_TOKEN || c->state == HL_CALL_TURN) {
        bool turn = c->state == HL_CALL_TURN;
        fail(c, HALO_TIMEOUT,
             turn ? "the request rate did not allow it before the deadline of the call"
                  : "no token came before the deadline of the call");
        return;
    }
    c->state = HL_CALL_TOKEN;
    step(c);
}

static void sleep_then_step(struct hl_call *c, int64_t ms)
{
    if (hl_timer_start(c->client->loop, &c->timer, ms, on_timer) != HALO_OK)
        fail(c, HALO_NOMEM, halo_strerror(HALO_NOMEM));
}

static void on_token(struct hl_token_wait *w, const struct hl_failure *failed)
{
    struct hl_call *c =
        (struct hl_call *)((char *)w - offsetof(struct hl_call, token_wait));
    hl_timer_stop(c->client->loop, &c->timer);
    if (!failed) {
        c->state = HL_CALL_TOKEN;
        step(c);
        return;
    }
    int attempts = c->attempts;
    c->failure = *failed;
    c->status = failed->status;
    snprintf(c->request_id, sizeof c->request_id, "%s", failed->request_id);
    char text[sizeof c->failure.message + 32];
    int len = snprintf(text, sizeof text, "cannot get a token: %s", failed->message);
    hl_answer_show(c->failure.message, sizeof c->failure.message, text, (size_t)len);
    c->attempts = attempts + failed->attempts;
    finish(c, failed->err);
}

/* Tells the log, and once that the API version is going away. */
static void report(struct hl_call *c, const struct hl_http_answer *a)
{
    struct hl_client *client = c->client;
    struct hl_sent s = { hl_method_name(c->method),
                         c->path,
                         a->status,
                         hl_loop_now(client->loop) - c->sent_ms,
                         a->request_id,
                         a->error,
                         c->attempts };
    if (client->sent)
        client->sent(client->ud, &s);
    if (a->deprecated[0] && !client->told_deprecated && client->warn) {
        char text[128];
        snprintf(text, sizeof text, "this version of the API ends on %s", a->deprecated);
        client->told_deprecated = true;
        client->warn(client->ud, text);
    }
}

static void describe_unusable(struct hl_failure *f, const struct hl_client *client)
{
    snprintf(f->message, sizeof f->message,
             "the answer is larger than %.6g MB (raise it with --max-response or "
             "max_response), or its headers than %d KB",
             (double)client->max_body / 1048576, HL_HTTP_MAX_HEADERS / 1024);
}

static void describe_no_memory(struct hl_failure *f, const struct hl_client *client)
{
    const struct hl_budget *budget = client->budget;
    if (budget && budget->limit)
        snprintf(f->message, sizeof f->message,
                 "the answer does not fit into what is left of the %.6g MB of memory "
                 "that this host's scripts may use (raise it with --memory or "
                 "memory_bytes)",
                 (double)budget->limit / 1048576);
    else
        snprintf(f->message, sizeof f->message, "%s", halo_strerror(HALO_NOMEM));
}

static void describe(struct hl_call *c, const struct hl_http_answer *a,
                     const struct hl_retry_out *out)
{
    struct hl_failure *f = &c->failure;
    if (a->net == HL_NET_UNUSABLE)
        describe_unusable(f, c->client);
    else if (a->net == HL_NET_NOMEM)
        describe_no_memory(f, c->client);
    else if (a->net == HL_NET_ANSWER && a->status >= 300 && a->status < 400)
        snprintf(f->message, sizeof f->message, "the API moved to %s; set AURA_BASE_URL",
                 a->location[0] ? a->location : "an unnamed place");
    else if (a->net != HL_NET_ANSWER)
        hl_answer_show(f->message, sizeof f->message, a->error, strlen(a->error));
    else if (!f->message[0])
        snprintf(f->message, sizeof f->message, "%s", halo_strerror(out->err));
    /* "tried as often as allowed" says nothing of a call that was not to be repeated */
    bool once = out->note == HL_NOTE_ATTEMPTS && c->attempts == 1;
    const char *note = once ? "" : hl_retry_note_text(out->note);
    if (*note) {
        char start[400]; /* cut between characters */
        hl_answer_show(start, sizeof start, f->message, strlen(f->message));
        snprintf(f->message, sizeof f->message, "%s (%s)", start, note);
    }
}

/* A token that was fetched because of a 403, and met a 403 again, is good: what lacks is
 * a permission. Without this each such call would cost one of the 15 tokens an hour. */
static bool renewal_is_useless(struct hl_call *c)
{
    if (c->status == 403 && c->renewed)
        c->client->forbidden = c->generation;
    return c->status == 403 && c->client->forbidden == c->generation;
}

/* After a 429. A limit that is lower than configured is worth a word. */
static void hold_all(struct hl_client *client, int64_t ms)
{
    char text[160];
    int limit = hl_turns_refused(&client->turns, ms);
    if (limit == 0 || !client->warn)
        return;
    snprintf(
        text, sizeof text,
        "the API allows fewer requests than AURA_RATE says: going on with %d a minute",
        limit);
    client->warn(client->ud, text);
}

static void on_answer(struct hl_http *h)
{
    struct hl_call *c = (struct hl_call *)((char *)h - offsetof(struct hl_call, http));
    struct hl_http_answer *a = &h->answer;
    struct hl_client *client = c->client;
    report(c, a);
    memset(&c->failure, 0, sizeof c->failure);
    c->status = c->failure.status = a->status;
    snprintf(c->request_id, sizeof c->request_id, "%s", a->request_id);
    snprintf(c->failure.request_id, sizeof c->failure.request_id, "%s", a->request_id);
    bool success = a->net == HL_NET_ANSWER && a->status >= 200 && a->status < 300;
    if (a->net == HL_NET_ANSWER && !success)
        hl_answer_error(hl_buf_text(&a->body), a->body.len, &c->failure);
    struct hl_retry_in in = { .method = c->method,
                              .effect = c->effect,
                              .net = a->net,
                              .sent = a->sent,
                              .status = a->status,
                              .reason = c->failure.reason,
                              .failures = c->failures,
                              .attempt = c->attempts,
                              .max_attempts = c->max_attempts,
                              .retry_after_ms =
                                  a->retry_after_ms > 0 ? a->retry_after_ms : 0,
                              .retry_after_max_ms = c->retry_after_max_ms,
                              .token_renewed = c->renewed || renewal_is_useless(c),
                              .maybe_done = c->maybe_done,
                              .no_conflict_wait = c->no_conflict_wait,
                              .refuses_with_500 = c->refuses_with_500,
                              .elapsed_ms = elapsed(c),
                              .deadline_ms = deadline(c),
                              .random = success ? 0 : hl_loop_random() };
    struct hl_retry_out out = hl_retry(&in);
    c->failures += out.counts;
    c->maybe_done = out.maybe_done;
    if (out.hold_all)
        hold_all(client, out.hold_ms);
    c->answer = a->body; /* moved: what came, also when it is a failure */
    memset(&a->body, 0, sizeof a->body);
    hl_http_reset(h);
    hl_turns_leave(&c->turn);
    switch (out.action) {
    case HL_ACT_DONE:
        c->gone = out.note == HL_NOTE_GONE;
        finish(c, HALO_OK);
        return;
    case HL_ACT_RENEW:
        c->renewed = true;
        hl_token_refused(&client->token, c->generation);
        c->state = HL_CALL_TOKEN;
        hl_buf_reset(&c->answer);
        step(c);
        return;
    case HL_ACT_RETRY:
        c->state = HL_CALL_RETRY;
        hl_buf_reset(&c->answer);
        sleep_then_step(c, out.delay_ms);
        return;
    case HL_ACT_FAIL:
        describe(c, a, &out);
        finish(c, out.err);
        return;
    }
}

static int start_wire(struct hl_call *c)
{
    struct hl_client *client = c->client;
    char *url = NULL;
    if (c->attempts == 0 && c->timeout_ms == 0)
        c->begun_ms = hl_loop_now(client->loop);
    int64_t left = deadline(c) - elapsed(c);
    if (asprintf(&url, "%s%s", client->base_url, c->path) < 0)
        return HALO_NOMEM;
    const char *secrets[HL_TOKEN_SECRETS];
    hl_token_secrets(&client->token, secrets);
    bool writes = c->method == HL_POST || c->method == HL_PATCH;
    bool empty = writes && !c->body;
    struct hl_http_request r = { .method = hl_method_name(c->method),
                                 .url = url,
                                 .body = empty ? "{}" : c->body,
                                 .body_len = empty ? 2 : c->body_len,
                                 .content_type = writes ? "application/json" : NULL,
                                 .bearer = client->token.value,
                                 .secrets = secrets,
                                 .ca_file = client->ca_file,
                                 .timeout_ms = left > 1 ? left : 1,
                                 .max_body = client->max_body,
                                 .budget = client->budget };
    c->generation = client->token.generation;
    c->attempts++;
    c->sent_ms = hl_loop_now(client->loop);
    int err = hl_http_start(&c->http, &client->pool, &r, on_answer);
    free(url);
    return err;
}

static void leave_queues(struct hl_call *c)
{
    hl_token_leave(&c->client->token, &c->token_wait);
    hl_turns_leave(&c->turn);
}

static void on_turn(struct hl_turn *t)
{
    struct hl_call *c = (struct hl_call *)((char *)t - offsetof(struct hl_call, turn));
    hl_timer_stop(c->client->loop, &c->timer);
    c->state = HL_CALL_WIRE;
    step(c);
}

static void wait_for_turn(struct hl_call *c)
{
    c->state = HL_CALL_TURN;
    if (c->timeout_ms > 0)
        sleep_then_step(c, c->timeout_ms - elapsed(c));
    if (c->state == HL_CALL_TURN)
        hl_turns_wait(&c->client->turns, &c->turn, c->effect > HALO_READ, on_turn);
}

/* One step; callbacks bring it back here. */
static void step(struct hl_call *c)
{
    if (c->attempts > 0 && elapsed(c) >= deadline(c)) {
        fail(c, c->maybe_done ? HALO_AMBIGUOUS : HALO_TIMEOUT,
             "no success before the deadline of the call");
        return;
    }
    switch (c->state) {
    case HL_CALL_TOKEN:
        if (hl_token_get(&c->client->token, &c->token_wait, on_token))
            wait_for_turn(c);
        else
            sleep_then_step(c, deadline(c));
        return;
    case HL_CALL_WIRE:
        if (!c->client->token.value) { /* refused while this waited for its turn */
            hl_turns_leave(&c->turn);
            c->state = HL_CALL_TOKEN;
            step(c);
        } else if (start_wire(c) != HALO_OK) {
            fail(c, HALO_NOMEM, halo_strerror(HALO_NOMEM));
        }
        return;
    case HL_CALL_IDLE:
    case HL_CALL_TURN:
    case HL_CALL_RETRY:
    case HL_CALL_DONE:
        return;
    }
}

void hl_call_start(struct hl_client *client, struct hl_call *c)
{
    c->client = client;
    c->begun_ms = hl_loop_now(client->loop);
    c->state = HL_CALL_TOKEN;
    hl_client_ref(client);
    step(c);
}

void hl_call_end(struct hl_call *c)
{
    if (c->client) {
        leave_queues(c);
        hl_timer_stop(c->client->loop, &c->timer);
        if (c->http.pool)
            hl_http_reset(&c->http);
        hl_client_unref(c->client);
        c->client = NULL;
    }
    free(c->path);
    c->path = NULL;
    c->body = NULL;
    hl_buf_reset(&c->answer);
}
