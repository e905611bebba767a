/* What scripts pass to the primitives, checked before anything is sent. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aura.h"

static bool is_id(const char *s, size_t len)
{
    if (len == 0 || len > 63)
        return false;
    for (size_t i = 0; i < len; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:",
                    s[i]) ||
            s[i] == '\0')
            return false;
    return s[0] != '.';
}

const char *hl_arg_id(lua_State *L, int arg, const char *op, const char *what)
{
    size_t len = 0;
    const char *s = lua_type(L, arg) == LUA_TSTRING ? lua_tolstring(L, arg, &len) : NULL;
    if (!s)
        hl_raise(L, HALO_USAGE, op, "expected the %s as a string, got %s", what,
                 luaL_typename(L, arg));
    else if (!is_id(s, len))
        hl_raise(L, HALO_USAGE, op,
                 "not a valid %s: letters, digits, '-' and '_' only, such as 3fa29c1e",
                 what);
    return s;
}

/* Raises for a field that no call of this kind has, with the nearest name it does have.
 */
static int unknown_field(lua_State *L, const struct endpoint *e, const char *name)
{
    const char *lists[] = { e->required, e->optional, e->query };
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    for (int i = 0; i < 3; i++) {
        size_t len;
        for (const char *list = lists[i], *w; (w = hl_word(&list, &len)) != NULL;) {
            luaL_addlstring(&b, " ", 1);
            luaL_addlstring(&b, w, i == 2 ? strcspn(w, "=") : len);
        }
    }
    luaL_pushresult(&b);
    return hl_raise(L, HALO_USAGE, e->name,
                    "unknown field '%s'; known are:%s (aura.request sends anything)",
                    name, lua_tostring(L, -1));
}

static bool in_list(const char *list, const char *name)
{
    size_t len, want = strlen(name);
    for (const char *w; (w = hl_word(&list, &len)) != NULL;)
        if (want == strcspn(w, "= ") && memcmp(w, name, want) == 0)
            return true;
    return false;
}

/* "8", 8, "8G", "8GB", "8Gi" -> pushes "8GB"; the API documents this form. */
static bool push_size(lua_State *L, int idx)
{
    unsigned long gb = 0;
    int end = 0;
    if (lua_isinteger(L, idx)) {
        lua_Integer n = lua_tointeger(L, idx);
        gb = n > 0 && n < 100000 ? (unsigned long)n : 0;
    } else if (lua_type(L, idx) == LUA_TSTRING) {
        const char *s = lua_tostring(L, idx);
        size_t digits = strspn(s, "0123456789");
        const char *unit = s + digits;
        end = strcmp(unit, "") == 0 || strcmp(unit, "G") == 0 ||
              strcmp(unit, "GB") == 0 || strcmp(unit, "Gi") == 0;
        gb = digits > 0 && digits < 6 && end ? strtoul(s, NULL, 10) : 0;
    }
    if (gb == 0)
        return false;
    lua_pushfstring(L, "%dGB", (int)gb);
    return true;
}

static bool is_name(const char *s, size_t len)
{
    size_t chars = 0;
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)s[i] < ' ' || s[i] == 127)
            return false;
        chars += ((unsigned char)s[i] & 0xC0) != 0x80;
    }
    return chars >= 1 && chars <= 30 && s[0] != ' ' && s[len - 1] != ' ';
}

static bool is_date(const char *s)
{
    static const char form[] = "dddd-dd-dd";
    size_t i = 0;
    for (; form[i] && s[i]; i++)
        if (form[i] == 'd' ? s[i] < '0' || s[i] > '9' : s[i] != '-')
            return false;
    return !form[i] && !s[i];
}

static int bad_field(lua_State *L, const struct endpoint *e, const struct field *f,
                     const char *expected)
{
    return hl_raise(L, HALO_USAGE, e->name, "%s must be %s", f->name, expected);
}

static void push_texts(lua_State *L, const struct endpoint *e, const struct field *f,
                       int idx)
{
    lua_Integer n = lua_istable(L, idx) ? (lua_Integer)lua_rawlen(L, idx) : 0;
    lua_newtable(L);
    for (lua_Integer i = 1; i <= n; i++) {
        if (lua_rawgeti(L, idx, i) != LUA_TSTRING)
            bad_field(L, e, f, "a list of strings");
        lua_rawseti(L, -2, i);
    }
    if (n == 0)
        bad_field(L, e, f, "a list of strings");
}

