/* aura.wait_for_status(id, want, {timeout=, interval=, on_change=}). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aura.h"
#include "task.h"
#include "watch.h"

#define WATCH "aura.watch"
enum { ID = 1, WANT, OPTIONS, SELF, DEFAULT_TIMEOUT_MS = 1800 * 1000 };

struct watch {
    struct hl_wait wait;
    struct hl_watch watch;
    struct halo_host *host;
    bool has_callback; /* on_change */
    bool changed;      /* woken for a change, not for the end */
};

static int watch_close(lua_State *L)
{
    struct watch *u = luaL_checkudata(L, 1, WATCH);
    hl_wait_drop(&u->wait);
    hl_watch_end(&u->watch);
    hl_client_unref(u->watch.client);
    u->watch.client = NULL;
    return 0;
}

static void tell(struct halo_host *h, const struct hl_watch *w)
{
    char text[256];
    int n =
        snprintf(text, sizeof text,
                 "{\"event\":\"status\",\"instance\":\"%s\",\"status\":\"%s\","
                 "\"previous\":\"%s\",\"ms\":%lld}",
                 w->id, strpbrk(w->status, "\"\\") ? "?" : w->status,
                 strpbrk(w->previous, "\"\\") ? "?" : w->previous, (long long)w->took_ms);
    if (n > 0 && (size_t)n < sizeof text)
        hl_event(h, text, (size_t)n);
    if (w->unknown) {
        n = snprintf(
            text, sizeof text,
            "%s: the API says status \"%s\", which halo does not know; still waiting",
            w->id, w->status);
        hl_log(h, HALO_LOG_WARN, text,
               n > 0 && (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
    }
}

static void trouble(struct halo_host *h, const struct hl_watch *w)
{
    char text[512];
    int n = snprintf(text, sizeof text,
                     "%s: could not look at its status, trying again: %.400s", w->id,
                     w->call.failure.message);
    hl_log(h, HALO_LOG_WARN, text,
           n > 0 && (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
}

static void on_event(struct hl_watch *w, enum hl_watch_event event)
{
    struct watch *u = (struct watch *)((char *)w - offsetof(struct watch, watch));
    if (event == HL_WATCH_TROUBLE) {
        trouble(u->host, w);
        return;
    }
    u->changed = event == HL_WATCH_CHANGED;
    if (u->changed)
        tell(u->host, w);
    if (u->changed && !u->has_callback)
        hl_watch_next(w);
    else
        hl_wake(&u->wait, HALO_OK);
}

static int decode_instance(lua_State *L)
{
    const struct hl_buf *body = lua_touserdata(L, 1);
    hl_json_decode(L, hl_buf_text(body), body->len, false);
    lua_getfield(L, -1, "data");
    return 1;
}

static int ended(lua_State *L, struct watch *u)
{
    struct hl_watch *w = &u->watch;
    if (w->failure.err != HALO_OK) {
        snprintf(w->call.id, sizeof w->call.id, "%s", w->id);
        return hl_raise_failure(L, &w->failure, "wait_for_status", &w->call);
    }
    if (strcmp(w->status, HL_DELETED) == 0)
        return 0;
    lua_pushcfunction(L, decode_instance);
    lua_pushlightuserdata(L, &w->call.answer);
    lua_call(L, 1, 1);
    return 1;
}

static int on_wake(lua_State *L, int status, lua_KContext ctx);

/* on_change has returned: the wait goes on. */
static int on_told(lua_State *L, int status, lua_KContext ctx)
{
    struct watch *u = lua_touserdata(L, SELF);
    (void)status;
    (void)ctx;
    lua_settop(L, SELF);
    memset(&u->wait, 0, sizeof u->wait);
    hl_check_await(L);
    hl_watch_next(&u->watch);
    return hl_await(L, &u->wait, on_wake, 0);
}

static int on_wake(lua_State *L, int status, lua_KContext ctx)
{
    struct watch *u = lua_touserdata(L, SELF);
    struct hl_watch *w = &u->watch;
    (void)status;
    (void)ctx;
    if (u->wait.err != HALO_OK) {
        hl_push_error(L, u->wait.err, "wait_for_status",
                      "cancelled while waiting for %s (last seen: %s)", w->id,
                      w->status[0] ? w->status : "nothing");
        hl_watch_end(w); /* now: a hook of Lua's interpreter may stop its closer */
        return lua_error(L);
    }
    if (!u->changed)
        return ended(L, u);
    lua_getfield(L, OPTIONS, "on_change");
    lua_pushstring(L, w->status);
    if (w->previous[0])
        lua_pushstring(L, w->previous);
    else
        lua_pushnil(L);
    lua_pushnumber(L, (lua_Number)w->took_ms / 1000);
    lua_callk(L, 3, 0, 0, on_told);
    return on_told(L, LUA_OK, 0);
}

static void add_want(lua_State *L, struct hl_watch *w, int idx)
{
    size_t len;
    const char *text =
        lua_type(L, idx) == LUA_TSTRING ? lua_tolstring(L, idx, &len) : NULL;
    if (!text || len == 0 || len > 63)
        hl_raise(L, HALO_USAGE, "wait_for_status",
                 "expected a status, a list of statuses, or \"deleted\"");
    w->want[w->wants] = strdup(text);
    if (!w->want[w->wants++])
        hl_raise(L, HALO_NOMEM, "wait_for_status", "%s", halo_strerror(HALO_NOMEM));
}

static void read_want(lua_State *L, struct hl_watch *w)
{
    size_t n = lua_istable(L, WANT) ? (size_t)lua_rawlen(L, WANT) : 1;
    if (n == 0 || n > 32)
        hl_raise(L, HALO_USAGE, "wait_for_status", "expected 1 to 32 statuses");
    w->want = calloc(n, sizeof *w->want);
    if (!w->want)
        hl_raise(L, HALO_NOMEM, "wait_for_status", "%s", halo_strerror(HALO_NOMEM));
    if (!lua_istable(L, WANT)) {
        add_want(L, w, WANT);
        return;
    }
    for (size_t i = 1; i <= n; i++) {
        lua_rawgeti(L, WANT, (lua_Integer)i);
        add_want(L, w, -1);
        lua_pop(L, 1);
    }
}

static void read_options(lua_State *L, struct watch *u)
{
    if (lua_isnil(L, OPTIONS)) {
        lua_newtable(L);
        lua_replace(L, OPTIONS);
    }
    if (!lua_istable(L, OPTIONS))
        hl_raise(L, HALO_USAGE, "wait_for_status", "expected a table of options, got %s",
                 luaL_typename(L, OPTIONS));
    for (lua_pushnil(L); lua_next(L, OPTIONS); lua_pop(L, 1)) {
        const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "?";
        if (strcmp(name, "timeout") != 0 && strcmp(name, "interval") != 0 &&
            strcmp(name, "on_change") != 0)
            hl_raise(L, HALO_USAGE, "wait_for_status",
                     "unknown option '%s'; known are: timeout interval on_change", name);
    }
    u->watch.timeout_ms =
        hl_arg_seconds(L, OPTIONS, "timeout", "wait_for_status", DEFAULT_TIMEOUT_MS);
    u->watch.interval_ms = hl_arg_seconds(L, OPTIONS, "interval", "wait_for_status", 0);
    int type = lua_getfield(L, OPTIONS, "on_change");
    if (type != LUA_TNIL && type != LUA_TFUNCTION)
        hl_raise(L, HALO_USAGE, "wait_for_status", "on_change must be a function");
    u->has_callback = type == LUA_TFUNCTION;
    lua_pop(L, 1);
}

int hl_wait_for_status(lua_State *L)
{
    static const luaL_Reg META[] = { { "__gc", watch_close },
                                     { "__close", watch_close },
                                     { NULL, NULL } };
    bool method = hl_is_client(L, 1);
    hl_check_await(L);
    const char *id = hl_arg_id(L, method ? 2 : 1, "wait_for_status", "instance id");
    struct hl_client *client = hl_client_for(L);
    lua_settop(L, OPTIONS + (method ? 1 : 0));
    struct watch *u = lua_newuserdatauv(L, sizeof *u, 0);
    memset(u, 0, sizeof *u);
    luaL_newmetatable(L, WATCH);
    luaL_setfuncs(L, META, 0);
    lua_setmetatable(L, -2);
    hl_client_ref(client);
    u->watch.client = client;
    u->host = hl_host(L);
    u->watch.event = on_event;
    if (method)
        lua_remove(L, 1); /* the watch holds the client from here on */
    lua_toclose(L, SELF);
    snprintf(u->watch.id, sizeof u->watch.id, "%s", id);
    read_want(L, &u->watch);
    read_options(L, u);
    hl_watch_start(&u->watch);
    return hl_await(L, &u->wait, on_wake, 0);
}
