/* require "aura" in states of a C program: several at a time, in threads, beside libhalo;
 * closed with clients alive. argv[1]: the folder of aura.so. Needs a sandbox. */
#include <halo.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

static const char *folder;
static atomic_int failures;
static int own; /* what the embedder keeps in the extra space of a state */

static void check(const char *what, int ok, const char *got)
{
    if (!ok) {
        fprintf(stderr, "%s: got %s\n", what, got ? got : "NULL");
        failures++;
    }
}

static lua_State *open_state(void)
{
    lua_State *L = luaL_newstate();
    *(void **)lua_getextraspace(L) = &own;
    luaL_openlibs(L);
    lua_getglobal(L, "package");
    lua_pushfstring(L, "%s/?.so", folder);
    lua_setfield(L, -2, "cpath");
    lua_settop(L, 0);
    return L;
}

/* Runs code that returns a string, on a thread of the state. */
static void run(lua_State *L, const char *code, const char *want)
{
    if (luaL_dostring(L, code) != LUA_OK)
        luaL_tolstring(L, -1, NULL);
    const char *got = lua_tostring(L, -1);
    check(code, got && strcmp(got, want) == 0, got);
    check("extra space", *(void **)lua_getextraspace(L) == &own, "another value");
    lua_settop(L, 0);
}

#define GET "return require 'aura'.get('3fa29c1e').name"

/* A state with a client, and a connection, that are there until it is closed. */
static void *use(void *ud)
{
    lua_State *L = open_state();
    (void)ud;
    run(L, GET, "orders-prod");
    run(L, "client = require 'aura'.auth {} return client:get('3fa29c1e').name",
        "orders-prod");
    lua_close(L);
    return NULL;
}

static int reports;

static int l_report(lua_State *L)
{
    const char *err = luaL_tolstring(L, 2, NULL);
    check("finalizer", !lua_toboolean(L, 1) && strstr(err, "being closed"), err);
    reports++;
    return 0;
}

/* A finalizer that is older than the module runs after its host has ended. */
static void test_finalizer(void)
{
    lua_State *L = open_state();
    lua_register(L, "report", l_report);
    run(L,
        "local aura\n"
        "keep = setmetatable({}, { __gc = function()\n"
        "    report(pcall(aura.get, '3fa29c1e'))\n"
        "    report(pcall(aura.try.list))\n"
        "    report(pcall(aura.wait_for_status, '3fa29c1e', 'running'))\n"
        "    report(pcall(aura.auth))\n"
        "end })\n"
        "aura = require 'aura'\n"
        "return aura.get('3fa29c1e').name",
        "orders-prod");
    lua_close(L);
    check("finalizer", reports == 4, "too few reports");
}

static void on_hook(lua_State *L, lua_Debug *ar)
{
    (void)ar;
    lua_sethook(L, NULL, 0, 0);
    luaL_error(L, "interrupted!");
}

/* A hook that a signal has set just before a wait begins, as no instruction comes between
 * them to run it. */
static void test_due_hook(void)
{
    lua_State *L = open_state();
    run(L,
        "local aura = require 'aura' aura.get('3fa29c1e')\n"
        "get = aura.get return 'ready'",
        "ready");
    lua_getglobal(L, "get");
    lua_pushliteral(L, "3fa29c1e");
    lua_sethook(L, on_hook, LUA_MASKCOUNT, 1);
    int status = lua_pcall(L, 1, 1, 0);
    lua_sethook(L, NULL, 0, 0);
    const char *err = luaL_tolstring(L, -1, NULL);
    check("due hook", status != LUA_OK && strstr(err, "cancelled"), err);
    lua_close(L);
}

int main(int argc, char **argv)
{
    pthread_t threads[2];
    halo_host *h = NULL;
    halo_run *r = NULL;
    const char *json = NULL;
    (void)argc;
    folder = argv[1];
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, use, NULL);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);

    check("halo_open", halo_open(&h, NULL) == HALO_OK, "an error");
    lua_State *a = open_state(), *b = open_state();
    lua_State *before = lua_newthread(a);
    run(a, GET, "orders-prod");
    run(b, GET, "orders-prod");
    run(before, GET, "orders-prod");
    check("halo", halo_start_string(h, "embedded", GET, NULL, &r) == HALO_OK, "an error");
    check("halo", halo_wait(r) == HALO_OK, halo_message(r));
    check("halo", halo_result(r, &json, NULL) == HALO_OK, "an error");
    check("halo", json && strcmp(json, "\"orders-prod\"") == 0, json);
    lua_close(a);
    run(b, GET, "orders-prod");
    halo_close(h);
    run(b, GET, "orders-prod");
    lua_close(b);
    test_finalizer();
    test_due_hook();
    return failures != 0;
}
