#include "fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "answer.h"
#include "filelock.h"
#include "modules.h"
#include "place.h"
#include "runtime.h"

#define BUFFER "halo.buffer"
#define LOCK "halo.filelock"

enum { READ_MAX = 16 * 1024 * 1024, LIST_MAX = 64 * 1024 * 1024 };

/* Raises {kind="io", message="cannot write X: No space left on device"}.   [-0, +0, v] */
static int raise(lua_State *L, int err, const char *what, int arg)
{
    char shown[300];
    int number = errno;
    const char *path = lua_tostring(L, arg);
    hl_answer_show(shown, sizeof shown, path, strlen(path));
    if (err == HALO_NOMEM) {
        hl_push_nomem(L);
        return hl_raise(L, err, NULL, "cannot %s %s: %s", what, shown,
                        lua_tostring(L, -1));
    }
    if (number == EFBIG && strcmp(what, "read") == 0)
        return hl_raise(L, HALO_IO, NULL, "cannot read %s: larger than allowed", shown);
    return hl_raise(L, HALO_IO, NULL, "cannot %s %s: %s", what, shown, strerror(number));
}

static mode_t check_mode(lua_State *L, int arg, mode_t fallback)
{
    lua_Integer mode = luaL_optinteger(L, arg, (lua_Integer)fallback);
    luaL_argcheck(L, mode >= 0 && mode <= 0777, arg, "expected permissions, 0 to 0777");
    return (mode_t)mode;
}

static int buffer_gc(lua_State *L)
{
    hl_buf_reset(luaL_checkudata(L, 1, BUFFER));
    return 0;
}

/* A buffer that an error cannot leak.                                      [-0, +1, m] */
static struct hl_buf *new_buffer(lua_State *L, size_t limit)
{
    struct hl_buf *b = lua_newuserdatauv(L, sizeof *b, 0);
    hl_buf_init(b, limit);
    b->budget = &hl_host(L)->budget;
    luaL_newmetatable(L, BUFFER);
    lua_pushcfunction(L, buffer_gc);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    return b;
}

/* fs.read(path [, max_bytes]) -> text                                      [-2, +1, v] */
static int l_read(lua_State *L)
{
    const char *path = hl_check_path(L, 1, HL_EXISTING);
    lua_Integer max = luaL_optinteger(L, 2, READ_MAX);
    luaL_argcheck(L, max >= 0 && max < (lua_Integer)1 << 40, 2,
                  "expected a size in bytes");
    struct hl_buf *b = new_buffer(L, (size_t)max);
    int err = hl_fs_read(path, b);
    if (err != HALO_OK)
        return raise(L, err, "read", 1);
    lua_pushlstring(L, hl_buf_text(b), b->len);
    hl_buf_reset(b);
    return 1;
}

/* fs.head(path, bytes) -> its first bytes                                  [-2, +1, v] */
static int l_head(lua_State *L)
{
    lua_Integer bytes = luaL_checkinteger(L, 2);
    luaL_argcheck(L, bytes > 0 && bytes <= READ_MAX, 2, "expected a size in bytes");
    const char *path = hl_check_path(L, 1, HL_EXISTING);
    luaL_Buffer b;
    char *to = luaL_buffinitsize(L, &b, (size_t)bytes);
    int fd = hl_fs_open(path, O_RDONLY | O_NOCTTY | O_NONBLOCK, 0);
    ssize_t n = -1, len = 0;
    while (fd >= 0 && (n = read(fd, to + len, (size_t)(bytes - len))) > 0)
        len += n;
    int number = errno;
    if (fd >= 0)
        close(fd);
    errno = number;
    if (n < 0)
        return raise(L, HALO_IO, "read", 1);
    luaL_pushresultsize(&b, (size_t)len);
    return 1;
}

/* fs.write(path, text [, mode]): atomic and durable                        [-3, +0, v] */
static int l_write(lua_State *L)
{
    size_t len;
    const char *path = hl_check_path(L, 1, HL_NAME);
    const char *text = luaL_checklstring(L, 2, &len);
    int err = hl_fs_write(path, text, len, check_mode(L, 3, 0600));
    return err == HALO_OK ? 0 : raise(L, err, "write", 1);
}

/* fs.append(path, text [, mode]): durable                                  [-3, +0, v] */
static int l_append(lua_State *L)
{
    size_t len;
    const char *path = hl_check_path(L, 1, HL_NAME);
    const char *text = luaL_checklstring(L, 2, &len);
    int err = hl_fs_append(path, text, len, check_mode(L, 3, 0600));
    return err == HALO_OK ? 0 : raise(L, err, "write", 1);
}

/* fs.mkdir(path [, mode]): with its parents; an existing one is fine       [-2, +0, v] */
static int l_mkdir(lua_State *L)
{
    mode_t mode = check_mode(L, 2, 0700);
    const char *path = hl_check_path(L, 1, HL_DIRECTORIES);
    int err = hl_fs_mkdirs(path, mode);
    return err == HALO_OK ? 0 : raise(L, err, "create directory", 1);
}

