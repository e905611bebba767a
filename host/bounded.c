/* The functions of Lua's libraries that could keep a script in one call for ever, where no hook
 * runs, or nearly so: in a restricted host they stop when the script's time is over, or refuse
 * what would take long. */
#include <stdint.h>
#include <string.h>

#include <lauxlib.h>
#include <lualib.h>

#include "pattern.h"
#include "runtime.h"

/* Elements that one call of a table function may go over; those of a table with a metatable cost
 * up to 2000 looks each. */
enum { MAX_ELEMENTS = 10 * 1000 * 1000, MAX_WITH_METATABLE = 100 * 1000 };

/* ---- strings ---- */

/* The place in a string of len bytes that init (counted from the end when below 0) stands for,
 * from 0 on; beyond the end: len + 1. */
static size_t start_of(lua_State *L, int arg, size_t len)
{
    lua_Integer init = luaL_optinteger(L, arg, 1);
    if (init > 0)
        return (size_t)init - 1 <= len ? (size_t)init - 1 : len + 1;
    if (init == 0 || init < -(lua_Integer)len)
        return 0;
    return len - (size_t)(-init);
}

static int push_captures(struct hl_match *m, const char *from, const char *to, bool whole)
{
    int n = m->level == 0 && whole ? 1 : m->level;
    luaL_checkstack(m->L, n, "too many captures");
    for (int i = 0; i < n; i++)
        hl_pattern_push(m, i, from, to);
    return n;
}

static int find(lua_State *L, bool places)
{
    size_t len, size;
    const char *text = luaL_checklstring(L, 1, &len);
    const char *pattern = luaL_checklstring(L, 2, &size);
    size_t start = start_of(L, 3, len);
    struct hl_match m = { .text = text, .end = text + len };
    bool anchored;
    if (start > len) {
        luaL_pushfail(L);
        return 1;
    }
    if (places && (lua_toboolean(L, 4) || !strpbrk(pattern, "^$*+?.([%-")) &&
        (lua_toboolean(L, 4) || strlen(pattern) == size)) {
        const char *at = memmem(text + start, len - start, pattern, size);
        lua_pushinteger(L, at ? at - text + 1 : 0);
        lua_pushinteger(L, at ? at - text + (lua_Integer)size : 0);
        if (!at)
            luaL_pushfail(L);
        return at ? 2 : 1;
    }
    hl_pattern_read(L, &m, pattern, size, &anchored);
    for (const char *s = text + start; s <= m.end; s++) {
        const char *end = hl_pattern_match(&m, s);
        if (end && places) {
            lua_pushinteger(L, s - text + 1);
            lua_pushinteger(L, end - text);
            return 2 + push_captures(&m, s, end, false);
        }
        if (end)
            return push_captures(&m, s, end, true);
        if (anchored)
            break;
    }
    luaL_pushfail(L);
    return 1;
}

static int l_find(lua_State *L)
{
    return find(L, true);
}

static int l_match(lua_State *L)
{
    return find(L, false);
}

struct walk { /* of gmatch */
    struct hl_match m;
    const char *next, *last; /* where to look on; where the last match ended */
};

/* Upvalues: text, pattern, walk, items. */
static int walk_on(lua_State *L)
{
    struct walk *w = lua_touserdata(L, lua_upvalueindex(3));
    w->m.L = L; /* perhaps another coroutine than the last time */
    for (const char *s = w->next; s <= w->m.end; s++) {
        const char *end = hl_pattern_match(&w->m, s);
        if (end && end != w->last) {
            w->next = w->last = end;
            return push_captures(&w->m, s, end, true);
        }
    }
    w->next = w->m.end + 1;
    return 0;
}

static int l_gmatch(lua_State *L)
{
    size_t len, size;
    const char *text = luaL_checklstring(L, 1, &len);
    const char *pattern = luaL_checklstring(L, 2, &size);
    size_t start = start_of(L, 3, len);
    lua_settop(L, 2);
    struct walk *w = lua_newuserdatauv(L, sizeof *w, 0);
    *w = (struct walk){ .m = { .text = text, .end = text + len }, .next = text + start };
    hl_pattern_read(L, &w->m, pattern, size, NULL);
    lua_pushcclosure(L, walk_on, 4);
    return 1;
}

