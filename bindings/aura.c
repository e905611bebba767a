/* require "aura": every endpoint through one generic call. */
#include "aura.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "task.h"

#define CALL "aura.call"
enum { SELF = HL_ARG_CALL, MAX_PATH = 2048 };

/* ---- effects ---- */

static void check_effect(lua_State *L, int effect, const char *op)
{
    struct halo_host *h = hl_host(L);
    struct halo_run *run = hl_run_of(L);
    if (h->cfg.dry_run && effect > HALO_READ)
        hl_raise(L, HALO_DENIED, op, "not done: this is a dry run");
    if (run && effect > run->effect)
        hl_raise(L, HALO_DENIED, op,
                 "this call has the effect \"%s\", but the script may only \"%s\"",
                 hl_effect_name(effect), hl_effect_name(run->effect));
}

/* ---- the generic call ---- */

struct call {
    struct hl_wait wait;
    struct hl_call call;
    const struct endpoint *endpoint; /* NULL: aura.request */
    bool answer_matters;             /* the answer cannot be asked for again */
};

static int call_close(lua_State *L)
{
    struct call *u = luaL_checkudata(L, 1, CALL);
    hl_wait_drop(&u->wait);
    hl_call_end(&u->call);
    return 0;
}

static void call_done(struct hl_call *c)
{
    struct call *u = (struct call *)((char *)c - offsetof(struct call, call));
    hl_wake(&u->wait, HALO_OK);
}

static const char *op_of(const struct call *u)
{
    return u->endpoint ? u->endpoint->name : "request";
}

static int decode_body(lua_State *L)
{
    const struct hl_buf *body = lua_touserdata(L, 1);
    hl_json_decode(L, hl_buf_text(body), body->len, false);
    return 1;
}

/* Pushes what a successful answer says: its `data`; an empty table where it says nothing.
 */
static void push_value(lua_State *L, struct call *u)
{
    struct hl_call *c = &u->call;
    lua_pushcfunction(L, decode_body);
    lua_pushlightuserdata(L, &c->answer);
    int status = c->answer.len > 0 ? lua_pcall(L, 1, 1, 0) : LUA_ERRRUN;
    if (status == LUA_ERRMEM)
        lua_error(L);
    bool whole = status == LUA_OK && lua_istable(L, -1);
    if (whole && lua_getfield(L, -1, "data") == LUA_TTABLE)
        return;
    if (whole && !u->endpoint) { /* aura.request: whatever it is */
        if (lua_isnil(L, -1))
            lua_pop(L, 1);
        return;
    }
    bool read = c->effect == HALO_READ;
    if (!read && !u->answer_matters) {
        lua_newtable(L); /* it was accepted; that is all there is to know */
        return;
    }
    if (!whole)
        hl_answer_error(hl_buf_text(&c->answer), c->answer.len, &c->failure);
    if (!c->failure.message[0])
        snprintf(c->failure.message, sizeof c->failure.message, "it holds no \"data\"");
    c->failure.err = read ? HALO_API : HALO_AMBIGUOUS;
    char text[sizeof c->failure.message];
    snprintf(text, sizeof text, "%s, but its answer cannot be read: %.400s",
             read ? "the API answered" : "accepted", c->failure.message);
    memcpy(c->failure.message, text, sizeof text);
    hl_raise_failure(L, &c->failure, op_of(u), c);
}

/* value, {status=, request_id=, attempts=, body=} */
static int call_on(lua_State *L, int status, lua_KContext self)
{
    struct call *u = lua_touserdata(L, (int)self);
    struct hl_call *c = &u->call;
    (void)status;
    if (u->wait.err != HALO_OK) {
        hl_push_error(
            L, u->wait.err, op_of(u), "cancelled%s",
            c->state == HL_CALL_WIRE && c->effect > HALO_READ
                ? " while the request was under way: it may have been carried out"
                : "");
        hl_call_end(c); /* now: a hook of Lua's interpreter may stop its closer */
        return lua_error(L);
    }
    c->failure.status = c->status;
    if (c->failure.err != HALO_OK)
        return hl_raise_failure(L, &c->failure, op_of(u), c);
    push_value(L, u);
    lua_createtable(L, 0, 4);
    lua_pushinteger(L, c->status);
    lua_setfield(L, -2, "status");
    lua_pushinteger(L, c->attempts);
    lua_setfield(L, -2, "attempts");
    if (*c->request_id) {
        lua_pushstring(L, c->request_id);
        lua_setfield(L, -2, "request_id");
    }
    lua_pushlstring(L, hl_buf_text(&c->answer), c->answer.len);
    lua_setfield(L, -2, "body");
    return 2;
}

