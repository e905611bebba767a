#include "token.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <halo.h>

#include "answer.h"
#include "secret.h"

enum { MAX_TOKEN_BODY = 64 * 1024 };

static const char GRANT[] = "grant_type=client_credentials";

static void send_request(struct hl_token *t);

int hl_token_init(struct hl_token *t, struct hl_http_pool *pool, const char *base_url,
                  const char *client_id, const char *client_secret, const char *ca_file)
{
    memset(t, 0, sizeof *t);
    t->pool = pool;
    t->last = &t->first;
    t->client_id = strdup(client_id);
    t->client_secret = strdup(client_secret);
    t->basic = hl_secret_basic(client_id, client_secret);
    t->ca_file = ca_file ? strdup(ca_file) : NULL;
    if (asprintf(&t->url, "%s/oauth/token", base_url) < 0)
        t->url = NULL;
    return t->client_id && t->client_secret && t->basic && t->url &&
                   (t->ca_file || !ca_file)
               ? HALO_OK
               : HALO_NOMEM;
}

void hl_token_share(struct hl_token *t, const struct hl_userdir *dir, char *why,
                    size_t room)
{
    hl_tokencache_close(&t->cache);
    hl_tokencache_open(&t->cache, dir, t->url, t->client_id, t->client_secret, why, room);
}

void hl_token_secrets(const struct hl_token *t, const char *to[HL_TOKEN_SECRETS])
{
    const char *all[] = { t->client_secret, t->basic, t->value, t->refused };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i])
            *to++ = all[i];
    *to = NULL;
}

void hl_token_free(struct hl_token *t)
{
    if (t->pool) {
        hl_http_reset(&t->http);
        hl_timer_stop(t->pool->loop, &t->retry);
    }
    hl_tokencache_close(&t->cache);
    hl_secret_forget(&t->value);
    hl_secret_forget(&t->refused);
    hl_secret_forget(&t->client_secret);
    hl_secret_forget(&t->basic);
    free(t->client_id);
    free(t->ca_file);
    free(t->url);
}

/* Tells everyone who waits. Their callbacks may wait again. */
static void settle(struct hl_token *t, const struct hl_failure *failed)
{
    struct hl_token_wait *w = t->first;
    hl_tokencache_unlock(&t->cache);
    t->fetching = false;
    t->first = NULL;
    t->last = &t->first;
    while (w) {
        struct hl_token_wait *next = w->next;
        w->waiting = false;
        w->next = NULL;
        w->ready(w, failed);
        w = next;
    }
}

static int64_t wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void retry_now(struct hl_timer *timer)
{
    send_request((struct hl_token *)((char *)timer - offsetof(struct hl_token, retry)));
}

/* An answer that is not a token, from an endpoint that has its own meaning of the
 * statuses. */
static int token_error(int status, int err)
{
    return status == 400 || status == 401 || status == 403 || status == 404 ? HALO_AUTH
                                                                            : err;
}

static void on_answer(struct hl_http *h)
{
    struct hl_token *t = (struct hl_token *)((char *)h - offsetof(struct hl_token, http));
    struct hl_loop *loop = t->pool->loop;
    const struct hl_http_answer *a = &h->answer;
    const char *body = hl_buf_text(&a->body);
    int expires_in = 0;
    hl_secret_forget(&t->value);
    bool ok = a->net == HL_NET_ANSWER && a->status >= 200 && a->status < 300;
    int got = ok ? hl_answer_token(body, a->body.len, &t->value, &expires_in) : HALO_API;
    if (got == HALO_OK) {
        int64_t life = (int64_t)expires_in * 1000;
        t->generation++;
        /* a life too short for the margin still serves the calls that wait for it */
        t->expires_ms =
            hl_loop_now(loop) +
            (life > 2 * HL_TOKEN_MARGIN_MS ? life - HL_TOKEN_MARGIN_MS : life / 2);
        hl_tokencache_store(&t->cache, wall_ms(), t->value,
                            wall_ms() + t->expires_ms - hl_loop_now(loop));
        hl_http_reset(h);
        settle(t, NULL);
        return;
    }
    struct hl_retry_in in = {
        .method = HL_POST,
        .effect = HALO_READ, /* a token more or less changes nothing */
        .net = a->net,
        .sent = a->sent,
        .status = ok ? 502 : a->status, /* 2xx without a token: somebody else answered */
        .failures = t->failures,
        .attempt = ++t->attempts,
        .max_attempts = ok ? 1 : HL_TOKEN_ATTEMPTS,
        .retry_after_ms = a->retry_after_ms > 0 ? a->retry_after_ms : 0,
        .token_renewed = true,
        .elapsed_ms = hl_loop_now(loop) - t->begun_ms,
        .deadline_ms = HL_TOKEN_TIMEOUT_MS,
        .random = hl_loop_random()
    };
    struct hl_retry_out out = hl_retry(&in);
    t->failures += out.counts;
    if (out.action == HL_ACT_RETRY &&
        hl_timer_start(loop, &t->retry, out.delay_ms, retry_now) == HALO_OK) {
        hl_http_reset(h);
        return;
    }
    int err = got == HALO_NOMEM ? got : out.err ? out.err : HALO_API;
    struct hl_failure f = { .err = token_error(a->status, err),
                            .status = a->status,
                            .attempts = t->attempts };
    if (a->net == HL_NET_ANSWER)
        hl_answer_error(body, a->body.len, &f);
    else
        hl_answer_show(f.message, sizeof f.message, a->error, strlen(a->error));
    if (!f.message[0])
        snprintf(f.message, sizeof f.message, "%s", halo_strerror(f.err));
    if (ok && got == HALO_NOMEM)
        snprintf(f.message, sizeof f.message, "%s", halo_strerror(HALO_NOMEM));
    else if (ok)
        snprintf(f.message, sizeof f.message,
                 "the token endpoint answered without an access_token");
    snprintf(f.request_id, sizeof f.request_id, "%s", a->request_id);
    hl_http_reset(h);
    settle(t, &f);
}

