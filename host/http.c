#include "http.h"

#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <halo.h>

#include "proxy.h"
#include "secret.h"

#define USER_AGENT "halo/" HALO_VERSION

static pthread_once_t global_once = PTHREAD_ONCE_INIT;

static void global_init(void)
{
    curl_global_init(
        CURL_GLOBAL_DEFAULT); /* never cleaned up: it is the process's, not ours */
}

void hl_http_pool_init(struct hl_http_pool *pool, struct hl_loop *loop)
{
    memset(pool, 0, sizeof *pool);
    pool->loop = loop;
}

void hl_http_pool_free(struct hl_http_pool *pool)
{
    while (pool->count > 0)
        curl_easy_cleanup(pool->idle[--pool->count]);
}

/* Debian and others keep a directory with one file per certificate, named by its hash.
 * OpenSSL then reads the one file it needs; parsing the whole bundle costs 35 ms a
 * process. */
static const char *hashed_ca_dir(void)
{
    static const char dir[] = "/etc/ssl/certs";
    const char *found = NULL;
    DIR *d = opendir(dir);
    if (!d)
        return NULL;
    for (struct dirent *e; !found && (e = readdir(d)) != NULL;)
        if (strlen(e->d_name) == 10 && strspn(e->d_name, "0123456789abcdef") == 8 &&
            strcmp(e->d_name + 8, ".0") == 0)
            found = dir;
    closedir(d);
    return found;
}

static size_t on_body(char *data, size_t one, size_t len, void *ud)
{
    struct hl_http *h = ud;
    (void)one;
    bool took = hl_buf_append(&h->answer.body, data, len) == HALO_OK;
    h->no_memory = !took && !h->answer.body.too_big;
    return took ? len : 0;
}

static size_t on_header(char *data, size_t one, size_t len, void *ud)
{
    struct hl_http *h = ud;
    (void)one;
    (void)data;
    h->header_bytes += len;
    return h->header_bytes <= HL_HTTP_MAX_HEADERS ? len : 0;
}

static size_t give_body(char *to, size_t one, size_t room, void *ud)
{
    struct hl_http *h = ud;
    size_t n = h->body_len - h->body_sent;
    if (n > one * room)
        n = one * room;
    memcpy(to, h->body + h->body_sent, n);
    h->body_sent += n;
    return n;
}

static int add_header(struct hl_http *h, const char *line)
{
    struct curl_slist *more = curl_slist_append(h->headers, line);
    if (!more)
        return HALO_NOMEM;
    h->headers = more;
    return HALO_OK;
}

/* Blanks secrets; places: by place as well. */
static size_t blank(const struct hl_http *h, char *text, size_t len, bool places)
{
    len = hl_secret_blank(text, len, (const char *const *)h->secrets);
    return places ? hl_secret_blank_places(text, len) : len;
}

/* Blanked before it is cut, so that no part of a secret is left. */
static void copy_blanked(const struct hl_http *h, const char *text, char *to, size_t room)
{
    char *whole = strdup(text);
    if (whole) {
        blank(h, whole, strlen(whole), true);
        snprintf(to, room, "%s", whole);
    }
    free(whole);
}

static void copy_header(const struct hl_http *h, const char *name, char *to, size_t room)
{
    struct curl_header *header;
    if (curl_easy_header(h->transfer.easy, name, 0, CURLH_HEADER, -1, &header) ==
        CURLHE_OK)
        copy_blanked(h, header->value, to, room);
    for (char *c = to; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 127)
            *c = '?';
}

static enum hl_net classify(const struct hl_http *h, CURLcode result)
{
    long proxy = 0; /* a proxy's refusal */
    curl_easy_getinfo(h->transfer.easy, CURLINFO_HTTP_CONNECTCODE, &proxy);
    if (!h->answer.sent && proxy >= 400 && proxy < 500 && proxy != 408 && proxy != 429)
        return HL_NET_REFUSED;
    switch (result) {
    case CURLE_OK:
        return HL_NET_ANSWER;
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
        return HL_NET_UNSENT;
    case CURLE_SSL_CONNECT_ERROR: /* may be a broken connection as well as no common
                                     cipher */
        return HL_NET_UNSENT;
    case CURLE_OUT_OF_MEMORY:
        return HL_NET_NOMEM;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL: /* also an answer that is not HTTP */
    case CURLE_FAILED_INIT:
        return h->answer.sent ? HL_NET_LOST : HL_NET_REFUSED;
    case CURLE_FILESIZE_EXCEEDED:
    case CURLE_WRITE_ERROR: /* our callbacks refused it */
        return h->no_memory ? HL_NET_NOMEM : HL_NET_UNUSABLE;
    default:
        return h->answer.sent ? HL_NET_LOST : HL_NET_UNSENT;
    }
}

