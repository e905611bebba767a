#include "fs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>

#include <halo.h>

enum { BLOCK = 64 * 1024, TRIES = 100 };

/* Closes fd without losing errno. */
static void close_quietly(int fd)
{
    int saved = errno;
    close(fd);
    errno = saved;
}

/* Removes path without losing errno. */
static void unlink_quietly(const char *path)
{
    int saved = errno;
    unlink(path);
    errno = saved;
}

static int no_memory(void)
{
    errno = ENOMEM;
    return HALO_NOMEM;
}

int hl_fs_open(const char *path, int flags, mode_t mode)
{
    int fd;
    do
        fd = open(path, flags | O_CLOEXEC, mode);
    while (fd < 0 && errno == EINTR);
    return fd;
}

static ssize_t read_some(int fd, void *data, size_t size)
{
    ssize_t n;
    do
        n = read(fd, data, size);
    while (n < 0 && errno == EINTR);
    return n;
}

int hl_fs_put(int fd, const void *bytes, size_t len)
{
    const char *data = bytes;
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return HALO_IO;
        data += n;
        len -= (size_t)n;
    }
    return HALO_OK;
}

/* Closes fd in any case; an error of close itself counts, as NFS reports full disks
 * there. */
static int sync_and_close(int fd)
{
    if (fsync(fd) != 0) {
        close_quietly(fd);
        return HALO_IO;
    }
    return close(fd) == 0 ? HALO_OK : HALO_IO;
}

int hl_fs_read(const char *path, struct hl_buf *out)
{
    char block[16 * 1024];
    int fd = hl_fs_open(path, O_RDONLY | O_NOCTTY, 0);
    if (fd < 0)
        return HALO_IO;
    int err = HALO_OK;
    for (;;) {
        ssize_t n = read_some(fd, block, sizeof block);
        if (n == 0)
            break;
        if (n < 0) {
            err = HALO_IO;
            break;
        }
        err = hl_buf_append(out, block, (size_t)n);
        if (err == HALO_OK)
            continue;
        errno = out->too_big ? EFBIG : ENOMEM;
        err = out->too_big ? HALO_IO : HALO_NOMEM;
        break;
    }
    close_quietly(fd);
    return err;
}

