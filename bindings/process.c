#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "answer.h"
#include "buf.h"
#include "child.h"
#include "host.h"
#include "modules.h"
#include "runtime.h"

#define RUN "halo.process"
#define OF(type, member, pointer) ((type *)((char *)(pointer)-offsetof(type, member)))

enum { OUTPUT_MAX = 1024 * 1024, ARGS_MAX = 1000, BLOCK = 16 * 1024 };
enum { FILES = 4 }; /* most descriptors that a running program costs us: pipes, pidfd */

/* A pipe from or to the child. */
struct stream {
    struct hl_fd watch;
    struct hl_loop *loop;
    int fd; /* our end; -1: closed */
    struct hl_buf text;
    bool truncated;
};

/* A running program. Its uservalue is the text for its stdin. */
struct run {
    struct hl_wait wait; /* is first */
    struct hl_child child;
    struct hl_timer timer;
    struct halo_host *host; /* whose descriptors are counted; NULL: not yet */
    struct hl_loop *loop;
    struct stream in, out, err;
    const char *input; /* what is left of the text for stdin */
    size_t input_left;
    pid_t pid; /* 0: not running */
    int status;
    bool timed_out;
    char name[80]; /* for messages */
};

static void stream_close(struct stream *s)
{
    if (s->fd < 0)
        return;
    hl_fd_unwatch(s->loop, &s->watch);
    close(s->fd);
    s->fd = -1;
}

/* Ends the program, with what it has started. May run twice. */
static void run_end(struct run *r)
{
    if (r->pid > 0)
        kill(-r->pid, SIGKILL); /* it leads a group of its own */
    r->pid = 0;
    hl_child_end(&r->child);
    hl_timer_stop(r->loop, &r->timer);
    stream_close(&r->in);
    stream_close(&r->out);
    stream_close(&r->err);
}

static int l_run_close(lua_State *L)
{
    struct run *r = luaL_checkudata(L, 1, RUN);
    if (r->loop)
        run_end(r);
    if (r->host)
        hl_drop_files(r->host, FILES);
    r->host = NULL;
    hl_wait_drop(&r->wait);
    hl_buf_reset(&r->out.text);
    hl_buf_reset(&r->err.text);
    return 0;
}

/* Takes what is there; closes at the end. At most `blocks`, so that others get their
 * turn. */
static void stream_drain(struct stream *s, int blocks)
{
    char block[BLOCK];
    while (s->fd >= 0 && blocks-- > 0) {
        ssize_t n = read(s->fd, block, sizeof block);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0) {
            stream_close(s);
            return;
        }
        size_t room = OUTPUT_MAX - s->text.len;
        size_t take = (size_t)n < room ? (size_t)n : room;
        if (hl_buf_append(&s->text, block, take) != HALO_OK || take < (size_t)n)
            s->truncated = true;
    }
}

static void output_ready(struct hl_fd *f)
{
    stream_drain(OF(struct stream, watch, f), 4);
}

static void input_ready(struct hl_fd *f)
{
    struct stream *s = OF(struct stream, watch, f);
    struct run *r = OF(struct run, in, s);
    ssize_t n = write(s->fd, r->input, r->input_left);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n > 0) {
        r->input += n;
        r->input_left -= (size_t)n;
    }
    if (n < 0 || r->input_left == 0)
        stream_close(s); /* also when it does not want to read on */
}

static void finish(struct run *r)
{
    run_end(r);
    hl_wake(&r->wait, HALO_OK);
}

/* Whatever it wrote is in the pipes by now. A daemon that it left behind may keep them
 * open and go on writing: that is not waited for. */
static void exited(struct hl_child *c, int status)
{
    struct run *r = OF(struct run, child, c);
    r->pid = 0;
    r->status = status;
    stream_drain(&r->out, 2 * OUTPUT_MAX / BLOCK);
    stream_drain(&r->err, 2 * OUTPUT_MAX / BLOCK);
    finish(r);
}

static void timed_out(struct hl_timer *t)
{
    struct run *r = OF(struct run, timer, t);
    r->timed_out = true;
    finish(r);
}

/* Pushes {code=, signal=, stdout=, stderr=}.                               [-0, +1, v] */
static int run_done(lua_State *L, int status, lua_KContext ctx)
{
    struct run *r = lua_touserdata(L, (int)ctx);
    (void)status;
    if (r->wait.err != HALO_OK)
        return hl_raise(L, r->wait.err, "process.run", NULL);
    if (r->timed_out)
        return hl_raise(L, HALO_TIMEOUT, "process.run", "%s took too long and was ended",
                        r->name);
    lua_createtable(L, 0, 5);
    if (WIFEXITED(r->status)) {
        lua_pushinteger(L, WEXITSTATUS(r->status));
        lua_setfield(L, -2, "code");
    } else {
        lua_pushinteger(L, WTERMSIG(r->status));
        lua_setfield(L, -2, "signal");
    }
    lua_pushlstring(L, hl_buf_text(&r->out.text), r->out.text.len);
    lua_setfield(L, -2, "stdout");
    lua_pushlstring(L, hl_buf_text(&r->err.text), r->err.text.len);
    lua_setfield(L, -2, "stderr");
    if (r->out.truncated || r->err.truncated) {
        lua_pushboolean(L, 1);
        lua_setfield(L, -2, "truncated");
    }
    return 1;
}

/* A pipe whose `ours` end (0 reads, 1 writes) becomes s->fd. Returns the child's end, or
 * -1. */
static int open_pipe(struct stream *s, int ours)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return -1;
    s->fd = ends[ours];
    fcntl(s->fd, F_SETFL, O_NONBLOCK);
    return ends[!ours];
}