/* good: the transfer went well. Others leave a handle in a state that curl_easy_reset does
 * not always undo: out of memory, curl 7.88 makes ones that send no body any more. */
static void release(struct hl_http *h, bool good)
{
    CURL *easy = h->transfer.easy;
    h->transfer.easy = NULL;
    if (easy && good &&
        h->pool->count < (int)(sizeof h->pool->idle / sizeof *h->pool->idle)) {
        curl_easy_reset(easy);
        h->pool->idle[h->pool->count++] = easy;
    } else if (easy) {
        curl_easy_cleanup(easy);
    }
    curl_slist_free_all(h->headers);
    h->headers = NULL;
    for (int i = 0; i < HL_HTTP_SECRETS; i++)
        hl_secret_forget(&h->secrets[i]);
}

/* The service itself was not reached: a new connection for which TLS never was done. What
 * curl counts as sent then went to a proxy. */
static bool unreached(const struct hl_http *h)
{
    long connections = 0;
    curl_off_t tls_done = 0;
    curl_easy_getinfo(h->transfer.easy, CURLINFO_NUM_CONNECTS, &connections);
    curl_easy_getinfo(h->transfer.easy, CURLINFO_APPCONNECT_TIME_T, &tls_done);
    return h->tls && connections > 0 && tls_done == 0;
}

/* Says what went wrong, and by which proxy where one was in the way. connected: to a
 * proxy, and no further. */
static void describe(struct hl_http *h, CURLcode result, bool connected)
{
    struct hl_http_answer *a = &h->answer;
    char host[128], port[8], failed[160], text[CURL_ERROR_SIZE + 256];
    const char *said = h->error[0] ? h->error : curl_easy_strerror(result);
    bool proxy = h->tls && hl_proxy_name(host, sizeof host, port);
    if (proxy)
        snprintf(failed, sizeof failed, "connect to %s port %s", host, port);
    if (result == CURLE_SEND_FAIL_REWIND) /* curl wanted to send the body a second time */
        said = "the connection broke after the request was sent";
    if (proxy && !*host && result == CURLE_COULDNT_RESOLVE_PROXY)
        snprintf(text, sizeof text,
                 "https_proxy is not a URL"); /* curl would show all of it */
    else if (proxy && (connected || result == CURLE_COULDNT_RESOLVE_PROXY ||
                       result == CURLE_PROXY || strstr(said, failed)))
        snprintf(text, sizeof text, "through the proxy %s:%s: %s", host, port, said);
    else
        snprintf(text, sizeof text, "%s", said);
    copy_blanked(h, text, a->error, sizeof a->error);
}

static void on_done(struct hl_transfer *t, CURLcode result)
{
    struct hl_http *h =
        (struct hl_http *)((char *)t - offsetof(struct hl_http, transfer));
    struct hl_http_answer *a = &h->answer;
    long sent = 0, status = 0;
    curl_off_t retry_after = 0;
    curl_easy_getinfo(t->easy, CURLINFO_REQUEST_SIZE, &sent);
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    bool reached = !unreached(h);
    a->sent = sent > 0 && reached;
    a->status = reached && (result == CURLE_OK || status >= 300) ? (int)status : 0;
    a->net = classify(h, result);
    if (a->body.data)
        a->body.len = blank(h, a->body.data, a->body.len, status >= 300);
    if (curl_easy_getinfo(t->easy, CURLINFO_RETRY_AFTER, &retry_after) == CURLE_OK &&
        retry_after > 0)
        a->retry_after_ms = retry_after < 86400 ? (int64_t)retry_after * 1000 : 86400000;
    copy_header(h, "X-Request-Id", a->request_id, sizeof a->request_id);
    copy_header(h, "X-Tyk-Api-Expires", a->deprecated, sizeof a->deprecated);
    if (status >= 300 && status < 400)
        copy_header(h, "Location", a->location, sizeof a->location);
    if (result != CURLE_OK)
        describe(h, result, sent > 0 && !reached);
    release(h, result == CURLE_OK);
    h->done(h);
}

static bool loopback_url(const char *url)
{
    return strncmp(url, "http://", 7) ==
           0; /* plain http was checked to be loopback when configured */
}

/* Sets an option that curl copies: only these can fail, for want of memory. A transfer
 * without one of them could go elsewhere, or do something else. */
static bool set_text(CURL *e, CURLoption option, const char *text)
{
    return curl_easy_setopt(e, option, text) != CURLE_OUT_OF_MEMORY;
}