/* Adds the replacement text at 3. */
static void add_text(struct hl_match *m, luaL_Buffer *b, const char *from, const char *to)
{
    lua_State *L = m->L;
    size_t len;
    const char *p = lua_tolstring(L, 3, &len), *end = p + len;
    for (; p < end; p++) {
        if (*p != '%') {
            luaL_addchar(b, *p);
            continue;
        }
        p++; /* at the end: the NUL, which is refused */
        if (*p == '%') {
            luaL_addchar(b, '%');
        } else if (*p == '0') {
            luaL_addlstring(b, from, (size_t)(to - from));
        } else if (*p >= '1' && *p <= '9') {
            hl_pattern_push(m, *p - '1', from, to);
            luaL_tolstring(L, -1, NULL); /* a position is a number */
            lua_remove(L, -2);
            luaL_addvalue(b);
        } else {
            luaL_error(L, "invalid use of '%%' in replacement string");
        }
    }
}

static void add_replacement(struct hl_match *m, luaL_Buffer *b, const char *from,
                            const char *to)
{
    lua_State *L = m->L;
    int type = lua_type(L, 3);
    if (type == LUA_TFUNCTION) {
        lua_pushvalue(L, 3);
        lua_call(L, push_captures(m, from, to, true), 1);
    } else if (type == LUA_TTABLE) {
        hl_pattern_push(m, 0, from, to);
        lua_gettable(L, 3);
    } else {
        add_text(m, b, from, to);
        return;
    }
    if (!lua_toboolean(L, -1)) {
        lua_pop(L, 1);
        luaL_addlstring(b, from, (size_t)(to - from));
    } else if (lua_isstring(L, -1)) {
        luaL_addvalue(b);
    } else {
        luaL_error(L, "invalid replacement value (a %s)", luaL_typename(L, -1));
    }
}

static int l_gsub(lua_State *L)
{
    size_t len, size;
    const char *s = luaL_checklstring(L, 1, &len);
    const char *pattern = luaL_checklstring(L, 2, &size), *last = NULL;
    int type = lua_type(L, 3);
    luaL_argexpected(L,
                     type == LUA_TNUMBER || type == LUA_TSTRING || type == LUA_TTABLE ||
                         type == LUA_TFUNCTION,
                     3, "string/function/table");
    lua_Integer most = luaL_optinteger(L, 4, (lua_Integer)len + 1), n = 0;
    struct hl_match m = { .text = s, .end = s + len };
    bool anchored;
    luaL_Buffer b;
    lua_settop(L, 3);
    hl_pattern_read(L, &m, pattern, size, &anchored);
    luaL_buffinit(L, &b);
    while (n < most) {
        const char *end = hl_pattern_match(&m, s);
        if (end && end != last) {
            n++;
            add_replacement(&m, &b, s, end);
            s = last = end;
        } else if (s < m.end) {
            luaL_addchar(&b, *s++);
        } else {
            break;
        }
        if (anchored)
            break;
    }
    luaL_addlstring(&b, s, (size_t)(m.end - s));
    luaL_pushresult(&b);
    lua_pushinteger(L, n);
    return 2;
}

