#include "modules.h"

#ifndef HALO_HTTPD

static int l_listen(lua_State *L)
{
    return hl_raise(L, HALO_USAGE, NULL,
                    "this halo was built without the sandbox (libmicrohttpd)");
}

#else

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"
#include "httpd.h"
#include "runtime.h"

#define SERVER "halo.httpd.server"
#define NEXT "halo.httpd.next"
#define OF(type, member, pointer) ((type *)((char *)(pointer)-offsetof(type, member)))

enum { BODY_MAX = 1024 * 1024, CONNECTIONS = 1000 };

/* A task that waits for a request. */
struct hl_next {
    struct hl_wait wait; /* is first */
    struct hl_server *server;
    struct hl_next *older;
};

/* ---- the loop ---- */

static void turn(struct hl_server *s);

static void on_ready(struct hl_fd *f)
{
    turn(OF(struct hl_server, watch, f));
}

static void on_timer(struct hl_timer *t)
{
    turn(OF(struct hl_server, timer, t));
}

static void turn(struct hl_server *s)
{
    MHD_UNSIGNED_LONG_LONG ms;
    s->mhd.run(s->daemon);
    if (s->mhd.get_timeout(s->daemon, &ms) == MHD_YES)
        hl_timer_start(s->loop, &s->timer, (int64_t)ms, on_timer);
    else
        hl_timer_stop(s->loop, &s->timer);
}

/* ---- requests on their way ---- */

static struct hl_request *find_untaken(const struct hl_server *s)
{
    struct hl_request *r = s->first;
    while (r && r->taken)
        r = r->next;
    return r;
}

/* Wakes the task that has waited longest. */
static void wake_one(struct hl_server *s, int err)
{
    struct hl_next *oldest = NULL;
    for (struct hl_next *n = s->waiting; n; n = n->older) {
        if (!n->wait.done)
            oldest = n;
    }
    if (oldest)
        hl_wake(&oldest->wait, err);
}

void hl_httpd_suspend(struct hl_request *r)
{
    struct hl_server *s = r->server;
    s->mhd.suspend_connection(r->connection);
    r->suspended = true;
    r->prev = s->last;
    if (s->last)
        s->last->next = r;
    else
        s->first = r;
    s->last = r;
}

void hl_httpd_resume(struct hl_request *r)
{
    struct hl_server *s = r->server;
    if (r->prev)
        r->prev->next = r->next;
    else
        s->first = r->next;
    if (r->next)
        r->next->prev = r->prev;
    else
        s->last = r->prev;
    r->prev = r->next = NULL;
    r->suspended = false;
    if (r->handle)
        r->handle->request = NULL;
    r->handle = NULL;
    s->mhd.resume_connection(r->connection);
    /* Without a thread of its own libmicrohttpd does not notice by itself. */
    if (hl_timer_start(s->loop, &s->timer, 0, on_timer) != HALO_OK)
        turn(s);
}

bool hl_httpd_answer(struct hl_request *r, unsigned status, const char *const *headers,
                     const char *body, size_t len, const struct hl_transport *how)
{
    const struct hl_mhd *mhd = &r->server->mhd;
    bool odd = how && (how->length > len || how->pad > 0 || how->drip_ms > 0);
    struct MHD_Response *response =
        odd ? hl_httpd_odd_response(r, body, len, how)
            : mhd->create_response_from_buffer(len, (void *)body, MHD_RESPMEM_MUST_COPY);
    if (!response)
        return false;
    bool ok = true;
    for (; ok && *headers; headers += 2)
        ok = mhd->add_response_header(response, headers[0], headers[1]) == MHD_YES;
    ok = ok && mhd->queue_response(r->connection, status, response) == MHD_YES;
    mhd->destroy_response(response);
    return ok;
}

/* ---- called by libmicrohttpd, inside MHD_run: no Lua here ---- */

