#include "loader.h"

#include <dirent.h>
#include <string.h>

#include <lauxlib.h>

#include "embedded.h"
#include "fs.h"
#include "../bindings/place.h"
#include "task.h"

enum { MAX_FILE = 4 * 1024 * 1024 };

static const struct hl_embedded *embedded(const char *path)
{
    size_t low = 0, high = hl_embedded_count;
    while (low < high) {
        size_t mid = (low + high) / 2;
        int order = strcmp(path, hl_embedded_files[mid].name);
        if (order == 0)
            return &hl_embedded_files[mid];
        if (order < 0)
            high = mid;
        else
            low = mid + 1;
    }
    return NULL;
}

static int free_text(lua_State *L)
{
    hl_buf_reset(lua_touserdata(L, 1));
    return 0;
}

/* Pushes the content of a file, or nothing. */
static bool push_file(lua_State *L, const char *path)
{
    struct hl_buf *text =
        lua_newuserdatauv(L, sizeof *text, 0); /* freed whatever fails */
    hl_buf_init(text, MAX_FILE);
    text->budget = &hl_host(L)->budget;
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, free_text);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    bool ok = hl_fs_read(path, text) == HALO_OK;
    if (ok) {
        lua_pushlstring(L, hl_buf_text(text), text->len);
        lua_insert(L, -2);
    }
    hl_buf_reset(text);
    lua_pop(L, 1);
    return ok;
}

bool hl_load_bundled(lua_State *L, const char *kind, const char *name)
{
    struct halo_host *h = hl_host(L);
    const char *dir =
        strcmp(kind, "scripts") == 0 ? h->cfg.scripts_dir : h->cfg.stdlib_dir;
    if (dir) {
        const char *path = lua_pushfstring(L, "%s/%s.lua", dir, name);
        if (push_file(L, path)) {
            lua_insert(L, -2);
            lua_pushfstring(L, "@%s", path);
            lua_remove(L, -2);
            return true;
        }
        lua_pop(L, 1);
        return false;
    }
    const char *path = lua_pushfstring(L, "%s/%s.lua", kind, name);
    const struct hl_embedded *e = embedded(path);
    if (!e) {
        lua_pop(L, 1);
        return false;
    }
    lua_pushlstring(L, e->text, e->len);
    lua_pushfstring(L, "@%s", e->name);
    lua_remove(L, -3);
    return true;
}

static int list_dir(lua_State *L)
{
    DIR **d = lua_touserdata(L, 1);
    lua_Integer n = 0;
    lua_newtable(L);
    for (struct dirent *e; (e = readdir(*d)) != NULL;) {
        size_t len = strlen(e->d_name);
        if (len <= 4 || strcmp(e->d_name + len - 4, ".lua") != 0)
            continue;
        lua_pushlstring(L, e->d_name, len - 4);
        lua_rawseti(L, -2, ++n);
    }
    return 1;
}

void hl_list_scripts(lua_State *L)
{
    const char *dir = hl_host(L)->cfg.scripts_dir;
    if (dir) {
        DIR *d = opendir(dir);
        lua_pushcfunction(L, list_dir);
        lua_pushlightuserdata(L, &d);
        if (!d)
            luaL_error(L, "cannot read %s", dir);
        int status = lua_pcall(L, 1, 1, 0);
        closedir(d);
        if (status != LUA_OK)
            lua_error(L);
        return;
    }
    lua_newtable(L);
    lua_Integer n = 0;
    for (size_t i = 0; i < hl_embedded_count; i++) {
        const char *name = hl_embedded_files[i].name;
        if (strncmp(name, "scripts/", 8) != 0)
            continue;
        lua_pushlstring(L, name + 8, strlen(name) - 8 - 4);
        lua_rawseti(L, -2, ++n);
    }
}

/* ---- require ---- */

static int load_text(lua_State *L)
{
    size_t len;
    const char *text = lua_tolstring(L, -2, &len);
    if (luaL_loadbufferx(L, text, len, lua_tostring(L, -1), "t") != LUA_OK)
        return lua_error(L);
    return 1;
}

int hl_search_stdlib(lua_State *L)
{
    const char *name = luaL_gsub(L, luaL_checkstring(L, 1), ".", "/");
    if (hl_load_bundled(L, "stdlib", name))
        return load_text(L);
    const char *init = lua_pushfstring(L, "%s/init", name);
    if (hl_load_bundled(L, "stdlib", init))
        return load_text(L);
    lua_pushfstring(L, "no stdlib module '%s'", lua_tostring(L, 1));
    return 1;
}

int hl_search_beside(lua_State *L)
{
    struct halo_run *run = hl_run_of(L);
    const char *name = luaL_gsub(L, luaL_checkstring(L, 1), ".", "/");
    if (!run || !run->dir) {
        lua_pushliteral(L, "no script folder");
        return 1;
    }
    const char *path = lua_pushfstring(L, "%s/%s.lua", run->dir, name), *place = path;
    if (run->confined) /* no symlink leads out of the folder */
        place = hl_push_place_in(L, run->dir, path);
    if (!place || !push_file(L, place)) {
        lua_pushfstring(L, "no file '%s'", path);
        return 1;
    }
    lua_pushfstring(L, "@%s", path);
    return load_text(L);
}