/* Makes the pipes and the process; watches them. 0 or an errno. */
static int start(struct run *r, char *const argv[])
{
    int in = r->input ? open_pipe(&r->in, 1) : open("/dev/null", O_RDONLY | O_CLOEXEC);
    int out = open_pipe(&r->out, 0);
    int err = open_pipe(&r->err, 0);
    int number =
        in < 0 || out < 0 || err < 0
            ? errno
            : hl_child_spawn(&r->pid, argv[0], argv, (int[]){ in, out, err }, true);
    if (in >= 0)
        close(in);
    if (out >= 0)
        close(out);
    if (err >= 0)
        close(err);
    if (number != 0) {
        r->pid = 0;
        return number;
    }
    bool ok =
        hl_child_watch(r->loop, &r->child, r->pid, exited) == HALO_OK &&
        hl_fd_watch(r->loop, &r->out.watch, r->out.fd, false, output_ready) == HALO_OK &&
        hl_fd_watch(r->loop, &r->err.watch, r->err.fd, false, output_ready) == HALO_OK &&
        (!r->input ||
         hl_fd_watch(r->loop, &r->in.watch, r->in.fd, true, input_ready) == HALO_OK);
    return ok ? 0 : ENOMEM;
}

/* Pushes the strings of the table at 1, then an array of them. [-0, +(n+1), e] */
static char **push_argv(lua_State *L)
{
    lua_Integer n = (lua_Integer)lua_rawlen(L, 1);
    luaL_argcheck(L, n >= 1 && n <= ARGS_MAX, 1, "expected a program and its arguments");
    luaL_checkstack(L, (int)n + 8, "process.run");
    int first = lua_gettop(L) + 1;
    for (lua_Integer i = 1; i <= n; i++) {
        size_t len;
        lua_rawgeti(L, 1, i);
        luaL_argcheck(L, lua_isstring(L, -1), 1, "arguments must be strings");
        const char *text = lua_tolstring(L, -1, &len);
        luaL_argcheck(L, strlen(text) == len, 1, "argument with a zero byte");
    }
    char **argv = lua_newuserdatauv(L, ((size_t)n + 1) * sizeof *argv, 0);
    for (int i = 0; i < (int)n; i++)
        argv[i] = (char *)lua_tostring(L, first + i); /* exec does not write to it */
    argv[n] = NULL;
    return argv;
}

static struct run *new_run(lua_State *L)
{
    struct run *r = lua_newuserdatauv(L, sizeof *r, 1);
    memset(r, 0, sizeof *r);
    r->in.fd = r->out.fd = r->err.fd = -1;
    luaL_newmetatable(L, RUN);
    lua_pushcfunction(L, l_run_close);
    lua_setfield(L, -2, "__gc");
    lua_pushcfunction(L, l_run_close);
    lua_setfield(L, -2, "__close");
    lua_setmetatable(L, -2);
    r->loop = hl_host(L)->loop;
    r->in.loop = r->out.loop = r->err.loop = r->loop;
    hl_buf_init(&r->out.text, OUTPUT_MAX);
    hl_buf_init(&r->err.text, OUTPUT_MAX);
    r->out.text.budget = r->err.text.budget = &hl_host(L)->budget;
    lua_toclose(L, -1);
    return r;
}

/* process.run{program, argument, ..., stdin=, timeout=} -> {code=, signal=, stdout=,
 * stderr=} */
static int l_run(lua_State *L)
{
    hl_check_unrestricted(L, "process.run");
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    lua_getfield(L, 1, "timeout");
    lua_Number timeout = luaL_optnumber(L, 2, 0);
    luaL_argcheck(L, timeout >= 0 && timeout < 1e6, 1,
                  "timeout: expected 0 to 1e6 seconds");
    lua_getfield(L, 1, "stdin");
    luaL_argcheck(L, lua_isnil(L, 3) || lua_isstring(L, 3), 1,
                  "stdin: expected a string");
    char **argv = push_argv(L);
    hl_check_await(L);

    struct run *r = new_run(L);
    int self = lua_gettop(L);
    r->input = lua_tolstring(L, 3, &r->input_left);
    lua_pushvalue(L, 3);
    lua_setiuservalue(L, self, 1);
    hl_answer_show(r->name, sizeof r->name, argv[0], strlen(argv[0]));
    hl_take_files(L, FILES);
    r->host = hl_host(L);
    int number = start(r, argv);
    if (number != 0)
        return hl_raise(L, HALO_IO, "process.run", "cannot run %s: %s", r->name,
                        strerror(number));
    if (timeout > 0 &&
        hl_timer_start(r->loop, &r->timer, (int64_t)(timeout * 1000), timed_out))
        return hl_raise(L, HALO_NOMEM, "process.run", NULL);
    return hl_await(L, &r->wait, run_done, self);
}

/* process.user() -> login name, as whoami says it                          [-0, +1, m] */
static int l_user(lua_State *L)
{
    char room[4096];
    struct passwd entry, *found = NULL;
    if (getpwuid_r(geteuid(), &entry, room, sizeof room, &found) == 0 && found)
        lua_pushstring(L, entry.pw_name);
    else
        lua_pushfstring(L, "%d", (int)geteuid());
    return 1;
}

int hl_open_process(lua_State *L)
{
    static const luaL_Reg FUNCTIONS[] = {
        { "run", l_run },
        { "user", l_user },
        { NULL, NULL },
    };
    luaL_newlib(L, FUNCTIONS);
    return 1;
}
