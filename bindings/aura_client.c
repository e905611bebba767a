/* Clients, as scripts see them: aura.auth, the default client, and client.try,
 * client.snapshot, ... */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "aura.h"
#include "profile.h"
#include "runtime.h"

#define CLIENT "aura.client"

/* What scripts hold of a client: the client itself, or client.try, client.snapshot, ...
 */
struct view {
    struct hl_client *client;
    bool try;
    char prefix[16]; /* "snapshot." or "" */
};

static int view_gc(lua_State *L)
{
    struct view *v = lua_touserdata(L, 1);
    hl_client_unref(v->client);
    v->client = NULL;
    return 0;
}

static void on_sent(void *ud, const struct hl_sent *s)
{
    struct halo_host *h = ud;
    char text[1024];
    char status[16] = "-";
    if (s->status)
        snprintf(status, sizeof status, "%d", s->status);
    int n =
        snprintf(text, sizeof text, "%s %s -> %s in %lld ms%s%s%s%s", s->method, s->path,
                 status, (long long)s->took_ms, *s->request_id ? ", request " : "",
                 s->request_id, *s->error ? ": " : "", s->error);
    hl_log(h, HALO_LOG_DEBUG, text,
           n > 0 && (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
    if (!h->cfg.event)
        return;
    /* a path may be longer than all of text: its beginning is enough to know the call */
    n = snprintf(
        text, sizeof text,
        "{\"event\":\"call\",\"time\":%lld,\"method\":\"%s\",\"path\":\"%.512s\","
        "\"status\":%d,\"ms\":%lld,"
        "\"attempt\":%d,\"request_id\":\"%s\"}",
        (long long)time(NULL), s->method, s->path, s->status, (long long)s->took_ms,
        s->attempt, strpbrk(s->request_id, "\"\\") ? "" : s->request_id);
    if (n > 0 && (size_t)n < sizeof text)
        hl_event(h, text, (size_t)n);
}

static void on_warn(void *ud, const char *text)
{
    hl_log(ud, HALO_LOG_WARN, text, strlen(text));
}

static void share(struct halo_host *h, struct hl_client *client)
{
    char why[512], text[640];
    hl_client_share(client, why, sizeof why);
    snprintf(text, sizeof text, "token cache: %s; it is not used", why);
    if (*why)
        on_warn(h, text);
}

/* What a client is to be made of; NULL: not given. */
struct wish {
    const char *base_url, *client_id, *client_secret, *profile;
};

/* The number of requests a minute, or -2 when AURA_RATE is not one. */
static int requests_per_minute(struct halo_host *h, int of_profile)
{
    const char *text = getenv("AURA_RATE");
    if (h->cfg.requests_per_minute || of_profile >= 0)
        return h->cfg.requests_per_minute ? h->cfg.requests_per_minute : of_profile;
    char *end = NULL;
    long n = text && *text ? strtol(text, &end, 10) : 125;
    return !end || (*end == '\0' && n >= 0 && n <= 1000000) ? (int)n : -2;
}

static const char *setting(const char *given, const char *env, const char *fallback)
{
    const char *value = given ? given : getenv(env);
    return value && *value ? value : fallback;
}

/* The name of the profile to use, or NULL: credentials that are given as such come before
 * a profile that is only the default. */
static const char *profile_of(const struct halo_host *h, const struct wish *w)
{
    bool own = w->client_id || w->client_secret;
    if (h->cfg.no_profiles || own)
        return NULL;
    if (w->profile || h->cfg.profile)
        return w->profile ? w->profile : h->cfg.profile;
    return h->cfg.client_id || h->cfg.client_secret ? NULL
                                                    : setting(NULL, "HALO_PROFILE", NULL);
}

/* What a script may not wish for; NULL when it is fine. */
static const char *forbidden(const struct halo_host *h, const struct wish *w)
{
    bool own = w->client_id && w->client_secret;
    if (h->cfg.restricted && w->profile)
        return "this host does not let scripts choose a profile";
    if (h->cfg.restricted && w->base_url && !own)
        return "this host's credentials may not be sent to another base_url";
    return NULL;
}

/* Makes a client of the wish and, for the rest, the profile, the configuration and the
 * environment. Frees what a profile gave. */
static int make_client(struct halo_host *h, const struct wish *w, struct hl_profile *p,
                       struct hl_client **out, char *why, size_t room)
{
    const char *name = profile_of(h, w);
    int err = name ? hl_profile_read(p, name, why, room) : HALO_OK;
    if (err != HALO_OK)
        return err;
    const char *id = name ? p->client_id : w->client_id, *url = w->base_url,
               *secret = name ? p->client_secret : w->client_secret;
    if (!url && name)
        url = p->base_url;
    url = setting(url ? url : h->cfg.base_url, "AURA_BASE_URL", "https://api.neo4j.io");
    id = setting(id ? id : h->cfg.client_id, "AURA_CLIENT_ID", NULL);
    secret = setting(secret ? secret : h->cfg.client_secret, "AURA_CLIENT_SECRET", NULL);
    int rate = requests_per_minute(h, name ? p->rate : -1);
    const char *ca_file = setting(h->cfg.ca_file, "AURA_CA_FILE", NULL);
    err = HALO_USAGE;
    if (!id || !secret)
        snprintf(why, room,
                 "%s not set: export AURA_CLIENT_ID and AURA_CLIENT_SECRET (Aura Console "
                 "> Account > API keys), or try without an account: halo --sandbox ...",
                 !id && !secret ? "AURA_CLIENT_ID and AURA_CLIENT_SECRET are"
                 : !id          ? "AURA_CLIENT_ID is"
                                : "AURA_CLIENT_SECRET is");
    else if (rate == -2)
        snprintf(why, room,
                 "AURA_RATE must be a number of requests a minute (0: no limit)");
    else
        err = hl_client_new(out, h->loop, url, id, secret, ca_file, rate, why, room);
    return err;
}

static struct hl_client *new_client(lua_State *L, const struct wish *w)
{
    struct halo_host *h = hl_host(L);
    struct hl_client *client = NULL;
    struct hl_profile profile = { 0 };
    char why[512] = "";
    const char *not = forbidden(h, w);
    if (!hl_budget_has(&h->budget, sizeof *client))
        lua_gc(L, LUA_GCCOLLECT); /* lets go of clients that nobody holds */
    if (!hl_budget_has(&h->budget, sizeof *client)) {
        hl_push_nomem(L);
        hl_raise(L, HALO_NOMEM, "auth", "%s", lua_tostring(L, -1));
    }
    if (not )
        hl_raise(L, HALO_DENIED, "auth", "%s", not );
    int err = make_client(h, w, &profile, &client, why, sizeof why);
    hl_profile_free(&profile);
    if (err != HALO_OK || !client) {
        hl_raise(L, err, "auth", "%s", *why ? why : halo_strerror(err));
        return NULL;
    }
    hl_client_charge(client, &h->budget);
    if (h->cfg.max_response > 0)
        client->max_body = h->cfg.max_response;
    client->sent = on_sent;
    client->warn = on_warn;
    client->ud = h;
    if (h->cfg.token_cache)
        share(h, client);
    return client;
}

static struct hl_client *default_client(lua_State *L)
{
    struct halo_host *h = hl_host(L);
    if (!h->client)
        h->client = new_client(L, &(struct wish){ 0 });
    return h->client;
}

bool hl_is_client(lua_State *L, int idx)
{
    return luaL_testudata(L, idx, CLIENT) != NULL;
}

/* The client of a view; a finalizer may come upon one that has been finalized. */
static struct hl_client *client_of(lua_State *L, const struct view *v)
{
    if (!v->client)
        hl_raise(L, HALO_USAGE, NULL, "this client has been collected");
    return v->client;
}

struct hl_client *hl_client_for(lua_State *L)
{
    struct view *v = luaL_testudata(L, 1, CLIENT);
    return v ? client_of(L, v) : default_client(L);
}

/* Pushes a view of no client yet.                                             [-0, +1, m]
 */
static struct view *push_view(lua_State *L)
{
    struct view *v = lua_newuserdatauv(L, sizeof *v, 0);
    memset(v, 0, sizeof *v);
    luaL_setmetatable(L, CLIENT);
    return v;
}

static const char *text_option(lua_State *L, const char *name)
{
    int type = lua_getfield(L, 1, name);
    if (type != LUA_TNIL && type != LUA_TSTRING)
        hl_raise(L, HALO_USAGE, "auth", "%s must be a string", name);
    return lua_tostring(L, -1); /* stays on the stack */
}

/* aura.auth{client_id=, client_secret=, base_url=, profile=} -> client: no request is
 * made; what is left out comes from the configuration and the environment. The first
 * client is the default one.                                                  [-0, +1, v]
 */
int hl_auth(lua_State *L)
{
    struct halo_host *h = hl_host(L);
    if (lua_isnoneornil(L, 1)) {
        lua_settop(L, 0);
        lua_newtable(L);
    }
    luaL_checktype(L, 1, LUA_TTABLE);
    for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
        const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "?";
        if (strcmp(name, "client_id") != 0 && strcmp(name, "client_secret") != 0 &&
            strcmp(name, "base_url") != 0 && strcmp(name, "profile") != 0)
            hl_raise(L, HALO_USAGE, "auth",
                     "unknown option '%s'; known are: client_id client_secret base_url "
                     "profile",
                     name);
    }
    struct view *v = push_view(L);
    struct wish w = { .base_url = text_option(L, "base_url"),
                      .client_id = text_option(L, "client_id"),
                      .client_secret = text_option(L, "client_secret"),
                      .profile = text_option(L, "profile") };
    if (w.profile && (w.client_id || w.client_secret))
        hl_raise(L, HALO_USAGE, "auth",
                 "give a profile, or client_id and client_secret, not both");
    v->client = new_client(L, &w);
    if (!h->client) {
        hl_client_ref(v->client);
        h->client = v->client;
    }
    lua_settop(L, 2);
    return 1;
}

/* client.NAME: upvalues 1 the functions by full name, 2 those of aura.try */
static int view_index(lua_State *L)
{
    struct view *v = luaL_checkudata(L, 1, CLIENT);
    const char *key = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
    bool try = strcmp(key, "try") == 0 && !v->try;
    const char *name = lua_pushfstring(L, "%s%s", v->prefix, key);
    if (!try && lua_getfield(L, lua_upvalueindex(v->try ? 2 : 1), name) == LUA_TFUNCTION)
        return 1;
    bool space = strcmp(key, "snapshot") == 0 || strcmp(key, "tenant") == 0 ||
                 strcmp(key, "key") == 0;
    if (v->prefix[0] || (!try && !space))
        return 0;
    struct hl_client *client = client_of(L, v);
    struct view *other = push_view(L);
    hl_client_ref(client);
    other->client = client;
    other->try = v->try || try;
    if (space)
        snprintf(other->prefix, sizeof other->prefix, "%s.", key);
    return 1;
}

void hl_open_client(lua_State *L, int functions, int trying)
{
    luaL_newmetatable(L, CLIENT);
    lua_pushvalue(L, functions);
    lua_pushvalue(L, trying);
    lua_pushcclosure(L, view_index, 2);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, view_gc);
    lua_setfield(L, -2, "__gc");
    lua_pushliteral(L, CLIENT);
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
}
