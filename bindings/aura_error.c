/* A failed call as a Lua error, with a hint of what the operator can do. */
#include <string.h>

#include "aura.h"

/* The first row that fits gives the hint: NULL and 0 fit everything. */
static const struct {
    int err, status;
    const char *op, *text; /* text: part of the reason or of the message */
    const char *hint;
} HINTS[] = {
    { HALO_AUTH, 0, NULL, NULL,
      "check AURA_CLIENT_ID and AURA_CLIENT_SECRET (Aura Console > Account > API keys)" },
    { HALO_FORBIDDEN, 405, NULL, NULL,
      "the project may not create more instances: check its limits in the Aura Console" },
    { HALO_FORBIDDEN, 0, "create", NULL,
      "the credentials lack a permission, or the project has no active contract for this "
      "type (VDC): ask "
      "your Neo4j account team" },
    { HALO_FORBIDDEN, 0, NULL, NULL,
      "the API key's user needs the Instance Owner or Admin role in the project" },
    { HALO_INVALID, 0, "create", "billing",
      "add billing details in the Aura Console, then run this again" },
    { HALO_INVALID, 0, "create", NULL,
      "compare the values with what the project offers: halo -e 'for _, c in "
      "ipairs(require\"aura\".tenant.get(TENANT_ID).instance_configurations) do "
      "print(c.type, "
      "c.cloud_provider, c.region, c.memory, c.storage, c.version) end'" },
    { HALO_NOT_FOUND, 0, NULL, NULL, "check the id: halo list" },
    { HALO_CONFLICT, 0, NULL, "ongoing",
      "another operation is still running: wait for it and run this again" },
    { HALO_CONFLICT, 0, NULL, "snapshot-not-allowed",
      "a snapshot is already being taken: wait until it is complete" },
    { HALO_CONFLICT, 0, NULL, NULL, "look at the state of the instance: halo get ID" },
    { HALO_RATE_LIMITED, 0, NULL, "token",
      "15 tokens an hour are allowed per API key: wait, or use another key" },
    { HALO_RATE_LIMITED, 0, NULL, NULL,
      "other programs share this API key, or it has a lower limit: set AURA_RATE "
      "(requests a minute, 25 "
      "for trial keys)" },
    { HALO_AMBIGUOUS, 0, "create", NULL,
      "the instance may exist (and be billed): look before you try again: halo list" },
    { HALO_AMBIGUOUS, 0, NULL, NULL,
      "it may have been carried out: look before you try again: halo get ID" },
    { HALO_TRANSPORT, 0, NULL, "has expired",
      "the server needs a new certificate, or the clock of this machine is wrong; halo "
      "never skips the check" },
    { HALO_TRANSPORT, 0, NULL, "not yet valid",
      "is the clock of this machine right? halo never skips the check" },
    { HALO_TRANSPORT, 0, NULL, "subject name",
      "that server's certificate is for another host: check AURA_BASE_URL; halo never "
      "skips the check" },
    { HALO_TRANSPORT, 0, NULL, "certificate",
      "if your network re-signs TLS, name its CA with --cacert or AURA_CA_FILE; halo "
      "never skips the check" },
    { HALO_TRANSPORT, 0, NULL, "SSL",
      "if your network re-signs TLS, name its CA with --cacert or AURA_CA_FILE; halo "
      "never skips the check" },
    { HALO_TRANSPORT, 0, NULL, "response 407",
      "the proxy wants a user and a password: "
      "https_proxy=http://USER:PASSWORD@HOST:PORT" },
    { HALO_TRANSPORT, 0, NULL, "proxy",
      "check https_proxy; no_proxy names hosts that are reached without it" },
    { HALO_TRANSPORT, 0, NULL, NULL, "check the network, the proxy and AURA_BASE_URL" },
    { HALO_TIMEOUT, 0, "wait_for_status", NULL,
      "it may still get there: wait again, with a longer --timeout" },
    { HALO_FAILED, 0, NULL, NULL,
      "look at the instance in the Aura Console; contact Neo4j support with the request "
      "id" },
    { HALO_API, 0, NULL, NULL,
      "try again later; if it stays, contact Neo4j support with the request id" },
};

static const char *hint_for(const struct hl_failure *f, const char *op)
{
    for (size_t i = 0; i < sizeof HINTS / sizeof *HINTS; i++)
        if (HINTS[i].err == f->err &&
            (!HINTS[i].status || HINTS[i].status == f->status) &&
            (!HINTS[i].op || (op && strcmp(HINTS[i].op, op) == 0)) &&
            (!HINTS[i].text || strstr(f->reason, HINTS[i].text) ||
             strstr(f->message, HINTS[i].text)))
            return HINTS[i].hint;
    return NULL;
}

static void set_text(lua_State *L, const char *name, const char *text)
{
    if (!text || !*text)
        return;
    lua_pushstring(L, text);
    lua_setfield(L, -2, name);
}

/* Pushes the list in {"errors":[...]} where the body has one.                 [-0,
 * +(0|1), m] */
static int decode_errors(lua_State *L)
{
    const struct hl_call *c = lua_touserdata(L, 1);
    hl_json_decode(L, hl_buf_text(&c->answer), c->answer.len, false);
    if (lua_istable(L, -1))
        lua_getfield(L, -1, "errors");
    return lua_istable(L, -1) ? 1 : 0;
}

int hl_raise_failure(lua_State *L, const struct hl_failure *f, const char *op,
                     const struct hl_call *c)
{
    hl_push_error(L, f->err, op, "%s",
                  f->message[0] ? f->message : halo_strerror(f->err));
    int error = lua_gettop(L);
    set_text(L, "id", c->id);
    set_text(L, "method", hl_method_name(c->method));
    set_text(L, "path", c->path);
    set_text(L, "reason", f->reason);
    set_text(L, "field", f->field);
    set_text(L, "request_id", f->request_id);
    set_text(L, "hint", hint_for(f, op));
    lua_pushinteger(L, f->attempts);
    lua_setfield(L, error, "attempts");
    if (f->status) {
        lua_pushinteger(L, f->status);
        lua_setfield(L, error, "status");
    }
    if (c->answer.len > 0 && f->status >= 400) {
        lua_pushcfunction(L, decode_errors);
        lua_pushlightuserdata(L, (void *)c);
        int read = lua_pcall(L, 1, 1, 0);
        if (read == LUA_ERRMEM)
            return lua_error(L);
        if (read == LUA_OK && lua_istable(L, -1))
            lua_setfield(L, error, "errors");
        lua_settop(L, error);
    }
    if (c->answer.len > 0 && f->status >= 200 &&
        f->status < 300) { /* an answer that could not be read */
        lua_pushlstring(L, hl_buf_text(&c->answer), c->answer.len);
        lua_setfield(L, error, "body"); /* never shown: it may hold a password */
    }
    return lua_error(L);
}