int hl_fs_sync_dir(const char *dir)
{
    int fd = hl_fs_open(dir, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return HALO_IO;
    return sync_and_close(fd);
}

/* The directory that holds path, malloc'ed; NULL when out of memory. */
static char *parent_of(const char *path)
{
    size_t len = strlen(path);
    while (len > 1 && path[len - 1] == '/')
        len--;
    while (len > 0 && path[len - 1] != '/')
        len--;
    while (len > 1 && path[len - 1] == '/')
        len--;
    return len == 0 ? strdup(".") : strndup(path, len);
}

int hl_fs_sync_parent(const char *path)
{
    char *dir = parent_of(path);
    if (!dir)
        return no_memory();
    int err = hl_fs_sync_dir(dir);
    free(dir);
    return err;
}

/* Fills a fresh file beside path; *temp is malloc'ed, and names the file only on success.
 */
static int write_temp(const char *path, const void *data, size_t len, mode_t mode,
                      char **temp)
{
    int fd = -1;
    *temp = NULL;
    for (unsigned i = 0; i < TRIES && fd < 0; i++) {
        free(*temp);
        if (asprintf(temp, "%s.%ld.%u.tmp", path, (long)getpid(), i) < 0) {
            *temp = NULL;
            return no_memory();
        }
        fd = hl_fs_open(*temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode & 0777);
        if (fd < 0 && errno != EEXIST)
            return HALO_IO;
    }
    if (fd < 0)
        return HALO_IO;
    if (fchmod(fd, mode & 0777) != 0 || hl_fs_put(fd, data, len) != HALO_OK) {
        close_quietly(fd);
        unlink_quietly(*temp);
        return HALO_IO;
    }
    if (sync_and_close(fd) != HALO_OK) {
        unlink_quietly(*temp);
        return HALO_IO;
    }
    return HALO_OK;
}

int hl_fs_write(const char *path, const void *data, size_t len, mode_t mode)
{
    char *temp;
    int err = write_temp(path, data, len, mode, &temp);
    if (err == HALO_OK && rename(temp, path) != 0) {
        unlink_quietly(temp);
        err = HALO_IO;
    }
    free(temp); /* keeps errno: POSIX.1-2024, and glibc since 2.33 */
    return err == HALO_OK ? hl_fs_sync_parent(path) : err;
}

int hl_fs_append(const char *path, const void *data, size_t len, mode_t mode)
{
    struct stat before;
    bool created = false;
    int flags = O_WRONLY | O_APPEND | O_NOFOLLOW;
    int fd = hl_fs_open(path, flags, 0);
    if (fd < 0 && errno == ENOENT) {
        fd = hl_fs_open(path, flags | O_CREAT | O_EXCL, mode & 0777);
        created = fd >= 0;
    }
    if (fd < 0 && errno == EEXIST) /* another process was faster */
        fd = hl_fs_open(path, flags, 0);
    if (fd < 0)
        return HALO_IO;
    if (fstat(fd, &before) != 0 || (created && fchmod(fd, mode & 0777) != 0)) {
        close_quietly(fd);
        return HALO_IO;
    }
    if (hl_fs_put(fd, data, len) != HALO_OK) {
        int saved = errno;
        if (ftruncate(fd, before.st_size) != 0)
            errno = saved; /* nothing more can be done; the first failure is the one to
                              tell */
        errno = saved;
        close_quietly(fd);
        return HALO_IO;
    }
    int err = sync_and_close(fd);
    return err == HALO_OK && created ? hl_fs_sync_parent(path) : err;
}

static int make_dir(const char *path, mode_t mode)
{
    struct stat st;
    if (mkdir(path, mode & 0777) == 0) {
        if (chmod(path, mode & 0777) != 0)
            return HALO_IO;
        return hl_fs_sync_parent(path);
    }
    if (errno != EEXIST || stat(path, &st) != 0)
        return HALO_IO;
    errno = ENOTDIR;
    return S_ISDIR(st.st_mode) ? HALO_OK : HALO_IO;
}

int hl_fs_mkdirs(const char *path, mode_t mode)
{
    int err = make_dir(path, mode);
    if (err == HALO_OK || errno != ENOENT || !*path)
        return err;
    char *parent = parent_of(path);
    if (!parent)
        return no_memory();
    if (strcmp(parent, path) != 0 && strcmp(parent, ".") != 0)
        err = hl_fs_mkdirs(parent, mode);
    free(parent);
    return err == HALO_OK ? make_dir(path, mode)
                          : err; /* once: some file systems always say ENOENT */
}

/* Copies what is left in `in` to `out`. */
static int pump(int in, int out)
{
    char *block = malloc(BLOCK);
    if (!block)
        return no_memory();
    int err = HALO_OK;
    while (err == HALO_OK) {
        ssize_t n = read_some(in, block, BLOCK);
        if (n == 0)
            break;
        err = n < 0 ? HALO_IO : hl_fs_put(out, block, (size_t)n);
    }
    free(block);
    return err;
}

int hl_fs_copy(const char *from, const char *to)
{
    struct stat st;
    int in = hl_fs_open(from, O_RDONLY | O_NOCTTY | O_NONBLOCK, 0);
    if (in < 0)
        return HALO_IO;
    if (fstat(in, &st) != 0 || !S_ISREG(st.st_mode)) {
        errno = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
        close_quietly(in);
        return HALO_IO;
    }
    int out = hl_fs_open(to, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, st.st_mode & 0777);
    if (out < 0) {
        close_quietly(in);
        return HALO_IO;
    }
    int err = fchmod(out, st.st_mode & 0777) == 0 ? pump(in, out) : HALO_IO;
    close_quietly(in);
    if (err != HALO_OK)
        close_quietly(out);
    else
        err = sync_and_close(out);
    if (err != HALO_OK) {
        unlink_quietly(to);
        return err;
    }
    return hl_fs_sync_parent(to);
}

/* Where the file system has no RENAME_NOREPLACE: a second name, then the first one
 * removed. */
static int rename_new(const char *from, const char *to)
{
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -1;
    if (link(from, to) != 0) {
        if (errno == EPERM || errno == EOPNOTSUPP)
            errno = EXDEV; /* no links here either: copy */
        return -1;
    }
    return unlink(from);
}

static int sync_file(const char *path)
{
    int fd = hl_fs_open(path, O_RDONLY | O_NOCTTY | O_NONBLOCK, 0);
    if (fd < 0)
        return HALO_IO;
    int err = fsync(fd) == 0 ? HALO_OK : HALO_IO;
    close_quietly(fd);
    return err;
}

/* A copy that appears under its name only once it is complete, however we end. */
static int copy_whole(const char *from, const char *to)
{
    char *temp;
    if (access(to, F_OK) == 0) {
        errno = EEXIST;
        return HALO_IO;
    }
    if (asprintf(&temp, "%s.%ld.0.tmp", to, (long)getpid()) < 0)
        return no_memory();
    int err = hl_fs_copy(from, temp);
    if (err == HALO_OK && rename_new(temp, to) != 0) {
        unlink_quietly(temp);
        err = HALO_IO;
    }
    free(temp);
    return err;
}

int hl_fs_move(const char *from, const char *to)
{
    if (sync_file(from) != HALO_OK) /* whoever wrote it may not have */
        return HALO_IO;
    if (rename_new(from, to) != 0) {
        if (errno != EXDEV)
            return HALO_IO;
        int err = copy_whole(from, to);
        if (err != HALO_OK)
            return err;
        if (unlink(from) != 0)
            return HALO_IO;
    }
    int err = hl_fs_sync_parent(to);
    return err == HALO_OK ? hl_fs_sync_parent(from) : err;
}

int hl_fs_sha256(const char *path, char hex[65])
{
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned int len = 0;
    int fd = hl_fs_open(path, O_RDONLY | O_NOCTTY, 0);
    if (fd < 0)
        return HALO_IO;
    char *block = malloc(BLOCK);
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    int err = block && md && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 ? HALO_OK
                                                                            : no_memory();
    while (err == HALO_OK) {
        ssize_t n = read_some(fd, block, BLOCK);
        if (n == 0)
            break;
        if (n < 0 || EVP_DigestUpdate(md, block, (size_t)n) != 1)
            err = HALO_IO;
    }
    if (err == HALO_OK && EVP_DigestFinal_ex(md, sum, &len) != 1)
        err = HALO_IO;
    for (unsigned int i = 0; err == HALO_OK && i < len && i < 32; i++)
        snprintf(hex + (size_t)2 * i, 3, "%02x", sum[i]);
    EVP_MD_CTX_free(md);
    free(block);
    close_quietly(fd);
    return err;
}

int hl_fs_tempdir(char *out, size_t size)
{
    const char *base = getenv("TMPDIR");
    int n = snprintf(out, size, "%s/halo-XXXXXX", base && *base ? base : "/tmp");
    if (n < 0 || (size_t)n >= size) {
        errno = ENAMETOOLONG;
        return HALO_IO;
    }
    return mkdtemp(out) ? HALO_OK : HALO_IO;
}