/* fs.stat(path) -> {type=, size=, mode=, mtime=} or nil, message     [-1, * +(1|2), e] */
static int l_stat(lua_State *L)
{
    struct stat st;
    const char *path = hl_look_path(L, 1);
    if (!path || stat(path, &st) != 0) {
        lua_pushnil(L);
        lua_pushstring(L, path ? strerror(errno) : lua_tostring(L, -2));
        return 2;
    }
    lua_createtable(L, 0, 4);
    lua_pushstring(L, S_ISREG(st.st_mode)   ? "file"
                      : S_ISDIR(st.st_mode) ? "directory"
                                            : "other");
    lua_setfield(L, -2, "type");
    lua_pushinteger(L, (lua_Integer)st.st_size);
    lua_setfield(L, -2, "size");
    lua_pushinteger(L, (lua_Integer)(st.st_mode & 07777));
    lua_setfield(L, -2, "mode");
    lua_pushnumber(L,
                   (lua_Number)st.st_mtim.tv_sec + (lua_Number)st.st_mtim.tv_nsec / 1e9);
    lua_setfield(L, -2, "mtime");
    return 1;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Fills b with the names in dir, each ended by a NUL. *count: how many. */
static int read_names(const char *dir, struct hl_buf *b, size_t *count)
{
    DIR *d = opendir(dir);
    int err = d ? HALO_OK : HALO_IO;
    while (err == HALO_OK) {
        errno = 0;
        struct dirent *e = readdir(d);
        if (!e) {
            err = errno ? HALO_IO : HALO_OK;
            break;
        }
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        err = hl_buf_append(b, e->d_name, strlen(e->d_name) + 1);
        ++*count;
    }
    int saved = errno;
    if (d)
        closedir(d);
    errno = saved;
    return err == HALO_IO && saved == ENOMEM ? HALO_NOMEM : err;
}

/* fs.list(dir) -> names, sorted by their bytes                             [-1, +1, v] */
static int l_list(lua_State *L)
{
    const char *dir = hl_check_path(L, 1, HL_EXISTING);
    struct hl_buf *b = new_buffer(L, LIST_MAX);
    size_t count = 0;
    int err = read_names(dir, b, &count);
    if (err != HALO_OK)
        return raise(L, err, "list", 1);
    const char **names = lua_newuserdatauv(L, count * sizeof *names + 1, 0);
    const char *name = hl_buf_text(b);
    for (size_t i = 0; i < count; i++, name += strlen(name) + 1)
        names[i] = name;
    qsort(names, count, sizeof *names, by_name);
    lua_createtable(L, (int)count, 0);
    for (size_t i = 0; i < count; i++) {
        lua_pushstring(L, names[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    hl_buf_reset(b);
    return 1;
}

/* fs.sha256(path) -> 64 hex digits                                         [-1, +1, v] */
static int l_sha256(lua_State *L)
{
    char hex[65];
    const char *path = hl_check_path(L, 1, HL_EXISTING);
    int err = hl_fs_sha256(path, hex);
    if (err != HALO_OK)
        return raise(L, err, "read", 1);
    lua_pushstring(L, hex);
    return 1;
}

/* fs.move(from, to): never overwrites                                      [-2, +0, v] */
static int l_move(lua_State *L)
{
    const char *from = hl_check_path(L, 1, HL_NAME), *to = hl_check_path(L, 2, HL_NAME);
    int err = hl_fs_move(from, to);
    if (err == HALO_OK)
        return 0;
    return raise(L, err, "move to", errno == ENOENT && access(from, F_OK) != 0 ? 1 : 2);
}

/* fs.copy(from, to): never overwrites                                      [-2, +0, v] */
static int l_copy(lua_State *L)
{
    const char *from = hl_check_path(L, 1, HL_EXISTING),
               *to = hl_check_path(L, 2, HL_NAME);
    int err = hl_fs_copy(from, to);
    return err == HALO_OK ? 0 : raise(L, err, "copy to", 2);
}

/* fs.remove(path): a file or an empty directory                            [-1, +0, v] */
static int l_remove(lua_State *L)
{
    const char *path = hl_check_path(L, 1, HL_NAME);
    int err = remove(path) == 0 ? hl_fs_sync_parent(path) : HALO_IO;
    return err == HALO_OK ? 0 : raise(L, err, "remove", 1);
}

/* fs.sync(dir)                                                             [-1, +0, v] */
static int l_sync(lua_State *L)
{
    const char *dir = hl_check_path(L, 1, HL_EXISTING);
    int err = hl_fs_sync_dir(dir);
    return err == HALO_OK ? 0 : raise(L, err, "sync directory", 1);
}

/* fs.tempdir() -> path of a fresh directory, mode 0700                     [-0, +1, v] */
static int l_tempdir(lua_State *L)
{
    lua_settop(L, 0);
    char path[4096];
    if (hl_confined(L)) {
        snprintf(path, sizeof path, "/proc/self/fd/%d/halo-XXXXXX", hl_work_dir(L));
        if (mkdtemp(path))
            lua_pushfstring(L, "%s%s", hl_host(L)->cfg.work_dir, strrchr(path, '/'));
    } else if (hl_fs_tempdir(path, sizeof path) == HALO_OK) {
        lua_pushstring(L, path);
    }
    if (lua_gettop(L) > 0)
        return 1;
    lua_pushliteral(L, "for a while");
    return raise(L, HALO_IO, "create a directory", 1);
}

/* ---- a locked file ---- */

struct lock {
    int fd; /* -1: closed */
};

static struct lock *check_lock(lua_State *L)
{
    struct lock *l = luaL_checkudata(L, 1, LOCK);
    luaL_argcheck(L, l->fd >= 0, 1, "closed");
    return l;
}

/* lock:close(), __close and __gc                                           [-1, +0, v] */
static int lock_close(lua_State *L)
{
    struct lock *l = luaL_checkudata(L, 1, LOCK);
    if (l->fd >= 0) {
        close(l->fd);
        hl_drop_files(hl_host(L), 1);
    }
    l->fd = -1;
    return 0;
}

/* lock:append(text): durable                                               [-2, +0, v] */
static int lock_append(lua_State *L)
{
    size_t len;
    struct lock *l = check_lock(L);
    const char *text = luaL_checklstring(L, 2, &len);
    lua_getiuservalue(L, 1, 1);
    int err = hl_filelock_append(l->fd, text, len);
    return err == HALO_OK ? 0 : raise(L, err, "write", lua_gettop(L));
}

/* lock:cut(size): keeps the first bytes                                    [-2, +0, v] */
static int lock_cut(lua_State *L)
{
    struct lock *l = check_lock(L);
    lua_Integer size = luaL_checkinteger(L, 2);
    luaL_argcheck(L, size >= 0, 2, "expected a size in bytes");
    lua_getiuservalue(L, 1, 1);
    int err = hl_filelock_cut(l->fd, (off_t)size);
    return err == HALO_OK ? 0 : raise(L, err, "write", lua_gettop(L));
}

/* fs.lock(path [, mode]) -> lock, pid of this process; nil when it is taken
 *                                                                    [-2, * +(1|2), v] */
static int l_lock(lua_State *L)
{
    mode_t mode = check_mode(L, 2, 0600);
    const char *path = hl_check_path(L, 1, HL_NAME);
    struct lock *l = lua_newuserdatauv(L, sizeof *l, 1);
    l->fd = -1;
    luaL_setmetatable(L, LOCK);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, 1);
    hl_take_files(L, 1);
    int err = hl_filelock_open(path, mode, &l->fd);
    if (err != HALO_OK) {
        l->fd = -1;
        hl_drop_files(hl_host(L), 1);
    }
    if (err == HALO_BUSY) {
        lua_pushnil(L);
        return 1;
    }
    if (err != HALO_OK)
        return raise(L, err, "open", 1);
    lua_pushinteger(L, (lua_Integer)getpid());
    return 2;
}

/* fs.locked(path) -> whether a process holds its lock                      [-1, +1, v] */
static int l_locked(lua_State *L)
{
    bool held;
    const char *path = hl_check_path(L, 1, HL_NAME);
    int err = hl_filelock_held(path, &held);
    if (err != HALO_OK)
        return raise(L, err, "open", 1);
    lua_pushboolean(L, held);
    return 1;
}

static void make_lock_type(lua_State *L)
{
    static const luaL_Reg META[] = { { "__gc", lock_close },
                                     { "__close", lock_close },
                                     { NULL, NULL } };
    static const luaL_Reg METHODS[] = { { "append", lock_append },
                                        { "cut", lock_cut },
                                        { "close", lock_close },
                                        { NULL, NULL } };
    luaL_newmetatable(L, LOCK);
    luaL_setfuncs(L, META, 0);
    luaL_newlib(L, METHODS);
    lua_setfield(L, -2, "__index");
    lua_pushliteral(L, LOCK); /* scripts may look, not touch */
    lua_setfield(L, -2, "__metatable");
    lua_pop(L, 1);
}

int hl_open_fs(lua_State *L)
{
    static const luaL_Reg FUNCTIONS[] = {
        { "read", l_read },       { "head", l_head },     { "write", l_write },
        { "append", l_append },   { "mkdir", l_mkdir },   { "stat", l_stat },
        { "list", l_list },       { "sha256", l_sha256 }, { "move", l_move },
        { "copy", l_copy },       { "remove", l_remove }, { "sync", l_sync },
        { "tempdir", l_tempdir }, { "lock", l_lock },     { "locked", l_locked },
        { NULL, NULL },
    };
    make_lock_type(L);
    luaL_newlib(L, FUNCTIONS);
    return 1;
}
