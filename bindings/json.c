#include "json.h"

#include <string.h>

#include <lua-cjson.h>

#include "host.h"
#include "modules.h"

/* Registry keys: cjson.decode with our settings; the text that stands for []. */
static const char DECODE, EMPTY;

void hl_json_array_mark(lua_State *L)
{
    if (luaL_newmetatable(L, HL_JSON_ARRAY)) {
        lua_pushliteral(L, HL_JSON_ARRAY); /* scripts may look, not touch */
        lua_setfield(L, -2, "__metatable");
    }
}

/* cjson[name](value) for one of its settings; cjson on top.                [-0, +0, e] */
static void set(lua_State *L, const char *name)
{
    lua_getfield(L, -2, name);
    lua_insert(L, -2);
    lua_call(L, 1, 0);
}

/* Pushes cjson.decode; makes it on first use, with settings of its own.    [-0, +1, e] */
static void push_decode(lua_State *L)
{
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &DECODE) == LUA_TFUNCTION)
        return;
    lua_pop(L, 1);
    lua_pushcfunction(L, luaopen_cjson);
    lua_call(L, 0, 1);
    lua_pushboolean(L, 0);
    set(L, "decode_invalid_numbers");
    lua_pushinteger(L, HL_JSON_DEPTH);
    set(L, "decode_max_depth");
    lua_getfield(L, -1, "decode");
    lua_remove(L, -2);
    /* A string that no server can know, so that no text can pass for an empty array. */
    lua_pushfstring(L, "%c%p", 0, lua_topointer(L, -1));
    lua_rawsetp(L, LUA_REGISTRYINDEX, &EMPTY);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &DECODE);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The first character at or after p that is no white space, or end. */
static const char *skip_space(const char *p, const char *end)
{
    while (p < end && is_space(*p))
        p++;
    return p;
}

/* p stands on a quote: the place just after the one that closes it, or end. */
static const char *skip_string(const char *p, const char *end)
{
    for (p++; p < end && *p != '"'; p++) {
        if (*p == '\\' && p + 1 < end)
            p++;
    }
    return p < end ? p + 1 : end;
}

/* Whether `[ ]` occurs, perhaps only inside a string. */
static bool has_empty_array(const char *text, size_t len)
{
    const char *end = text + len;
    for (const char *p = text; (p = memchr(p, ']', (size_t)(end - p))) != NULL; p++) {
        const char *open = p;
        while (open > text && is_space(open[-1]))
            open--;
        if (open > text && open[-1] == '[')
            return true;
    }
    return false;
}

/* cjson gives the same table for [] and {}: pushes the text with the string that stands
 * for an empty array in each of them.                                    [-0, * +1, m] */
static void push_marked(lua_State *L, const char *text, size_t len)
{
    lua_rawgetp(L, LUA_REGISTRYINDEX, &EMPTY);
    lua_pushfstring(L, "[\"\\u0000%s\"", lua_tostring(L, -1) + 1);
    lua_remove(L, -2);
    const char *mark = lua_tostring(L, -1);
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    const char *end = text + len;
    for (const char *p = text; p < end;) {
        const char *from = p;
        if (*p == '"') {
            p = skip_string(p, end);
            luaL_addlstring(&b, from, (size_t)(p - from));
            continue;
        }
        p++;
        const char *next = skip_space(p, end);
        if (*from == '[' && next < end && *next == ']')
            luaL_addstring(&b, mark);
        else
            luaL_addchar(&b, *from);
    }
    luaL_pushresult(&b);
    lua_remove(L, -2);
}

/* Whether the table on top is {EMPTY}.                                     [-0, +0, -] */
static bool stands_for_empty(lua_State *L)
{
    bool is = false;
    if (lua_rawlen(L, -1) == 1) {
        lua_rawgeti(L, -1, 1);
        lua_rawgetp(L, LUA_REGISTRYINDEX, &EMPTY);
        is = lua_rawequal(L, -1, -2);
        lua_pop(L, 2);
    }
    return is;
}

/* t[key] = the value on top, which it pops; the key lies below the old value. */
static void put(lua_State *L, int t)
{
    lua_pushvalue(L, -3);
    lua_insert(L, -2);
    lua_rawset(L, t);
}

