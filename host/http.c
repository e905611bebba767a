#include "http.h"

#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <halo.h>

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

static void copy_header(CURL *easy, const char *name, char *to, size_t room)
{
    struct curl_header *header;
    if (curl_easy_header(easy, name, 0, CURLH_HEADER, -1, &header) == CURLHE_OK)
        snprintf(to, room, "%s", header->value);
    for (char *c = to; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 127)
            *c = '?';
}

static enum hl_net classify(const struct hl_http *h, CURLcode result)
{
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
    a->sent = sent > 0;
    a->status = result == CURLE_OK || status >= 300 ? (int)status : 0;
    a->net = classify(h, result);
    if (curl_easy_getinfo(t->easy, CURLINFO_RETRY_AFTER, &retry_after) == CURLE_OK &&
        retry_after > 0)
        a->retry_after_ms = retry_after < 86400 ? (int64_t)retry_after * 1000 : 86400000;
    copy_header(t->easy, "X-Request-Id", a->request_id, sizeof a->request_id);
    copy_header(t->easy, "X-Tyk-Api-Expires", a->deprecated, sizeof a->deprecated);
    if (status >= 300 && status < 400)
        copy_header(t->easy, "Location", a->location, sizeof a->location);
    if (result == CURLE_SEND_FAIL_REWIND) /* curl wanted to send the body a second time */
        snprintf(a->error, sizeof a->error,
                 "the connection broke after the request was sent");
    else if (result != CURLE_OK)
        snprintf(a->error, sizeof a->error, "%s",
                 h->error[0] ? h->error : curl_easy_strerror(result));
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
    curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)r->connect_ms);
    curl_easy_setopt(e, CURLOPT_LOW_SPEED_LIMIT, 1L); /* bytes a second ... */
    curl_easy_setopt(e, CURLOPT_LOW_SPEED_TIME,
                     30L); /* ... for 30 s is a stalled transfer */
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
    hl_buf_init(&h->answer.body, r->max_body);
    h->transfer.easy = pool->count > 0 ? pool->idle[--pool->count] : curl_easy_init();
    h->transfer.done = on_done;
    if (!h->transfer.easy)
        return HALO_NOMEM;
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
