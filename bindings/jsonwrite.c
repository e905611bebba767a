/* The writing half of json.h. */
#include "json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "modules.h"

/* The text grows in a userdata in a fixed stack slot: Lua's memory, so that an error
 * anywhere frees it. (A luaL_Buffer allows nothing else on the stack while it is added
 * to.) */
struct writer {
    lua_State *L;
    int slot;
    char *data;
    size_t len, cap;
    bool pretty;
    int depth;
    struct {
        const char *key; /* NULL: an index */
        lua_Integer index;
    } path[HL_JSON_DEPTH]; /* where we are, for messages */
};

struct key {
    const char *text; /* anchored on Lua's stack */
    size_t len;
};

static void write_value(struct writer *w, int idx);

static void add(struct writer *w, const char *text, size_t len)
{
    if (len > w->cap - w->len) {
        size_t cap = w->cap;
        while (len > cap - w->len)
            cap *= 2; /* what is in memory twice over does not overflow */
        luaL_checkstack(w->L, 1, "JSON");
        char *data = lua_newuserdatauv(w->L, cap, 0);
        memcpy(data, w->data, w->len);
        lua_replace(w->L, w->slot);
        w->data = data;
        w->cap = cap;
    }
    memcpy(w->data + w->len, text, len);
    w->len += len;
}

static void add_char(struct writer *w, char c)
{
    add(w, &c, 1);
}

static void new_line(struct writer *w)
{
    if (!w->pretty)
        return;
    add_char(w, '\n');
    for (int i = 0; i < w->depth; i++)
        add(w, "  ", 2);
}

/* Raises "cannot write a function as JSON (at .tags[3])".                  [-0, +0, v] */
static void refuse(struct writer *w, const char *what)
{
    lua_State *L = w->L;
    char at[160] = "";
    int n = 0;
    for (int i = 0; i < w->depth && i < HL_JSON_DEPTH && n < (int)sizeof at; i++) {
        if (w->path[i].key)
            n += snprintf(at + n, sizeof at - (size_t)n, ".%.40s", w->path[i].key);
        else
            n += snprintf(at + n, sizeof at - (size_t)n, "[%lld]",
                          (long long)w->path[i].index);
    }
    hl_raise(L, HALO_INVALID, NULL, "cannot write %s as JSON%s%s%s", what,
             n > 0 ? " (at " : "", at, n > 0 ? ")" : "");
}

/* Whether the character at s needs no escape. What is written may end on a terminal: DEL and
 * the C1 controls (U+0080 to U+009F, two bytes) are escaped like the other controls. */
static bool is_plain(const char *s, const char *end)
{
    unsigned char c = (unsigned char)*s;
    unsigned char next = s + 1 < end ? (unsigned char)s[1] : 0;
    return c >= 0x20 && c != '"' && c != '\\' && c != 0x7F &&
           !(c == 0xC2 && next >= 0x80 && next < 0xA0);
}

static void write_string(struct writer *w, const char *s, size_t len)
{
    static const char SHORT[32] = {
        ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'
    };
    add_char(w, '"');
    const char *end = s + len;
    for (const char *from = s; s < end; from = s) {
        while (s < end && is_plain(s, end))
            s++;
        add(w, from, (size_t)(s - from));
        if (s == end)
            break;
        unsigned char c = (unsigned char)*s++;
        char escape[8] = { '\\', (char)c };
        if (c < 0x20 && SHORT[c])
            escape[1] = SHORT[c];
        else if (c != '"' && c != '\\')
            snprintf(escape, sizeof escape, "\\u%04x",
                     c == 0xC2 ? (unsigned char)*s++ : c);
        add(w, escape, strlen(escape));
    }
    add_char(w, '"');
}

/* The shortest text that gives the same number when it is read back. */
static void write_float(struct writer *w, lua_Number n)
{
    char text[40];
    if (!isfinite(n)) {
        refuse(w, "a number that is not finite");
        return;
    }
    if (fabs(n) < 9007199254740992.0 && floor(n) == n) {
        snprintf(text, sizeof text, "%.0f", n);
    } else {
        for (int digits = 15; digits <= 17; digits++) {
            snprintf(text, sizeof text, "%.*g", digits, n);
            if (strtod(text, NULL) == n)
                break;
        }
    }
    char *comma = strchr(text, ','); /* the embedding program's locale */
    if (comma)
        *comma = '.';
    add(w, text, strlen(text));
}

static int by_bytes(const void *a, const void *b)
{
    const struct key *x = a, *y = b;
    int order = memcmp(x->text, y->text, x->len < y->len ? x->len : y->len);
    return order != 0 ? order : (x->len > y->len) - (x->len < y->len);
}