static enum MHD_Result on_request(void *ud, struct MHD_Connection *connection,
                                  const char *url, const char *method,
                                  const char *version, const char *data,
                                  size_t *data_size, void **state)
{
    static const char *const NO_HEADERS[] = { NULL };
    struct hl_request *r = *state;
    (void)version;
    if (!r) { /* its head */
        size_t size = strlen(url) + 1;
        r = calloc(1, sizeof *r + size);
        if (!r)
            return MHD_NO;
        r->server = ud;
        r->connection = connection;
        hl_buf_init(&r->body, BODY_MAX);
        strncpy(r->method, method, sizeof r->method - 1);
        memcpy(r->path, url, size);
        *state = r;
        return MHD_YES;
    }
    if (*data_size > 0) { /* a piece of its body */
        int err = hl_buf_append(&r->body, data, *data_size);
        *data_size = 0;
        return err == HALO_OK || r->body.too_big ? MHD_YES : MHD_NO;
    }
    if (r->reset)
        return MHD_NO;
    unsigned refused = r->server->closing ? 503 : r->body.too_big ? 413 : 0;
    if (refused > 0)
        return hl_httpd_answer(r, refused, NO_HEADERS, "", 0, NULL) ? MHD_YES : MHD_NO;
    if (!r->suspended) {
        hl_httpd_suspend(r);
        wake_one(r->server, HALO_OK);
    }
    return MHD_YES;
}

static void on_end(void *ud, struct MHD_Connection *connection, void **state,
                   enum MHD_RequestTerminationCode why)
{
    struct hl_request *r = *state;
    (void)ud;
    (void)connection;
    (void)why;
    if (!r)
        return;
    hl_buf_reset(&r->body);
    free(r);
    *state = NULL;
}

static void on_connection(void *ud, struct MHD_Connection *connection, void **state,
                          enum MHD_ConnectionNotificationCode what)
{
    struct hl_server *s = ud;
    (void)connection;
    (void)state;
    if (what == MHD_CONNECTION_NOTIFY_STARTED)
        s->connections++;
}

/* ---- the server ---- */

