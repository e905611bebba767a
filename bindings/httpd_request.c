#include "modules.h"

#ifdef HALO_HTTPD

#include "httpd.h"

#define HANDLE "halo.httpd.handle"
#define REQUEST "halo.httpd.request"

enum { PAIRS_MAX = 100, REPLY_HEADERS_MAX = 32 };

/* Pointers into the connection's memory, gathered in a callback and pushed after it. */
struct pairs {
    struct {
        const char *key, *value;
        size_t key_len, value_len;
    } at[PAIRS_MAX];
    int count;
};

static enum MHD_Result gather(void *ud, enum MHD_ValueKind kind, const char *key,
                              size_t key_len, const char *value, size_t value_len)
{
    struct pairs *p = ud;
    (void)kind;
    p->at[p->count].key = key;
    p->at[p->count].key_len = key_len;
    p->at[p->count].value = value ? value : "";
    p->at[p->count].value_len = value ? value_len : 0;
    return ++p->count < PAIRS_MAX ? MHD_YES : MHD_NO;
}

/* Pushes a table of the headers or of the query.                           [-0, +1, m] */
static void push_pairs(lua_State *L, struct hl_request *r, enum MHD_ValueKind kind)
{
    struct pairs p;
    p.count = 0;
    r->server->mhd.get_connection_values_n(r->connection, kind, gather, &p);
    lua_createtable(L, 0, p.count);
    for (int i = 0; i < p.count; i++) {
        char lower[128];
        size_t len = p.at[i].key_len;
        if (kind == MHD_HEADER_KIND && len <= sizeof lower) {
            for (size_t j = 0; j < len; j++) {
                char c = p.at[i].key[j];
                lower[j] = c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c;
            }
            lua_pushlstring(L, lower, len);
        } else {
            lua_pushlstring(L, p.at[i].key, len);
        }
        lua_pushlstring(L, p.at[i].value, p.at[i].value_len);
        lua_rawset(L, -3);
    }
}

int hl_httpd_push_request(lua_State *L, struct hl_request *r)
{
    lua_createtable(L, 0, 6);
    lua_pushstring(L, r->method);
    lua_setfield(L, -2, "method");
    lua_pushstring(L, r->path);
    lua_setfield(L, -2, "path");
    push_pairs(L, r, MHD_GET_ARGUMENT_KIND);
    lua_setfield(L, -2, "query");
    push_pairs(L, r, MHD_HEADER_KIND);
    lua_setfield(L, -2, "headers");
    lua_pushlstring(L, hl_buf_text(&r->body), r->body.len);
    lua_setfield(L, -2, "body");
    struct hl_handle *h = lua_newuserdatauv(L, sizeof *h, 1);
    h->request = NULL;
    luaL_setmetatable(L, HANDLE);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, 1); /* the server lives as long as its requests */
    lua_setfield(L, -2, "handle");
    luaL_setmetatable(L, REQUEST);
    h->request = r; /* nothing raises from here on */
    r->handle = h;
    r->taken = true;
    return 1;
}

/* A whole number in the table at index; 0 when it is not there.            [-0, +0, v] */
static lua_Integer field(lua_State *L, int index, const char *name, lua_Integer most)
{
    int given = lua_getfield(L, index, name) != LUA_TNIL, whole;
    lua_Integer n = lua_tointegerx(L, -1, &whole);
    if (given && (!whole || n < 0 || n > most))
        luaL_argerror(L, index,
                      lua_pushfstring(L, "%s: not a whole number in range", name));
    lua_pop(L, 1);
    return given ? n : 0;
}

/* The options of reply at index.                                           [-0, +0, v] */
static struct hl_transport check_transport(lua_State *L, int index)
{
    struct hl_transport how = { 0 };
    if (lua_isnoneornil(L, index))
        return how;
    luaL_checktype(L, index, LUA_TTABLE);
    how.length = (uint64_t)field(L, index, "length", (lua_Integer)1 << 40);
    how.pad = (uint64_t)field(L, index, "pad", (lua_Integer)1 << 40);
    how.drip_ms = field(L, index, "drip_ms", 3600 * 1000);
    lua_getfield(L, index, "reset");
    how.reset = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return how;
}

/* request:reply(status [, headers [, body [, {length=, pad=, drip_ms=, reset=}]]])
 * -> was it still waiting. The last: see struct hl_transport.              [-5, +1, v] */
static int l_reply(lua_State *L)
{
    const char *headers[2 * REPLY_HEADERS_MAX + 1];
    int count = 0;
    size_t len;
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_Integer status = luaL_checkinteger(L, 2);
    luaL_argcheck(L, status >= 200 && status <= 599, 2, "expected 200 to 599");
    luaL_argexpected(L, lua_isnoneornil(L, 3) || lua_istable(L, 3), 3, "table");
    const char *body = luaL_optlstring(L, 4, "", &len);
    struct hl_transport how = check_transport(L, 5);
    lua_settop(L, 5);
    lua_getfield(L, 1, "handle");
    struct hl_handle *h = luaL_checkudata(L, 6, HANDLE);
    luaL_checkstack(L, 2 * REPLY_HEADERS_MAX + 8, "request:reply");
    lua_pushnil(L);
    while (lua_istable(L, 3) && lua_next(L, 3) != 0) {
        luaL_argcheck(L, count < REPLY_HEADERS_MAX, 3, "too many headers");
        luaL_argcheck(L, lua_type(L, -2) == LUA_TSTRING && lua_isstring(L, -1), 3,
                      "expected texts");
        headers[2 * count] = lua_tostring(L, -2);
        headers[2 * count + 1] = lua_tostring(L, -1);
        count++;
        lua_pushvalue(L,
                      -2); /* key and value stay on the stack: the table may lose them */
    }
    headers[2 * count] = NULL;
    struct hl_request *r = h->request;
    if (r && how.reset) {
        hl_httpd_reset(r);
    } else if (r) {
        if (!hl_httpd_answer(r, (unsigned)status, headers, body, len, &how))
            return luaL_argerror(L, 3, "not a valid answer");
        hl_httpd_resume(r);
    }
    lua_pushboolean(L, r != NULL);
    return 1;
}

/* request:connected() -> whether its client still waits for the answer     [-1, +1, v] */
static int l_connected(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_getfield(L, 1, "handle");
    struct hl_handle *h = luaL_checkudata(L, -1, HANDLE);
    lua_pushboolean(L, h->request && hl_httpd_connected(h->request));
    return 1;
}

/* A request that a script has dropped: its client shall not wait for ever. */
static int l_handle_gc(lua_State *L)
{
    static const char *const NO_HEADERS[] = { NULL };
    struct hl_handle *h = luaL_checkudata(L, 1, HANDLE);
    struct hl_request *r = h->request;
    if (r) {
        hl_httpd_answer(r, 500, NO_HEADERS, "", 0, NULL);
        hl_httpd_resume(r);
    }
    return 0;
}

static void new_metatable(lua_State *L, const char *name, const luaL_Reg *functions)
{
    luaL_newmetatable(L, name);
    luaL_setfuncs(L, functions, 0);
}

void hl_httpd_open_requests(lua_State *L)
{
    static const luaL_Reg HANDLES[] = { { "__gc", l_handle_gc }, { NULL, NULL } };
    static const luaL_Reg REQUESTS[] = { { "reply", l_reply },
                                         { "connected", l_connected },
                                         { NULL, NULL } };
    new_metatable(L, HANDLE, HANDLES);
    new_metatable(L, REQUEST, REQUESTS);
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 2);
}

#endif