/* Calls the function at upvalue 1 with all arguments. */
static int call_original(lua_State *L)
{
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

static int l_rep(lua_State *L)
{
    size_t len, between;
    luaL_checklstring(L, 1, &len);
    luaL_checkinteger(L, 2);
    luaL_optlstring(L, 3, "", &between);
    if (len + between > 0)
        return call_original(L);
    lua_pushliteral(L, ""); /* of which Lua's would put together any number */
    return 1;
}

/* ---- tables ---- */

/* Refuses more elements than one call may go over. */
static void check_count(lua_State *L, int arg, lua_Unsigned n)
{
    lua_Unsigned most = MAX_ELEMENTS;
    if (lua_getmetatable(L, arg)) {
        most = MAX_WITH_METATABLE;
        lua_pop(L, 1);
    }
    luaL_argcheck(L, n <= most, arg, "too many elements");
}

/* The same for the length of the table at 1, which may not change under us. */
static void check_length(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    if (luaL_getmetafield(L, 1, "__len") != LUA_TNIL)
        luaL_argerror(L, 1, "a table with __len");
    check_count(L, 1, lua_rawlen(L, 1));
}

/* insert, remove */
static int l_by_length(lua_State *L)
{
    check_length(L);
    return call_original(L);
}

/* concat, unpack: upvalue 2 is the place of the first index */
static int l_by_range(lua_State *L)
{
    int first = (int)lua_tointeger(L, lua_upvalueindex(2));
    lua_Integer from = luaL_optinteger(L, first, 1);
    if (lua_isnoneornil(L, first + 1)) {
        check_length(L);
        check_count(L, 1, from < 1 ? lua_rawlen(L, 1) - (lua_Unsigned)from : 0);
    } else {
        lua_Integer to = luaL_checkinteger(L, first + 1);
        luaL_checktype(L, 1, LUA_TTABLE);
        check_count(L, 1, to >= from ? (lua_Unsigned)to - (lua_Unsigned)from : 0);
    }
    return call_original(L);
}

static int l_move(lua_State *L)
{
    lua_Integer from = luaL_checkinteger(L, 2), to = luaL_checkinteger(L, 3);
    lua_Unsigned n = to >= from ? (lua_Unsigned)to - (lua_Unsigned)from : 0;
    luaL_checktype(L, 1, LUA_TTABLE);
    check_count(L, 1, n);
    if (!lua_isnoneornil(L, 5)) {
        luaL_checktype(L, 5, LUA_TTABLE);
        check_count(L, 5, n);
    }
    return call_original(L);
}

static int l_less(lua_State *L)
{
    lua_pushboolean(L, lua_compare(L, 1, 2, LUA_OPLT));
    return 1;
}

/* sort: always with a function, whose calls the hook sees */
static int l_sort(lua_State *L)
{
    check_length(L);
    lua_settop(L, 2);
    if (lua_isnil(L, 2)) {
        lua_pushcfunction(L, l_less);
        lua_replace(L, 2);
    }
    return call_original(L);
}

void hl_bound_libraries(lua_State *L)
{
    static const luaL_Reg STRING[] = { { "find", l_find },
                                       { "match", l_match },
                                       { "gmatch", l_gmatch },
                                       { "gsub", l_gsub },
                                       { NULL, NULL } };
    static const struct {
        const char *table, *name;
        lua_CFunction f;
        int place;
    } WRAPPED[] = {
        { "string", "rep", l_rep, 0 },         { "table", "sort", l_sort, 0 },
        { "table", "insert", l_by_length, 0 }, { "table", "move", l_move, 0 },
        { "table", "remove", l_by_length, 0 }, { "table", "concat", l_by_range, 3 },
        { "table", "unpack", l_by_range, 2 }
    };
    for (size_t i = 0; i < sizeof WRAPPED / sizeof *WRAPPED; i++) {
        lua_getglobal(L, WRAPPED[i].table);
        lua_getfield(L, -1, WRAPPED[i].name);
        lua_pushinteger(L, WRAPPED[i].place);
        lua_pushcclosure(L, WRAPPED[i].f, 2);
        lua_setfield(L, -2, WRAPPED[i].name);
        lua_pop(L, 1);
    }
    lua_getglobal(L, LUA_STRLIBNAME);
    luaL_setfuncs(L, STRING, 0);
    lua_pushnil(L);
    lua_setfield(L, -2, "dump");
    lua_pop(L, 1);
    lua_pushliteral(L, "");
    lua_getmetatable(L, -1);
    lua_pushliteral(L, "string"); /* every run's: scripts may look, not touch */
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 2);
}