/* The whole number that n is, if it is exact.  */
static bool whole(lua_Number n, lua_Integer *i)
{
    const lua_Number limit = 9007199254740992.0; /* 2^53 may already stand for 2^53 + 1 */
    return n > -limit && n < limit && lua_numbertointeger(n, i) && (lua_Number)*i == n;
}

/* Turns the table on top, as cjson made it, into what json.h promises. It recurses as
 * deep as cjson allowed.                                                   [-0, +0, m] */
static void settle(lua_State *L, bool keep_null)
{
    luaL_checkstack(L, 6, "JSON");
    int t = lua_gettop(L);
    bool array = false;
    for (lua_pushnil(L); lua_next(L, t) != 0; lua_pop(L, 1)) {
        lua_Integer i;
        array =
            lua_type(L, -2) == LUA_TNUMBER; /* keys of objects are strings, even "1" */
        switch (lua_type(L, -1)) {
        case LUA_TTABLE:
            settle(L, keep_null);
            break;
        case LUA_TNUMBER:
            if (whole(lua_tonumber(L, -1), &i)) {
                lua_pushinteger(L, i);
                put(L, t);
            }
            break;
        case LUA_TLIGHTUSERDATA:
            if (!keep_null && !array) {
                lua_pushnil(L); /* clearing a field is allowed while walking */
                put(L, t);
            }
            break;
        default:
            break;
        }
    }
    if (!array)
        return;
    if (stands_for_empty(L)) {
        lua_pushnil(L);
        lua_rawseti(L, t, 1);
    }
    hl_json_array_mark(L);
    lua_setmetatable(L, t);
}

/* Makes sure that cjson does not run out of Lua's memory: it would lose the buffer it has of
 * the C library's. Counts what a text of this kind can cost at most (bytes, Lua 5.4 on 64 bits):
 * copies of the text and buffers twice as long; a table and its first element; a key or element
 * in a table that is grown by doubling; a string besides its bytes. */
static void reserve(lua_State *L, const char *text, size_t len)
{
    enum { COPIES = 6, TABLE = 160, ELEMENT = 80, STRING = 48, MARK = 160, BASE = 4096 };
    size_t tables = 0, elements = 0, quotes = 0, arrays = 0;
    const struct halo_host *h = hl_find_host(L);
    if (h && h->sched && !h->budget.limit && !h->cfg.alloc)
        return; /* nothing limits the memory but the machine */
    for (const char *p = text, *end = text + len; p < end; p++) {
        tables += *p == '[' || *p == '{';
        arrays += *p == '[';
        elements += *p == ',';
        quotes += *p == '"';
    }
    if (!has_empty_array(text, len))
        arrays = 0;
    size_t most = BASE + COPIES * len + TABLE * tables + ELEMENT * elements +
                  STRING * (quotes / 2) + MARK * arrays;
    void *ud;
    lua_Alloc allocate = lua_getallocf(L, &ud);
    void *room = allocate(ud, NULL, LUA_TUSERDATA, most);
    if (room) {
        allocate(ud, room, most, 0);
        return;
    }
    lua_newuserdatauv(L, most, 0); /* after a collection, or raises Lua's memory error */
    lua_pop(L, 1);                 /* collected as soon as there is need */
}

/* Pushes what cjson makes of the text, or raises.                          [-0, +1, v] */
static void parse(lua_State *L, const char *text, size_t len)
{
    luaL_checkstack(L, 6, "JSON");
    if (memchr(text, '\0', len)) /* cjson would take what stands before it */
        hl_raise(L, HALO_INVALID, NULL, "not JSON: a zero byte");
    push_decode(L);
    reserve(L, text, len);
    if (has_empty_array(text, len))
        push_marked(L, text, len);
    else
        lua_pushlstring(L, text, len);
    int status = lua_pcall(L, 1, 1, 0);
    if (status == LUA_ERRRUN && lua_type(L, -1) == LUA_TSTRING)
        hl_raise(L, HALO_INVALID, NULL, "not JSON: %s", lua_tostring(L, -1));
    if (status != LUA_OK)
        lua_error(L); /* out of memory */
}

