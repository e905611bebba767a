/* Answers that a server in order never gives: bodies that come slowly, in part, or with
 * no end, and connections that are reset. For the sandbox's faults on demand. */
#ifdef HALO_HTTPD

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "httpd.h"

#define OF(type, member, pointer) ((type *)((char *)(pointer)-offsetof(type, member)))

/* A body that libmicrohttpd asks for piece by piece. Owned by its response. */
struct hl_body {
    struct hl_request
        *request; /* good while libmicrohttpd asks, and while the timer runs */
    struct hl_loop *loop;
    struct hl_timer timer;
    int64_t drip_ms; /* between two bytes; 0: all at once */
    uint64_t end;    /* bytes to send: text, then spaces */
    bool due;        /* the next byte may leave */
    size_t len;
    char text[];
};

static void on_due(struct hl_timer *t)
{
    struct hl_body *b = OF(struct hl_body, timer, t);
    b->due = true;
    hl_httpd_resume(b->request);
}

/* In MHD_run: no Lua here. */
static ssize_t read_body(void *ud, uint64_t at, char *to, size_t max)
{
    struct hl_body *b = ud;
    if (at >= b->end || b->request->server->closing)
        return MHD_CONTENT_READER_END_WITH_ERROR; /* less than was promised: it just ends
                                                   */
    if (b->drip_ms > 0 && !b->due) {
        if (hl_timer_start(b->loop, &b->timer, b->drip_ms, on_due) != HALO_OK)
            return MHD_CONTENT_READER_END_WITH_ERROR;
        hl_httpd_suspend(b->request);
        return 0;
    }
    b->due = false;
    uint64_t left = (at < b->len ? b->len : b->end) - at;
    size_t n = b->drip_ms > 0 ? 1 : left < max ? (size_t)left : max;
    if (at < b->len)
        memcpy(to, b->text + at, n);
    else
        memset(to, ' ', n);
    return (ssize_t)n;
}

static void free_body(void *ud)
{
    struct hl_body *b = ud;
    hl_timer_stop(b->loop, &b->timer);
    free(b);
}

struct MHD_Response *hl_httpd_odd_response(struct hl_request *r, const char *text,
                                           size_t len, const struct hl_transport *how)
{
    enum { PIECE = 32 * 1024 };
    struct hl_body *b = calloc(1, sizeof *b + len + 1);
    if (!b)
        return NULL;
    b->request = r;
    b->loop = r->server->loop;
    b->drip_ms = how->drip_ms;
    b->len = len;
    b->end = len + how->pad;
    memcpy(b->text, text, len);
    struct MHD_Response *response = r->server->mhd.create_response_from_callback(
        how->length > b->end ? how->length : b->end, PIECE, read_body, b, free_body);
    if (!response)
        free(b);
    return response;
}

static int descriptor(const struct hl_request *r)
{
    return r->server->mhd
        .get_connection_info(r->connection, MHD_CONNECTION_INFO_CONNECTION_FD)
        ->connect_fd;
}

void hl_httpd_reset(struct hl_request *r)
{
    /* Closing would send what an orderly end sends first. Connecting to nothing aborts.
     */
    const struct sockaddr nothing = { .sa_family = AF_UNSPEC };
    (void)connect(descriptor(r), &nothing, sizeof nothing);
    r->reset = true;
    hl_httpd_resume(r);
}

bool hl_httpd_connected(const struct hl_request *r)
{
    struct tcp_info info;
    socklen_t size = sizeof info;
    return getsockopt(descriptor(r), IPPROTO_TCP, TCP_INFO, &info, &size) == 0 &&
           info.tcpi_state == TCP_ESTABLISHED;
}

#endif