/* Pushes the value at idx in the one form that is sent. */
static void push_field(lua_State *L, const struct endpoint *e, const struct field *f,
                       int idx)
{
    size_t len = 0;
    int type = lua_type(L, idx), isnum = 0;
    const char *s = type == LUA_TSTRING ? lua_tolstring(L, idx, &len) : NULL;
    lua_Integer n = type == LUA_TNUMBER ? lua_tointegerx(L, idx, &isnum) : 0;
    switch (f->type) {
    case FIELD_NAME:
        if (!s || !is_name(s, len))
            bad_field(L, e, f, "1 to 30 characters without a blank at either end");
        break;
    case FIELD_SIZE:
        if (!push_size(L, idx))
            bad_field(L, e, f, "a size in gigabytes, such as 8GB");
        return;
    case FIELD_ID:
        if (!s || !is_id(s, len))
            bad_field(L, e, f, "an id");
        break;
    case FIELD_BOOLEAN:
        if (type != LUA_TBOOLEAN)
            bad_field(L, e, f, "true or false");
        break;
    case FIELD_INTEGER:
        if (!isnum || n < f->min || n > f->max)
            hl_raise(L, HALO_USAGE, e->name, "%s must be a whole number from %d to %d",
                     f->name, f->min, f->max);
        lua_pushinteger(L, n);
        return;
    case FIELD_DATE:
        if (!s || !is_date(s))
            bad_field(L, e, f, "a date as YYYY-MM-DD");
        break;
    case FIELD_TEXTS:
        push_texts(L, e, f, idx);
        return;
    case FIELD_TEXT:
        if (!s || len == 0)
            bad_field(L, e, f, "a string that is not empty");
        break;
    }
    lua_pushvalue(L, idx);
}

/* Checks every key of the table at arg and pushes a table of what is to be sent. */
static void push_fields(lua_State *L, const struct endpoint *e, int arg)
{
    size_t len;
    if (!lua_istable(L, arg))
        hl_raise(L, HALO_USAGE, e->name, "expected a table of fields, got %s",
                 luaL_typename(L, arg));
    lua_newtable(L);
    int to = lua_gettop(L);
    lua_pushnil(L);
    while (lua_next(L, arg)) {
        if (lua_type(L, -2) != LUA_TSTRING)
            hl_raise(L, HALO_USAGE, e->name, "expected named fields, got a list");
        const char *name = lua_tostring(L, -2);
        if (!in_list(e->required, name) && !in_list(e->optional, name) &&
            !in_list(e->query, name))
            unknown_field(L, e, name);
        push_field(L, e, hl_field(name, strlen(name)), lua_gettop(L));
        lua_setfield(L, to, name);
        lua_pop(L, 1);
    }
    const char *list = e->required;
    for (const char *w; (w = hl_word(&list, &len)) != NULL;) {
        lua_pushlstring(L, w, len);
        if (lua_rawget(L, to) == LUA_TNIL)
            hl_raise(L, HALO_USAGE, e->name, "%s is missing", hl_field(w, len)->name);
        lua_pop(L, 1);
    }
}

static char *own(lua_State *L, const char *op, const char *text, size_t len)
{
    char *copy = malloc(len + 1);
    if (!copy)
        hl_raise(L, HALO_NOMEM, op, "%s", halo_strerror(HALO_NOMEM));
    else
        memcpy(copy, text, len + 1);
    return copy;
}

void hl_arg_keep_body(lua_State *L, struct hl_call *c)
{
    c->body = lua_tolstring(L, -1, &c->body_len);
    lua_setiuservalue(L, HL_ARG_CALL, 1);
}

void hl_arg_body(lua_State *L, const struct endpoint *e, int arg, struct hl_call *c)
{
    push_fields(L, e, arg);
    lua_pushnil(L);
    if (e->method == HL_PATCH && !lua_next(L, -2))
        hl_raise(L, HALO_USAGE, e->name, "nothing to change: the table is empty");
    lua_settop(L, lua_gettop(L) - (e->method == HL_PATCH ? 2 : 1));
    hl_json_encode(L, -1, false);
    hl_arg_keep_body(L, c);
    lua_pop(L, 1);
}