/* Options every transfer has. */
static int set_common(CURL *e, struct hl_http *h, const struct hl_http_request *r)
{
    bool plain = loopback_url(r->url);
    bool ok = set_text(e, CURLOPT_URL, r->url) &&
              set_text(e, CURLOPT_USERAGENT, USER_AGENT) &&
              set_text(e, CURLOPT_PROTOCOLS_STR, plain ? "http" : "https") &&
              (!plain || set_text(e, CURLOPT_NOPROXY, "*")) &&
              /* whatever curl can undo; the limit counts what comes out */
              set_text(e, CURLOPT_ACCEPT_ENCODING, "");
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    curl_easy_setopt(e, CURLOPT_PIPEWAIT, 1L);
    curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)r->timeout_ms);
    curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)HL_HTTP_CONNECT_MS);
    curl_easy_setopt(e, CURLOPT_LOW_SPEED_LIMIT, 1L); /* bytes a second ... */
    curl_easy_setopt(e, CURLOPT_LOW_SPEED_TIME,
                     (long)HL_HTTP_STALL_S); /* ... for so long is a stalled transfer */
    curl_easy_setopt(e, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)r->max_body);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, h);
    curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(e, CURLOPT_HEADERDATA, h);
    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, h->error);
    const char *dir = plain || r->ca_file ? NULL : hashed_ca_dir();
    if (!plain && (r->ca_file || dir))
        ok = ok && set_text(e, CURLOPT_CAINFO, r->ca_file) &&
             set_text(e, CURLOPT_CAPATH, dir);
    return ok ? HALO_OK : HALO_NOMEM;
}

static int set_request(CURL *e, struct hl_http *h, const struct hl_http_request *r)
{
    char line[128];
    int err = add_header(h, "Accept: application/json");
    if (err == HALO_OK && r->content_type) {
        snprintf(line, sizeof line, "Content-Type: %s", r->content_type);
        err = add_header(h, line);
    }
    if (err == HALO_OK && r->body)
        err = add_header(h, "Expect:"); /* no 100-continue round trip */
    if (r->body) {
        curl_easy_setopt(e, CURLOPT_POST, 1L);
        curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->body_len);
        curl_easy_setopt(e, CURLOPT_READFUNCTION, give_body);
        curl_easy_setopt(e, CURLOPT_READDATA, h);
    }
    if (!set_text(e, CURLOPT_CUSTOMREQUEST, r->method))
        return HALO_NOMEM;
    if (!r->body && strcmp(r->method, "GET") != 0)
        curl_easy_setopt(e, CURLOPT_FRESH_CONNECT,
                         1L); /* on a reused one curl sends it again by itself */
    if (r->bearer) {
        curl_easy_setopt(e, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
        if (!set_text(e, CURLOPT_XOAUTH2_BEARER, r->bearer))
            return HALO_NOMEM;
    }
    if (r->user) {
        curl_easy_setopt(e, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        if (!set_text(e, CURLOPT_USERNAME, r->user) ||
            !set_text(e, CURLOPT_PASSWORD, r->password))
            return HALO_NOMEM;
    }
    curl_easy_setopt(e, CURLOPT_HTTPHEADER, h->headers);
    return err;
}

int hl_http_start(struct hl_http *h, struct hl_http_pool *pool,
                  const struct hl_http_request *r, void (*done)(struct hl_http *))
{
    pthread_once(&global_once, global_init);
    memset(h, 0, sizeof *h);
    h->pool = pool;
    h->done = done;
    h->body = r->body;
    h->body_len = r->body_len;
    h->answer.retry_after_ms = -1;
    h->tls = !loopback_url(r->url);
    bool copied = true;
    for (int i = 0; r->secrets && r->secrets[i] && i < HL_HTTP_SECRETS - 1; i++)
        copied = (h->secrets[i] = strdup(r->secrets[i])) != NULL && copied;
    hl_buf_init(&h->answer.body, r->max_body);
    h->answer.body.budget = r->budget;
    h->transfer.easy = pool->count > 0 ? pool->idle[--pool->count] : curl_easy_init();
    h->transfer.done = on_done;
    if (!h->transfer.easy || !copied) {
        release(h, false);
        return HALO_NOMEM;
    }
    int err = set_common(h->transfer.easy, h, r);
    if (err == HALO_OK)
        err = set_request(h->transfer.easy, h, r);
    if (err == HALO_OK)
        err = hl_transfer_start(pool->loop, &h->transfer);
    if (err != HALO_OK)
        release(h, false);
    return err;
}

void hl_http_reset(struct hl_http *h)
{
    if (h->transfer.easy) {
        hl_transfer_stop(h->pool->loop, &h->transfer);
        release(h, false);
    }
    hl_buf_reset(&h->answer.body);
}
