#include "modules.h"

#include <stdbool.h>
#include <string.h>

#define ERROR "halo.error"

/* Pushes t[key] when it is a string or a number, as a string; pushes nothing and returns
 * NULL otherwise.                                                    [-0, * +(0|1), m] */
static const char *text_field(lua_State *L, int t, const char *key)
{
    lua_pushstring(L, key);
    int type = lua_rawget(L, t);
    if (type == LUA_TSTRING || type == LUA_TNUMBER)
        return lua_tostring(L, -1); /* the copy on the stack, not the field */
    lua_pop(L, 1);
    return NULL;
}

/* Adds prefix, t[key] and suffix, or nothing where there is no such field. */
static bool add_field(lua_State *L, luaL_Buffer *b, int t, const char *prefix,
                      const char *key, const char *suffix)
{
    const char *text = text_field(L, t, key);
    if (!text)
        return false;
    lua_pushfstring(L, "%s%s%s", prefix, text, suffix);
    lua_remove(L, -2);
    luaL_addvalue(b);
    return true;
}

/* tostring(err): `pause 3fa29c1e: 409 conflict: The database is ... (reason, request)` */
static int l_tostring(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    bool op = add_field(L, &b, 1, "", "op", "");
    if (op) {
        add_field(L, &b, 1, " ", "id", "");
        luaL_addstring(&b, ": ");
    }
    bool status = add_field(L, &b, 1, "", "status", " ");
    const char *kind = text_field(L, 1, "kind");
    bool own = kind && !status && strcmp(kind, hl_err_kind(HALO_SCRIPT)) == 0;
    if (kind)
        lua_pop(L, 1);
    if (!own)
        add_field(L, &b, 1, "", "kind", ": ");
    add_field(L, &b, 1, "", "message", "");
    bool reason = add_field(L, &b, 1, " (", "reason", "");
    bool request =
        add_field(L, &b, 1, reason ? ", request " : " (request ", "request_id", "");
    if (reason || request)
        luaL_addchar(&b, ')');
    luaL_pushresult(&b);
    return 1;
}

/* Gives the table on top the metatable of errors.                          [-0, +0, m] */
static void set_metatable(lua_State *L)
{
    luaL_newmetatable(
        L, ERROR); /* filled each time: an attempt may have run out of memory */
    lua_pushcfunction(L, l_tostring);
    lua_setfield(L, -2, "__tostring");
    lua_pushliteral(L, ERROR); /* scripts may look, not touch */
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
}

/* t.where = "file:line" of the running C function's caller; t on top.    [-0, +0, m] */
static void set_where(lua_State *L)
{
    luaL_where(L, 1);
    size_t len;
    const char *where = lua_tolstring(L, -1, &len);
    if (len > 2) { /* "file:line: " */
        lua_pushlstring(L, where, len - 2);
        lua_setfield(L, -3, "where");
    }
    lua_pop(L, 1);
}

static void push(lua_State *L, int err, const char *op, const char *fmt, va_list args)
{
    lua_createtable(L, 0, 8);
    lua_pushstring(L, hl_err_kind(err));
    lua_setfield(L, -2, "kind");
    if (fmt)
        lua_pushvfstring(L, fmt, args);
    else
        lua_pushstring(L, halo_strerror(err));
    lua_setfield(L, -2, "message");
    if (op) {
        lua_pushstring(L, op);
        lua_setfield(L, -2, "op");
    }
    set_where(L);
    set_metatable(L);
}

void hl_push_error(lua_State *L, int err, const char *op, const char *fmt, ...)
{
    luaL_checkstack(L, 6, NULL);
    va_list args;
    va_start(args, fmt);
    push(L, err, op, fmt, args);
    va_end(args);
}

int hl_raise(lua_State *L, int err, const char *op, const char *fmt, ...)
{
    luaL_checkstack(L, 6, NULL);
    va_list args;
    va_start(args, fmt);
    push(L, err, op, fmt, args);
    va_end(args);
    return lua_error(L);
}

static const struct {
    const char *kind;
    int err;
} KINDS[] = {
#define HALO_X(name, number, kind, exit_code, text) { kind, number },
    HALO_ERRORS(HALO_X)
#undef HALO_X
};

/* HALO_OK when there is no such kind of error. */
static int number_of(const char *kind)
{
    for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; i++) {
        if (strcmp(KINDS[i].kind, kind) == 0)
            return KINDS[i].err;
    }
    return HALO_OK;
}

int hl_error_number(lua_State *L, int idx)
{
    int err = HALO_OK;
    if (lua_type(L, idx) == LUA_TTABLE) {
        luaL_checkstack(L, 2, NULL);
        const char *kind = text_field(L, lua_absindex(L, idx), "kind");
        if (kind) {
            err = number_of(kind);
            lua_pop(L, 1);
        }
    }
    if (lua_type(L, idx) == LUA_TSTRING && /* Lua's own, perhaps raised again */
        strcmp(lua_tostring(L, idx), "not enough memory") == 0)
        return HALO_NOMEM;
    return err != HALO_OK ? err : HALO_SCRIPT;
}

/* fail(kind, message [, fields]): raises an error table                    [-3, +0, v] */
static int l_fail(lua_State *L)
{
    const char *kind = luaL_checkstring(L, 1);
    luaL_argcheck(L, number_of(kind) != HALO_OK, 1, "not a kind of error");
    luaL_checkstring(L, 2);
    luaL_argexpected(L, lua_isnoneornil(L, 3) || lua_istable(L, 3), 3, "table");
    lua_settop(L, 3);
    lua_createtable(L, 0, 8);
    set_where(L);
    if (lua_istable(L, 3)) {
        for (lua_pushnil(L); lua_next(L, 3) != 0;) {
            lua_pushvalue(L, -2);
            lua_insert(L, -2);
            lua_rawset(L, 4); /* t[copy of the key] = value; the key stays for lua_next */
        }
    }
    lua_pushvalue(L, 1);
    lua_setfield(L, 4, "kind");
    lua_pushvalue(L, 2);
    lua_setfield(L, 4, "message");
    set_metatable(L);
    return lua_error(L);
}

/* require "fail"                                                           [-0, +1, -] */
int hl_open_fail(lua_State *L)
{
    lua_pushcfunction(L, l_fail);
    return 1;
}