/* Appends what the table at arg says of the query to the path on top. */
static void add_query(lua_State *L, const struct endpoint *e, int arg)
{
    size_t len;
    const char *list = e->query, *sep = "?";
    push_fields(L, e, arg);
    for (const char *w; (w = hl_word(&list, &len)) != NULL;) {
        size_t name = strcspn(w, "=");
        lua_pushlstring(L, w, name);
        if (lua_rawget(L, -2) == LUA_TSTRING) { /* ids and dates need no escaping */
            lua_pushlstring(L, w + name + 1, len - name - 1);
            lua_pushfstring(L, "%s%s%s=%s", lua_tostring(L, -4), sep, lua_tostring(L, -1),
                            lua_tostring(L, -2));
            lua_replace(L, -5);
            lua_pop(L, 1);
            sep = "&";
        }
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

int hl_arg_path(lua_State *L, const struct endpoint *e, int first, struct hl_call *c)
{
    bool instance = strncmp(e->path, "/v1/instances/{}", 16) == 0;
    int arg = first;
    luaL_Buffer b;
    for (const char *at = e->path; (at = strstr(at, "{}")) != NULL; at += 2, arg++)
        hl_arg_id(L, arg, e->name, arg == first && instance ? "instance id" : "id");
    luaL_buffinit(L, &b);
    arg = first;
    const char *from = e->path;
    for (const char *at; (at = strstr(from, "{}")) != NULL; from = at + 2) {
        luaL_addlstring(&b, from, (size_t)(at - from));
        luaL_addstring(&b, lua_tostring(L, arg++));
    }
    luaL_addstring(&b, from);
    luaL_pushresult(&b);
    if (instance)
        snprintf(c->id, sizeof c->id, "%s", lua_tostring(L, first));
    if (e->query) {
        if (!lua_isnoneornil(L, arg) && arg < lua_gettop(L))
            add_query(L, e, arg);
        arg++;
    }
    size_t len;
    const char *path = lua_tolstring(L, -1, &len);
    c->path = own(L, e->name, path, len);
    lua_pop(L, 1);
    return arg;
}

int64_t hl_arg_seconds(lua_State *L, int arg, const char *name, const char *op,
                       int64_t fallback_ms)
{
    int type = lua_getfield(L, arg, name), isnum = 0;
    lua_Number n = lua_tonumberx(L, -1, &isnum);
    lua_pop(L, 1);
    if (type == LUA_TNIL)
        return fallback_ms;
    if (type != LUA_TNUMBER || !isnum || !(n > 0 && n < 1e7))
        hl_raise(L, HALO_USAGE, op, "%s must be a number of seconds greater than 0",
                 name);
    return (int64_t)(n * 1000);
}

/* Raises for a key of the table at arg that is not in the list. */
static void known_only(lua_State *L, const char *op, int arg, const char *list)
{
    for (lua_pushnil(L); lua_next(L, arg); lua_pop(L, 1)) {
        const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "?";
        if (!in_list(list, name))
            hl_raise(L, HALO_USAGE, op, "unknown option '%s'; known are: %s", name, list);
    }
}

/* What may be sent again: true, false or {attempts=, conflict=, after_max=} on top. */
static void retry_policy(lua_State *L, const char *op, struct hl_call *c)
{
    int policy = lua_gettop(L);
    if (lua_isboolean(L, policy) || lua_isnil(L, policy)) {
        bool never = lua_isboolean(L, policy) && !lua_toboolean(L, policy);
        c->max_attempts = never ? 1 : 0;
        c->no_conflict_wait = never;
        return;
    }
    if (!lua_istable(L, policy))
        hl_raise(L, HALO_USAGE, op,
                 "retry must be true, false or a table of attempts, conflict, after_max");
    known_only(L, op, policy, "attempts conflict after_max");
    if (lua_getfield(L, policy, "attempts") != LUA_TNIL) {
        lua_Integer n = lua_isinteger(L, -1) ? lua_tointeger(L, -1) : 0;
        if (n < 1 || n > HL_MAX_ATTEMPTS)
            hl_raise(L, HALO_USAGE, op, "attempts must be a whole number from 1 to %d",
                     HL_MAX_ATTEMPTS);
        c->max_attempts = (int)n;
    }
    int type = lua_getfield(L, policy, "conflict");
    if (type != LUA_TNIL && type != LUA_TBOOLEAN)
        hl_raise(L, HALO_USAGE, op, "conflict must be true or false");
    c->no_conflict_wait = type == LUA_TBOOLEAN && !lua_toboolean(L, -1);
    c->retry_after_max_ms = hl_arg_seconds(L, policy, "after_max", op, 0);
    lua_settop(L, policy);
}

void hl_arg_options(lua_State *L, const char *op, int arg, struct hl_call *c)
{
    if (lua_isnoneornil(L, arg))
        return;
    if (!lua_istable(L, arg))
        hl_raise(L, HALO_USAGE, op, "expected a table of options, got %s",
                 luaL_typename(L, arg));
    known_only(L, op, arg, "timeout retry");
    c->timeout_ms = hl_arg_seconds(L, arg, "timeout", op, 0);
    lua_getfield(L, arg, "retry");
    retry_policy(L, op, c);
    lua_pop(L, 1);
}