void hl_json_decode(lua_State *L, const char *text, size_t len, bool keep_null)
{
    lua_Integer i;
    parse(L, text, len);
    switch (lua_type(L, -1)) {
    case LUA_TTABLE:
        settle(L, keep_null);
        return;
    case LUA_TNUMBER:
        if (!whole(lua_tonumber(L, -1), &i))
            return;
        lua_pushinteger(L, i);
        break;
    case LUA_TLIGHTUSERDATA:
        if (keep_null)
            return;
        lua_pushnil(L);
        break;
    default:
        return;
    }
    lua_replace(L, -2);
}

static bool option(lua_State *L, int idx, const char *name)
{
    if (lua_isnoneornil(L, idx))
        return false;
    luaL_checktype(L, idx, LUA_TTABLE);
    lua_getfield(L, idx, name);
    bool on = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return on;
}

/* json.decode(text [, {null = true}]) -> value                             [-2, +1, v] */
static int l_decode(lua_State *L)
{
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len);
    hl_json_decode(L, text, len, option(L, 2, "null"));
    return 1;
}

static int decode_on(lua_State *L)
{
    size_t len;
    const char *text = lua_tolstring(L, 1, &len);
    hl_json_decode(L, text, len, false);
    return 1;
}

/* json.read(text) -> value; nil, error for what is no JSON                 [-1, +2, v] */
static int l_read(lua_State *L)
{
    luaL_checkstring(L, 1);
    lua_settop(L, 1);
    lua_pushcfunction(L, decode_on);
    lua_insert(L, 1);
    int status = lua_pcall(L, 1, 1, 0);
    if (status == LUA_OK)
        return 1;
    if (status != LUA_ERRRUN || hl_error_number(L, -1) != HALO_INVALID)
        return lua_error(L); /* out of memory */
    lua_pushnil(L);
    lua_insert(L, -2);
    return 2;
}

/* json.encode(value [, {pretty = true}]) -> text                           [-2, +1, v] */
static int l_encode(lua_State *L)
{
    luaL_checkany(L, 1);
    hl_json_encode(L, 1, option(L, 2, "pretty"));
    return 1;
}

/* json.array([t]) -> t, marked as an array                                 [-1, +1, e] */
static int l_array(lua_State *L)
{
    if (lua_isnoneornil(L, 1)) {
        lua_settop(L, 0);
        lua_newtable(L);
    }
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    hl_json_array_mark(L);
    if (lua_getmetatable(L, 1)) {
        luaL_argcheck(L, lua_rawequal(L, -1, -2), 1, "has a metatable of its own");
        lua_pop(L, 1);
    }
    lua_setmetatable(L, 1);
    return 1;
}

static void new_line(luaL_Buffer *b, int depth)
{
    luaL_addchar(b, '\n');
    for (int i = 0; i < depth; i++)
        luaL_addstring(b, "  ");
}

/* json.pretty(text) -> the same text, indented: order, numbers, escapes as they were. */
static int l_pretty(lua_State *L)
{
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len);
    parse(L, text, len);
    lua_settop(L, 1);
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    const char *end = text + len;
    int depth = 0;
    for (const char *p = skip_space(text, end); p < end; p = skip_space(p, end)) {
        const char *from = p;
        switch (*p) {
        case '"':
            p = skip_string(p, end);
            luaL_addlstring(&b, from, (size_t)(p - from));
            continue;
        case '{':
        case '[':
            luaL_addchar(&b, *p);
            p = skip_space(p + 1, end);
            if (p < end && (*p == '}' || *p == ']'))
                luaL_addchar(&b, *p++);
            else
                new_line(&b, ++depth);
            continue;
        case '}':
        case ']':
            new_line(&b, --depth);
            break;
        default:
            break;
        }
        luaL_addchar(&b, *p);
        if (*p == ',')
            new_line(&b, depth);
        else if (*p == ':')
            luaL_addchar(&b, ' ');
        p++;
    }
    luaL_pushresult(&b);
    return 1;
}

int hl_open_json(lua_State *L)
{
    static const luaL_Reg FUNCTIONS[] = {
        { "decode", l_decode }, { "encode", l_encode }, { "array", l_array },
        { "pretty", l_pretty }, { "read", l_read },     { NULL, NULL },
    };
    luaL_newlib(L, FUNCTIONS);
    lua_pushlightuserdata(L, NULL); /* as cjson.null */
    lua_setfield(L, -2, "null");
    return 1;
}
