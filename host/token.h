/* The bearer token of one client: fetched on first use, kept until shortly before it
 * ends, fetched once for any number of waiting calls, and, where it is shared, for all
 * processes of the user. The token and the client secret
 * live here and in curl, and nowhere else: never in Lua, never in a message. */
#ifndef HL_TOKEN_H
#define HL_TOKEN_H

#include "err.h"
#include "http.h"
#include "tokencache.h"

enum {
    HL_TOKEN_MARGIN_MS = 60000, /* a token is not used in the last minute of its life */
    HL_TOKEN_TIMEOUT_MS = 30000,
    HL_TOKEN_ATTEMPTS = 4,
    HL_TOKEN_TURN_MS = 15000, /* longest wait for another process that fetches it */
    HL_TOKEN_POLL_MS = 50,
    HL_TOKEN_SECRETS = HL_HTTP_SECRETS /* of hl_token_secrets, with the NULL */
};

/* A call that waits for the token; embedded, zero-initialised. */
struct hl_token_wait {
    /* failed: NULL when the token is there */
    void (*ready)(struct hl_token_wait *w, const struct hl_failure *failed);
    struct hl_token_wait *next;
    bool waiting;
};

struct hl_token {
    struct hl_http_pool *pool;
    char *url, *client_id, *client_secret, *ca_file;
    char *basic;         /* id and secret, as they are sent */
    char *value;         /* NULL: none */
    int64_t expires_ms;  /* on the loop's clock, the margin taken off */
    unsigned generation; /* counts the tokens got so far */
    struct hl_http http;
    struct hl_timer retry;
    bool fetching;
    int attempts, failures;
    int64_t begun_ms;
    struct hl_token_wait *first, **last;
    struct hl_tokencache cache; /* closed unless shared */
    char *refused;              /* the last token that was: not taken from the cache */
};

/* Copies the strings. HALO_OK or HALO_NOMEM. ca_file may be NULL. */
int hl_token_init(struct hl_token *t, struct hl_http_pool *pool, const char *base_url,
                  const char *client_id, const char *client_secret, const char *ca_file);
/* Shares it with the user's other processes (tokencache.h says what dir and why are). */
void hl_token_share(struct hl_token *t, const struct hl_userdir *dir, char *why,
                    size_t room);
/* All that no answer may show, ended by NULL; borrowed. */
void hl_token_secrets(const struct hl_token *t, const char *to[HL_TOKEN_SECRETS]);
void hl_token_free(struct hl_token *t); /* no call may wait any more */

/* True when a usable token is at hand. Otherwise w->ready is called later, from the loop.
 */
bool hl_token_get(struct hl_token *t, struct hl_token_wait *w,
                  void (*ready)(struct hl_token_wait *, const struct hl_failure *));
void hl_token_leave(struct hl_token *t,
                    struct hl_token_wait *w); /* fine when not waiting */

/* The API refused the token of this generation: it is dropped, unless a newer one is
 * there. */
void hl_token_refused(struct hl_token *t, unsigned generation);

#endif