static int load(struct hl_mhd *mhd)
{
    mhd->library = dlopen("libmicrohttpd.so.12", RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!mhd->library)
        return HALO_IO;
#define X(name)                                               \
    *(void **)&mhd->name = dlsym(mhd->library, "MHD_" #name); \
    if (!mhd->name)                                           \
        return HALO_IO;
    MHD_FUNCTIONS(X)
#undef X
    return HALO_OK;
}

/* server:close(), also by itself. May run twice.                           [-1, +0, -] */
static int l_close(lua_State *L)
{
    struct hl_server *s = luaL_checkudata(L, 1, SERVER);
    if (s->daemon) {
        hl_fd_unwatch(s->loop, &s->watch);
        s->closing = true;
        while (s->first) /* one left suspended makes MHD_stop_daemon abort the process */
            hl_httpd_resume(s->first);
        s->mhd.run(s->daemon); /* the last answers leave */
        hl_timer_stop(s->loop, &s->timer);
        s->mhd.stop_daemon(s->daemon);
        s->daemon = NULL;
    }
    for (struct hl_next *n = s->waiting; n; n = n->older)
        hl_wake(&n->wait, HALO_OK);
    if (s->mhd.library)
        dlclose(s->mhd.library);
    s->mhd.library = NULL;
    return 0;
}

/* The address in {address=, port=} at 1.                                   [-0, +0, v] */
static struct sockaddr_in check_address(lua_State *L)
{
    struct sockaddr_in to = { .sin_family = AF_INET };
    lua_settop(L, 1);
    if (lua_isnil(L, 1)) {
        lua_newtable(L);
        lua_replace(L, 1);
    }
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_getfield(L, 1, "address");
    lua_getfield(L, 1, "port");
    const char *address = luaL_optstring(L, 2, "127.0.0.1");
    lua_Integer port = luaL_optinteger(L, 3, 0);
    luaL_argcheck(L, inet_pton(AF_INET, address, &to.sin_addr) == 1, 1,
                  "address: not an IPv4 address");
    luaL_argcheck(L, port >= 0 && port <= 65535, 1, "port: expected 0 to 65535");
    to.sin_port = htons((uint16_t)port);
    lua_settop(L, 1);
    return to;
}

/* httpd.listen{port=0, address="127.0.0.1"} -> server                      [-1, +1, v] */
static int l_listen(lua_State *L)
{
    hl_check_unrestricted(L, "httpd.listen");
    struct sockaddr_in to = check_address(L);
    struct hl_server *s = lua_newuserdatauv(L, sizeof *s, 0);
    memset(s, 0, sizeof *s);
    luaL_setmetatable(L, SERVER);
    s->loop = hl_host(L)->loop;
    if (load(&s->mhd) != HALO_OK)
        return hl_raise(L, HALO_USAGE, NULL, "the sandbox needs libmicrohttpd: %s",
                        dlerror());
    errno = 0;
    s->daemon = s->mhd.start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, ntohs(to.sin_port), NULL, NULL,
        on_request, s, MHD_OPTION_SOCK_ADDR, &to, MHD_OPTION_NOTIFY_COMPLETED, on_end,
        NULL, MHD_OPTION_NOTIFY_CONNECTION, on_connection, s, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)CONNECTIONS, MHD_OPTION_END);
    if (!s->daemon)
        return hl_raise(L, HALO_IO, NULL, "cannot listen on port %d: %s",
                        (int)ntohs(to.sin_port),
                        errno ? strerror(errno) : "libmicrohttpd refused");
    s->port = s->mhd.get_daemon_info(s->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
    int fd = s->mhd.get_daemon_info(s->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    if (hl_fd_watch(s->loop, &s->watch, fd, false, on_ready) != HALO_OK)
        return hl_raise(L, HALO_NOMEM, NULL, "%s", halo_strerror(HALO_NOMEM));
    return 1;
}

static int l_server_index(lua_State *L)
{
    struct hl_server *s = luaL_checkudata(L, 1, SERVER);
    const char *key = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
    if (strcmp(key, "port") == 0 || strcmp(key, "connections") == 0) {
        lua_pushinteger(L, *key == 'p' ? s->port : s->connections);
        return 1;
    }
    lua_getmetatable(L, 1);
    lua_pushvalue(L, 2);
    lua_rawget(L, -2);
    return 1;
}

static int l_next_close(lua_State *L)
{
    struct hl_next *n = luaL_checkudata(L, 1, NEXT);
    if (!n->server)
        return 0;
    struct hl_server *s = n->server;
    n->server = NULL;
    hl_wait_drop(&n->wait);
    for (struct hl_next **at = &s->waiting; *at; at = &(*at)->older) {
        if (*at == n) {
            *at = n->older;
            break;
        }
    }
    if (s->daemon && find_untaken(s))
        wake_one(s, HALO_OK); /* the one it was woken for, if it did not take it */
    return 0;
}

static int wait_next(lua_State *L);

static int next_done(lua_State *L, int status, lua_KContext ctx)
{
    struct hl_next *n = lua_touserdata(L, (int)ctx);
    (void)status;
    if (n->wait.err != HALO_OK)
        return hl_raise(L, n->wait.err, "server:next", NULL);
    struct hl_server *s = n->server;
    struct hl_request *r = s->daemon ? find_untaken(s) : NULL;
    if (r)
        return hl_httpd_push_request(L, r);
    if (!s->daemon)
        return 0;
    lua_closeslot(L, (int)ctx); /* another task was faster */
    return wait_next(L);
}

static int wait_next(lua_State *L)
{
    struct hl_server *s = lua_touserdata(L, 1);
    lua_settop(L, 1);
    struct hl_next *n = lua_newuserdatauv(L, sizeof *n, 1);
    memset(n, 0, sizeof *n);
    luaL_setmetatable(L, NEXT);
    lua_pushvalue(L, 1); /* it is closed with a look at its server */
    lua_setiuservalue(L, 2, 1);
    lua_toclose(L, 2);
    n->server = s;
    n->older = s->waiting;
    s->waiting = n;
    return hl_await(L, &n->wait, next_done, 2);
}

/* server:next() -> request, or nil once the server is closed. Waits.       [-1, +1, v] */
static int l_next(lua_State *L)
{
    struct hl_server *s = luaL_checkudata(L, 1, SERVER);
    hl_check_await(L);
    struct hl_request *r = s->daemon ? find_untaken(s) : NULL;
    if (r)
        return hl_httpd_push_request(L, r);
    if (!s->daemon)
        return 0;
    return wait_next(L);
}

static void new_metatable(lua_State *L, const char *name, const luaL_Reg *functions)
{
    luaL_newmetatable(L, name);
    luaL_setfuncs(L, functions, 0);
    lua_pop(L, 1);
}

#endif

int hl_open_httpd(lua_State *L)
{
    static const luaL_Reg FUNCTIONS[] = { { "listen", l_listen }, { NULL, NULL } };
#ifdef HALO_HTTPD
    static const luaL_Reg SERVERS[] = {
        { "__index", l_server_index }, { "__gc", l_close }, { "__close", l_close },
        { "close", l_close },          { "next", l_next },  { NULL, NULL }
    };
    static const luaL_Reg NEXTS[] = { { "__gc", l_next_close },
                                      { "__close", l_next_close },
                                      { NULL, NULL } };
    new_metatable(L, SERVER, SERVERS);
    new_metatable(L, NEXT, NEXTS);
    hl_httpd_open_requests(L);
#endif
    luaL_newlib(L, FUNCTIONS);
    return 1;
}