/* Starts the call that stands at SELF. */
static int begin(lua_State *L)
{
    struct call *u = lua_touserdata(L, SELF);
    hl_check_await(L);
    struct hl_client *client = hl_client_for(L);
    u->call.done = call_done;
    hl_call_start(client, &u->call);
    return hl_await(L, &u->wait, call_on, SELF);
}

/* The operator was asked; the answer is on top. */
static int asked_on(lua_State *L, int status, lua_KContext ctx)
{
    struct call *u = lua_touserdata(L, SELF);
    (void)status;
    (void)ctx;
    if (!lua_toboolean(L, -1))
        return hl_raise(L, HALO_DENIED, op_of(u), "declined: %s was not sent",
                        u->call.path);
    lua_settop(L, SELF);
    return begin(L);
}

/* What destroys is asked for, unless the script has asked already. */
static int ask_then_begin(lua_State *L)
{
    struct call *u = lua_touserdata(L, SELF);
    struct halo_run *run = hl_run_of(L);
    check_effect(L, u->call.effect, op_of(u));
    if (u->call.effect < HALO_DESTROY || !run || run->confirmed)
        return begin(L);
    hl_check_await(L);
    lua_pushcfunction(L, hl_confirm_once);
    lua_pushfstring(L, "%s %s cannot be undone.", op_of(u), u->call.path);
    lua_callk(L, 1, 1, 0, asked_on);
    return asked_on(L, LUA_OK, 0);
}

/* Pushes the userdata of a call at SELF, over a fixed number of arguments. `first` is
 * told the number of the first argument behind the optional client. */
static struct call *new_call(lua_State *L, const struct endpoint *e, int *first)
{
    *first = hl_is_client(L, 1) ? 2 : 1;
    lua_settop(L, HL_ARG_MAX);
    struct call *u = lua_newuserdatauv(L, sizeof *u, 1);
    memset(u, 0, sizeof *u);
    luaL_setmetatable(L, CALL);
    lua_toclose(L, -1);
    u->endpoint = e;
    u->answer_matters = e && e->answer_matters;
    return u;
}

/* aura.NAME(ids..., [fields], [options])                                      [-0, +2, v]
 */
static int l_call(lua_State *L)
{
    const struct endpoint *e = lua_touserdata(L, lua_upvalueindex(1));
    int arg;
    struct call *u = new_call(L, e, &arg);
    struct hl_call *c = &u->call;
    c->method = e->method;
    c->effect = e->effect;
    c->transient = e->transient;
    c->refuses_with_500 = e->refuses_with_500;
    arg = hl_arg_path(L, e, arg, c);
    bool body = e->required &&
                !(e->required[0] == '\0' && e->method == HL_POST && !lua_istable(L, arg));
    if (body)
        hl_arg_body(L, e, arg, c);
    hl_arg_options(L, e->name, arg + (e->required ? 1 : 0), c);
    return ask_then_begin(L);
}

static int method_of(lua_State *L, int arg)
{
    static const char *const NAMES[] = { "GET", "DELETE", "POST", "PATCH", NULL };
    static const enum hl_method METHODS[] = { HL_GET, HL_DELETE, HL_POST, HL_PATCH };
    return (int)METHODS[luaL_checkoption(L, arg, NULL, NAMES)];
}

/* aura.request(method, path, [body], [options]): any endpoint                 [-0, +2, v]
 */
