#include "root.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <halo.h>

#include "fs.h"

/* Makes a path absolute and normal: no ".", "..", "//" and no '/' at the end. What symlinks
 * make of ".." does not matter: the result is only looked up below the root. malloc'ed. */
static char *normal(const char *path)
{
    char *cwd = *path == '/' ? strdup("") : getcwd(NULL, 0), *full = NULL;
    if (!cwd || asprintf(&full, "%s/%s", cwd, path) < 0)
        full = NULL;
    free(cwd);
    if (!full)
        return NULL;
    size_t len = 0;
    for (const char *p = full; *p;) {
        size_t n = strcspn(++p, "/");
        if (n == 2 && p[0] == '.' && p[1] == '.') {
            while (len > 0 && full[--len] != '/')
                ;
        } else if (n > 0 && !(n == 1 && p[0] == '.')) {
            full[len++] = '/';
            memmove(full + len, p, n);
            len += n;
        }
        p += n;
    }
    full[len] = '\0';
    return full;
}

/* Opens a name that is no symlink. */
static int find_one(int at, const char *name, int flags)
{
    struct stat st;
    int fd = openat(at, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0)
        return fd;
    bool link = S_ISLNK(st.st_mode), wrong = flags & O_DIRECTORY && !S_ISDIR(st.st_mode);
    if (!link && !wrong)
        return fd;
    close(fd);
    errno = link ? ELOOP : ENOTDIR;
    return -1;
}

int hl_root_find_by_name(int dir, const char *relative, int flags)
{
    int at = fcntl(dir, F_DUPFD_CLOEXEC, 0);
    for (const char *p = relative; at >= 0 && *p;) {
        char name[256];
        size_t n = strcspn(p, "/");
        bool last = p[n] == '\0';
        int next = -1;
        errno = ENAMETOOLONG;
        if (n < sizeof name) {
            memcpy(name, p, n);
            name[n] = '\0';
            next = find_one(at, name, last ? flags : O_DIRECTORY);
        }
        int saved = errno;
        close(at);
        errno = saved;
        at = next;
        p += last ? n : n + 1;
    }
    return at;
}

int hl_root_find(int dir, const char *relative, int flags)
{
    struct open_how how = { .flags = (unsigned)(O_PATH | O_CLOEXEC | flags),
                            .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS };
    int fd, tries = 0;
    do /* EAGAIN: something was renamed meanwhile, so that the kernel cannot tell */
        fd = (int)syscall(SYS_openat2, dir, *relative ? relative : ".", &how, sizeof how);
    while (fd < 0 && (errno == EINTR || (errno == EAGAIN && ++tries < 100)));
    if (fd < 0 &&
        (errno == ENOSYS || errno == EPERM)) /* an old kernel, or a seccomp filter */
        return hl_root_find_by_name(dir, relative, flags);
    return fd;
}

int hl_root_open(struct hl_root *r, const char *dir, bool make)
{
    r->fd = -1;
    r->path = normal(dir);
    if (!r->path)
        return HALO_NOMEM;
    int err = make && access(dir, F_OK) != 0 ? hl_fs_mkdirs(dir, 0700) : HALO_OK;
    if (err == HALO_OK)
        r->fd = hl_fs_open(dir, O_PATH | O_DIRECTORY, 0);
    if (r->fd < 0) {
        int saved = errno;
        hl_root_close(r);
        errno = saved;
        return err == HALO_OK ? HALO_IO : err;
    }
    return HALO_OK;
}

void hl_root_close(struct hl_root *r)
{
    if (r->fd >= 0)
        close(r->fd);
    free(r->path);
    *r = (struct hl_root){ .fd = -1 };
}

/* Opens what stands for the place of a normal path below the root. */
static int place_below(const struct hl_root *r, char *below, bool follow,
                       struct hl_place *place)
{
    char *name = NULL;
    if (!follow) {
        char *slash = strrchr(below, '/');
        name = slash ? slash + 1 : below;
        if (!*name || strlen(name) > 255) { /* the root itself cannot be replaced */
            errno = *name ? ENAMETOOLONG : EBUSY;
            return HALO_IO;
        }
        if (slash)
            *slash = '\0';
    }
    place->fd = hl_root_find(r->fd, follow || name != below ? below : "",
                             follow ? 0 : O_DIRECTORY);
    if (place->fd < 0)
        return errno == EXDEV || errno == ELOOP ? HALO_DENIED : HALO_IO;
    snprintf(place->path, sizeof place->path, "/proc/self/fd/%d%s%s", place->fd,
             name ? "/" : "", name ? name : "");
    return HALO_OK;
}

int hl_root_place(const struct hl_root *r, const char *path, bool follow,
                  struct hl_place *place)
{
    place->fd = -1;
    char *full = normal(path);
    if (!full)
        return HALO_NOMEM;
    size_t len = strlen(r->path);
    bool inside = strncmp(full, r->path, len) == 0 && (full[len] == '/' || !full[len]);
    int err = HALO_DENIED;
    if (inside)
        err = place_below(r, full + len + (full[len] == '/'), follow, place);
    int saved = errno;
    free(full);
    errno = saved;
    return err;
}

void hl_place_close(struct hl_place *p)
{
    if (p->fd >= 0)
        close(p->fd);
    p->fd = -1;
}
