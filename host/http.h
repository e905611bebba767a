/* One HTTP transfer: an easy handle, its headers, a bounded body. Knows nothing of the
 * service it talks to. A transfer is never retried, never redirected, and never sent
 * twice: a request with a body is fed from a callback that cannot be rewound, because
 * curl re-sends a POST by itself when a reused connection dies. What comes back is free
 * of the secrets it was told of and, where it is no success, of whatever stands where
 * secrets stand (secret.h). */
#ifndef HL_HTTP_H
#define HL_HTTP_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "loop.h"
#include "retry.h" /* enum hl_net */

enum {
    HL_HTTP_MAX_HEADERS = 64 * 1024, /* bytes, all headers of one answer */
    HL_HTTP_CONNECT_MS = 10000,      /* longest to resolve and connect, with TLS */
    HL_HTTP_STALL_S = 30,            /* a transfer that stands still for so long ends */
    HL_HTTP_SECRETS = 5              /* at most, with the NULL */
};

struct hl_http_request {
    const char *method, *url;
    const char *body; /* NULL: none */
    size_t body_len;
    const char *content_type;    /* NULL: none */
    const char *bearer;          /* token, or NULL */
    const char *user, *password; /* Basic authentication, or NULL */
    const char *const *secrets;  /* blanked in all that comes back; NULL ends them */
    const char *ca_file;         /* NULL: the system's store */
    int64_t timeout_ms;          /* for the whole transfer */
    size_t max_body;
    struct hl_budget *budget; /* of the body's memory; NULL: none */
};

struct hl_http_answer {
    enum hl_net net;
    int status;         /* 0 when no answer came */
    bool sent;          /* something of the request went out, and not only to a proxy */
    struct hl_buf body; /* too_big: the answer was larger than max_body */
    int64_t retry_after_ms; /* -1: not given */
    char request_id[96];
    char deprecated[64]; /* X-Tyk-Api-Expires */
    char location[256];  /* of a redirect that was not followed */
    char error[256];     /* what curl said */
};

/* Idle handles kept for reuse, of one loop. */
struct hl_http_pool {
    struct hl_loop *loop;
    CURL *idle[8];
    int count;
};
void hl_http_pool_init(struct hl_http_pool *pool, struct hl_loop *loop);
void hl_http_pool_free(struct hl_http_pool *pool);

/* One transfer, embedded in its owner; zero-initialised. */
struct hl_http {
    struct hl_transfer transfer;
    struct hl_http_pool *pool;
    struct curl_slist *headers;
    struct hl_http_answer answer;
    char *secrets[HL_HTTP_SECRETS]; /* copies: they may change on the way */
    bool tls;
    const char *body; /* borrowed until done */
    size_t body_len, body_sent, header_bytes;
    bool no_memory; /* for a piece of the answer */
    char error[CURL_ERROR_SIZE];
    void (*done)(struct hl_http *h); /* look at h->answer; hl_http_reset afterwards */
};

/* Starts. All strings are copied but body, which must stay valid until done. HALO_OK, or
 * HALO_NOMEM; then done is never called. */
int hl_http_start(struct hl_http *h, struct hl_http_pool *pool,
                  const struct hl_http_request *r, void (*done)(struct hl_http *));
/* Stops if running and frees the answer. Fine at any time. */
void hl_http_reset(struct hl_http *h);

#endif
