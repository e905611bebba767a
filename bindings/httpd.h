/* The parts of the `httpd` module: httpd.c has the server, httpd_request.c what a script
 * sees of a request, httpd_body.c answers that are out of order. libmicrohttpd runs on
 * our own loop; its callbacks touch no Lua. */
#ifndef HL_HTTPD_H
#define HL_HTTPD_H

#include <stdbool.h>
#include <stdint.h>

#include <microhttpd.h>

#include "buf.h"
#include "loop.h"
#include "modules.h"

struct hl_next; /* a task that waits for a request */

/* libmicrohttpd is opened on first use: linking it costs every start of halo several ms,
 * as it brings a TLS library that the sandbox has no use for. */
#define MHD_FUNCTIONS(X)             \
    X(start_daemon)                  \
    X(stop_daemon)                   \
    X(run)                           \
    X(get_timeout)                   \
    X(get_daemon_info)               \
    X(get_connection_info)           \
    X(get_connection_values_n)       \
    X(suspend_connection)            \
    X(resume_connection)             \
    X(create_response_from_buffer)   \
    X(create_response_from_callback) \
    X(add_response_header)           \
    X(queue_response)                \
    X(destroy_response)

struct hl_mhd {
    void *library;
#define X(name) __typeof__(MHD_##name) *name;
    MHD_FUNCTIONS(X)
#undef X
};

/* One HTTP request, from its head to the end of its answer. While it waits for a script,
 * and while a script has it, its connection is suspended and so stays. */
struct hl_request {
    struct hl_server *server;
    struct MHD_Connection *connection;
    struct hl_handle *handle; /* what the script has of it; or NULL */
    struct hl_buf body;
    struct hl_request *next, *prev; /* among the suspended ones */
    bool suspended, taken;          /* taken: given to a script */
    bool reset;                     /* its connection is no more */
    char method[16];
    char path[]; /* without the query */
};

struct hl_handle {
    struct hl_request *request; /* NULL: answered, or its server is closed */
};

struct hl_server {
    struct hl_mhd mhd;
    struct MHD_Daemon *daemon; /* NULL: closed */
    struct hl_loop *loop;
    struct hl_fd watch;
    struct hl_timer timer;
    struct hl_request *first, *last; /* suspended, oldest first */
    struct hl_next *waiting;         /* newest first */
    lua_Integer port, connections;   /* those accepted so far */
    bool closing;
};

/* How an answer is sent that is to go wrong. Zeroed: in order. */
struct hl_transport {
    uint64_t length; /* Content-Length, when that is more than there is to send */
    uint64_t pad;    /* spaces after the body */
    int64_t drip_ms; /* between two bytes */
    bool reset;      /* the connection is reset instead */
};

/* Queues the answer to a suspended request; false when libmicrohttpd does not take it.
 * headers: names and values in turn, ended by NULL. how may be NULL. */
bool hl_httpd_answer(struct hl_request *r, unsigned status, const char *const *headers,
                     const char *body, size_t len, const struct hl_transport *how);

/* Holds up the connection until hl_httpd_resume. */
void hl_httpd_suspend(struct hl_request *r);

/* Lets the connection of a suspended request go on; the request's handle is void then. */
void hl_httpd_resume(struct hl_request *r);

/* A response that is sent as `how` says; NULL when out of memory. */
struct MHD_Response *hl_httpd_odd_response(struct hl_request *r, const char *text,
                                           size_t len, const struct hl_transport *how);

/* Resets the connection of a suspended request. Both are void then. */
void hl_httpd_reset(struct hl_request *r);

/* Whether the client of a suspended request is still there. */
bool hl_httpd_connected(const struct hl_request *r);

/* Pushes {method=, path=, query=, headers=, body=, handle=}; server at 1.  [-0, +1, m] */
int hl_httpd_push_request(lua_State *L, struct hl_request *r);

/* Makes the metatables of requests.                                        [-0, +0, m] */
void hl_httpd_open_requests(lua_State *L);

#endif
