#include "place.h"

#include <errno.h>
#include <string.h>

#include "answer.h"
#include "fs.h"
#include "host.h"
#include "modules.h"
#include "task.h"

#define PLACE "halo.place"

enum { ARGS_MAX = 3 }; /* of the functions of fs */

bool hl_confined(lua_State *L)
{
    const struct halo_run *run = hl_run_of(L);
    return hl_host(L)->cfg.restricted && (!run || run->confined);
}

static int place_close(lua_State *L)
{
    hl_place_close(luaL_checkudata(L, 1, PLACE));
    return 0;
}

/* Pushes a place that is closed with its userdata.                         [-0, +1, m] */
static struct hl_place *new_place(lua_State *L)
{
    struct hl_place *p = lua_newuserdatauv(L, sizeof *p, 0);
    p->fd = -1;
    luaL_newmetatable(L, PLACE);
    lua_pushcfunction(L, place_close);
    lua_setfield(L, -2, "__gc");
    lua_pushcfunction(L, place_close);
    lua_setfield(L, -2, "__close");
    lua_setmetatable(L, -2);
    return p;
}

static const struct hl_root *work_root(lua_State *L)
{
    struct halo_host *h = hl_host(L);
    if (!h->cfg.work_dir)
        hl_raise(L, HALO_DENIED, NULL,
                 "this host is restricted and has no work directory, so its scripts have "
                 "no files (give it one with --work-dir or work_dir)");
    if (h->root.fd < 0) {
        int err = hl_root_open(&h->root, h->cfg.work_dir, true);
        if (err != HALO_OK)
            hl_raise(L, err, NULL, "cannot open the work directory %s: %s",
                     h->cfg.work_dir, strerror(errno));
    }
    return &h->root;
}

int hl_work_dir(lua_State *L)
{
    return work_root(L)->fd;
}

static const char *check_text(lua_State *L, int arg)
{
    size_t len;
    const char *path = luaL_checklstring(L, arg, &len);
    luaL_argcheck(L, len > 0, arg, "empty path");
    luaL_argcheck(L, strlen(path) == len, arg, "path with a zero byte");
    return path;
}

/* Pushes "cannot use PATH: why". number: an errno.                         [-0, +1, m] */
static void push_why(lua_State *L, const char *path, int err, int number)
{
    char shown[300];
    hl_answer_show(shown, sizeof shown, path, strlen(path));
    if (err == HALO_DENIED)
        lua_pushfstring(L, "%s is not below the work directory %s", shown,
                        hl_host(L)->cfg.work_dir);
    else
        lua_pushfstring(L, "cannot use %s: %s", shown, strerror(number));
}

/* Makes the directories above a path, as far as they are below the root. */
static void make_parents(const struct hl_root *root, char *path)
{
    struct hl_place p = { .fd = -1 };
    for (char *slash = path; (slash = strchr(slash + 1, '/')) != NULL;) {
        *slash = '\0';
        if (hl_root_place(root, path, false, &p) == HALO_OK)
            hl_fs_mkdirs(p.path, 0700); /* what fails is told by what comes next */
        hl_place_close(&p);
        *slash = '/';
    }
}

/* Fills the place. */
static int find(lua_State *L, const char *path, enum hl_path_use use, struct hl_place *p)
{
    const struct hl_root *root = work_root(L);
    if (use == HL_DIRECTORIES) {
        size_t size = strlen(path) + 1;
        char *copy = lua_newuserdatauv(L, size, 0);
        memcpy(copy, path, size);
        make_parents(root, copy);
        lua_pop(L, 1);
    }
    int err = hl_root_place(root, path, use == HL_EXISTING, p);
    if (err == HALO_IO && errno == EBUSY && use == HL_DIRECTORIES) /* the root itself */
        err = hl_root_place(root, path, true, p);
    return err;
}

const char *hl_check_path(lua_State *L, int arg, enum hl_path_use use)
{
    const char *path = check_text(L, arg);
    if (!hl_confined(L))
        return path;
    if (lua_gettop(L) < ARGS_MAX)
        lua_settop(L, ARGS_MAX); /* what is pushed is no argument */
    struct hl_place *p = new_place(L);
    lua_toclose(L, -1);
    int err = find(L, path, use, p), number = errno;
    if (err != HALO_OK) {
        push_why(L, path, err, number);
        hl_raise(L, err, NULL, "%s", lua_tostring(L, -1));
    }
    return p->path;
}

const char *hl_look_path(lua_State *L, int arg)
{
    const char *path = check_text(L, arg);
    if (!hl_confined(L))
        return path;
    if (!hl_host(L)->cfg.work_dir) {
        lua_pushliteral(L, "there is no work directory");
        return NULL;
    }
    struct hl_place *p = new_place(L);
    lua_toclose(L, -1);
    int err = find(L, path, HL_EXISTING, p), number = errno;
    if (err == HALO_OK)
        return p->path;
    push_why(L, path, err, number);
    return NULL;
}

const char *hl_push_place_in(lua_State *L, const char *folder, const char *path)
{
    struct hl_root root;
    struct hl_place *p = new_place(L);
    if (hl_root_open(&root, folder, false) != HALO_OK)
        return NULL;
    int err = hl_root_place(&root, path, true, p);
    hl_root_close(&root);
    return err == HALO_OK ? p->path : NULL;
}