static void send_request(struct hl_token *t)
{
    /* not the old token: a service may give the same one again */
    const char *secrets[] = { t->client_secret, t->basic, NULL };
    struct hl_http_request r = { .method = "POST",
                                 .url = t->url,
                                 .body = GRANT,
                                 .body_len = sizeof GRANT - 1,
                                 .content_type = "application/x-www-form-urlencoded",
                                 .user = t->client_id,
                                 .password = t->client_secret,
                                 .secrets = secrets,
                                 .ca_file = t->ca_file,
                                 .timeout_ms = HL_TOKEN_TIMEOUT_MS,
                                 .max_body = MAX_TOKEN_BODY };
    if (hl_http_start(&t->http, t->pool, &r, on_answer) == HALO_OK)
        return;
    struct hl_failure f = { .err = HALO_NOMEM };
    snprintf(f.message, sizeof f.message, "%s", halo_strerror(HALO_NOMEM));
    settle(t, &f);
}

/* Takes the token that another process got. */
static bool take_shared(struct hl_token *t)
{
    char *token;
    int64_t now = wall_ms(), until;
    if (!hl_tokencache_load(&t->cache, now, &token, &until))
        return false;
    if (t->refused && strcmp(token, t->refused) == 0) {
        hl_secret_forget(&token);
        return false;
    }
    hl_secret_forget(&t->value);
    t->value = token;
    t->generation++;
    t->expires_ms = hl_loop_now(t->pool->loop) + until - now;
    return true;
}

/* One process fetches; the others look again and again, for some time, for what it gets.
 */
static void begin(struct hl_timer *timer)
{
    struct hl_token *t =
        (struct hl_token *)((char *)timer - offsetof(struct hl_token, retry));
    struct hl_loop *loop = t->pool->loop;
    bool mine = hl_tokencache_lock(&t->cache);
    if (take_shared(t)) {
        settle(t, NULL);
        return;
    }
    if (!mine && hl_loop_now(loop) - t->begun_ms < HL_TOKEN_TURN_MS &&
        hl_timer_start(loop, &t->retry, HL_TOKEN_POLL_MS, begin) == HALO_OK)
        return;
    if (mine && t->refused)
        hl_tokencache_drop(&t->cache, t->refused);
    t->begun_ms = hl_loop_now(loop);
    send_request(t);
}

bool hl_token_get(struct hl_token *t, struct hl_token_wait *w,
                  void (*ready)(struct hl_token_wait *, const struct hl_failure *))
{
    struct hl_loop *loop = t->pool->loop;
    if (t->value && hl_loop_now(loop) < t->expires_ms)
        return true;
    w->ready = ready;
    w->next = NULL;
    w->waiting = true;
    *t->last = w;
    t->last = &w->next;
    if (!t->fetching) {
        t->fetching = true;
        t->attempts = t->failures = 0;
        t->begun_ms = hl_loop_now(loop);
        /* by a timer, so that a failure to start is reported from the loop as well */
        if (hl_timer_start(loop, &t->retry, 0, begin) != HALO_OK)
            send_request(t);
    }
    return false;
}

void hl_token_leave(struct hl_token *t, struct hl_token_wait *w)
{
    if (!w->waiting)
        return;
    struct hl_token_wait **at = &t->first;
    while (*at != w)
        at = &(*at)->next;
    *at = w->next;
    if (t->last == &w->next)
        t->last = at;
    w->waiting = false;
}

void hl_token_refused(struct hl_token *t, unsigned generation)
{
    if (t->generation != generation || !t->value)
        return;
    hl_secret_forget(&t->refused);
    t->refused = t->value;
    t->value = NULL;
}