static void write_array(struct writer *w, int t, lua_Integer count)
{
    add_char(w, '[');
    w->depth++;
    for (lua_Integer i = 1; i <= count; i++) {
        if (i > 1)
            add_char(w, ',');
        new_line(w);
        w->path[w->depth - 1].key = NULL;
        w->path[w->depth - 1].index = i;
        lua_rawgeti(w->L, t, i);
        write_value(w, lua_gettop(w->L));
        lua_pop(w->L, 1);
    }
    w->depth--;
    if (count > 0)
        new_line(w);
    add_char(w, ']');
}

static void write_object(struct writer *w, int t, size_t count)
{
    lua_State *L = w->L;
    struct key *keys = lua_newuserdatauv(L, count * sizeof *keys + 1, 0);
    /* The table itself does not keep them: a finalizer run by an allocation may change
     * it. */
    lua_createtable(L, (int)count, 0);
    int anchor = lua_gettop(L);
    size_t n = 0;
    for (lua_pushnil(L); lua_next(L, t) != 0 && n < count; lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING)
            continue;
        keys[n].text = lua_tolstring(L, -2, &keys[n].len);
        lua_pushvalue(L, -2);
        lua_rawseti(L, anchor, (lua_Integer)++n);
    }
    lua_settop(L, anchor);
    qsort(keys, n, sizeof *keys, by_bytes);
    add_char(w, '{');
    w->depth++;
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            add_char(w, ',');
        new_line(w);
        write_string(w, keys[i].text, keys[i].len);
        add(w, ": ", w->pretty ? 2 : 1);
        w->path[w->depth - 1].key = keys[i].text;
        lua_pushlstring(L, keys[i].text, keys[i].len);
        lua_rawget(L, t);
        write_value(w, lua_gettop(L));
        lua_pop(L, 1);
    }
    w->depth--;
    if (n > 0)
        new_line(w);
    add_char(w, '}');
    lua_pop(L, 2);
}

static bool is_marked(lua_State *L, int t)
{
    if (!lua_getmetatable(L, t))
        return false;
    hl_json_array_mark(L);
    bool is = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return is;
}

static void write_table(struct writer *w, int t)
{
    lua_State *L = w->L;
    if (w->depth >= HL_JSON_DEPTH)
        refuse(w, "a table that contains itself or is nested deeper than 64");
    luaL_checkstack(L, 12, "JSON");
    lua_Integer strings = 0, integers = 0, last = 0;
    for (lua_pushnil(L); lua_next(L, t) != 0; lua_pop(L, 1)) {
        if (lua_type(L, -2) == LUA_TSTRING) {
            strings++;
        } else if (lua_isinteger(L, -2) && lua_tointeger(L, -2) >= 1) {
            lua_Integer i = lua_tointeger(L, -2);
            integers++;
            last = i > last ? i : last;
        } else {
            refuse(w, "a table with keys that are neither strings nor 1, 2, ...");
        }
    }
    if (last != integers)
        refuse(w, "an array with holes");
    if (strings > 0 && (integers > 0 || is_marked(L, t)))
        refuse(w, "a table that is both array and object");
    if (integers > 0 || (strings == 0 && is_marked(L, t)))
        write_array(w, t, integers);
    else
        write_object(w, t, (size_t)strings);
}

static void write_value(struct writer *w, int idx)
{
    lua_State *L = w->L;
    size_t len;
    char digits[32];
    switch (lua_type(L, idx)) {
    case LUA_TNIL:
        add(w, "null", 4);
        return;
    case LUA_TBOOLEAN:
        if (lua_toboolean(L, idx))
            add(w, "true", 4);
        else
            add(w, "false", 5);
        return;
    case LUA_TNUMBER:
        if (lua_isinteger(L, idx)) {
            snprintf(digits, sizeof digits, LUA_INTEGER_FMT, lua_tointeger(L, idx));
            add(w, digits, strlen(digits));
        } else {
            write_float(w, lua_tonumber(L, idx));
        }
        return;
    case LUA_TSTRING: {
        const char *s = lua_tolstring(L, idx, &len);
        write_string(w, s, len);
        return;
    }
    case LUA_TTABLE:
        write_table(w, idx);
        return;
    case LUA_TLIGHTUSERDATA:
        if (!lua_touserdata(L, idx)) {
            add(w, "null", 4);
            return;
        }
        break;
    default:
        break;
    }
    char what[40];
    snprintf(what, sizeof what, "a %s", luaL_typename(L, idx));
    refuse(w, what);
}

void hl_json_encode(lua_State *L, int idx, bool pretty)
{
    struct writer w = { .L = L, .pretty = pretty, .cap = 256 };
    luaL_checkstack(L, 4, "JSON");
    idx = lua_absindex(L, idx);
    w.data = lua_newuserdatauv(L, w.cap, 0);
    w.slot = lua_gettop(L);
    write_value(&w, idx);
    lua_pushlstring(L, w.data, w.len);
    lua_remove(L, w.slot);
}