static int l_request(lua_State *L)
{
    int first;
    struct call *u = new_call(L, NULL, &first);
    struct hl_call *c = &u->call;
    c->method = (enum hl_method)method_of(L, first);
    size_t len;
    const char *path = luaL_checklstring(L, first + 1, &len);
    size_t end = strcspn(path, "?"); /* one spelling only: the effect is found by it */
    bool good = len <= MAX_PATH && end > 1 && path[0] == '/' && path[end - 1] != '/' &&
                strlen(path) == len && !strstr(path, "..") && !strstr(path, "//") &&
                !memchr(path, '%', end);
    for (size_t i = 0; i < len; i++)
        good = good && (unsigned char)path[i] > ' ' && (unsigned char)path[i] < 127 &&
               !strchr("\"\\#<>", path[i]);
    if (!good)
        hl_raise(L, HALO_USAGE, "request",
                 "not a path such as /v1/instances: it begins with one '/', and holds no "
                 "blank, '%%', '..' or '//', and no more than %d characters",
                 (int)MAX_PATH);
    const struct endpoint *known = hl_endpoint_of(c->method, path);
    c->effect = known                    ? known->effect
                : c->method == HL_GET    ? HALO_READ
                : c->method == HL_DELETE ? HALO_DESTROY
                                         : HALO_CHANGE;
    if (known) { /* what holds for the endpoint holds for it by this way, too */
        u->answer_matters = known->answer_matters;
        c->refuses_with_500 = known->refuses_with_500;
    }
    c->path = strdup(path);
    if (!c->path)
        return hl_raise(L, HALO_NOMEM, "request", "%s", halo_strerror(HALO_NOMEM));
    if (!lua_isnoneornil(L, first + 2)) {
        hl_json_encode(L, first + 2, false);
        hl_arg_keep_body(L, c);
    }
    hl_arg_options(L, "request", first + 3, c);
    return ask_then_begin(L);
}

/* ---- aura.try ---- */

/* nil, err instead of raising; but a bug in the script, and an interrupt, still raise. */
static int try_on(lua_State *L, int status, lua_KContext ctx)
{
    (void)ctx;
    if (status == LUA_OK || status == LUA_YIELD)
        return lua_gettop(L);
    int err = hl_error_number(L, -1);
    if (err == HALO_SCRIPT || err == HALO_CANCELLED || err == HALO_COMPUTE)
        return lua_error(L);
    lua_pushnil(L);
    lua_insert(L, -2);
    return 2;
}

static int l_try(lua_State *L)
{
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    return try_on(L, lua_pcallk(L, lua_gettop(L) - 1, LUA_MULTRET, 0, 0, try_on), 0);
}

/* ---- the module ---- */

/* table["a.b"] = the value on top, as table.a.b and under its full name in the table at
 * `all`. */
static void add(lua_State *L, int module, int all, const char *name)
{
    const char *dot = strchr(name, '.');
    lua_pushvalue(L, -1);
    lua_setfield(L, all, name);
    if (!dot) {
        lua_setfield(L, module, name);
        return;
    }
    lua_pushlstring(L, name, (size_t)(dot - name));
    luaL_getsubtable(L, module, lua_tostring(L, -1));
    lua_pushvalue(L, -3);
    lua_setfield(L, -2, dot + 1);
    lua_pop(L, 3);
}

/* Adds the function on top to the module (1), and its twin to module.try (2); 3 and 4
 * hold all. */
static void add_both(lua_State *L, const char *name)
{
    lua_pushvalue(L, -1);
    lua_pushcclosure(L, l_try, 1);
    add(L, 2, 4, name);
    add(L, 1, 3, name);
}

int hl_open_aura(lua_State *L)
{
    static const luaL_Reg CALL_META[] = { { "__gc", call_close },
                                          { "__close", call_close },
                                          { NULL, NULL } };
    lua_settop(L, 0);
    for (int i = 0; i < 4; i++)
        lua_newtable(L);
    for (const struct endpoint *e = hl_endpoints; e->name; e++) {
        lua_pushlightuserdata(L, (void *)e);
        lua_pushcclosure(L, l_call, 1);
        add_both(L, e->name);
    }
    lua_pushcfunction(L, l_request);
    add_both(L, "request");
    lua_pushcfunction(L, hl_wait_for_status);
    add_both(L, "wait_for_status");
    lua_pushcfunction(L, hl_auth);
    lua_setfield(L, 1, "auth");
    lua_pushvalue(L, 2);
    lua_setfield(L, 1, "try");
    luaL_newmetatable(L, CALL);
    luaL_setfuncs(L, CALL_META, 0);
    hl_open_client(L, 3, 4);
    lua_settop(L, 1);
    return 1;
}
