#include "userdir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>

/* Whether what is open is ours alone; why says what is wrong. */
static bool ours_alone(int fd, mode_t type, const char *name, char *why, size_t room)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return false;
    bool is = (st.st_mode & S_IFMT) == type, mine = st.st_uid == geteuid();
    if (is && mine && (st.st_mode & 077) == 0)
        return true;
    snprintf(why, room, "%s %s", name,
             !is     ? "is not what halo made"
             : !mine ? "belongs to another user"
                     : "is open to other users (to be used it needs `chmod go=`)");
    return false;
}

bool hl_userdir_key(char key[HL_USERDIR_KEY + 1], const char *const *texts, size_t count)
{
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned int len = 0;
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    bool ok = md && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1;
    for (size_t i = 0; ok && i < count; i++) /* each with its NUL */
        ok = EVP_DigestUpdate(md, texts[i], strlen(texts[i]) + 1) == 1;
    ok = ok && EVP_DigestFinal_ex(md, sum, &len) == 1;
    for (size_t i = 0; ok && i < HL_USERDIR_KEY / 2; i++)
        snprintf(key + 2 * i, 3, "%02x", sum[i]);
    EVP_MD_CTX_free(md);
    return ok;
}

/* The usual directory of a kind; those above it in $HOME are made, too. */
static bool default_dir(enum hl_userdir_kind kind, char *path, size_t room)
{
    static const struct {
        const char *variable, *above[2];
    } PLACES[] = {
        [HL_USERDIR_CACHE] = { "XDG_CACHE_HOME", { "/.cache", "/.cache" } },
        [HL_USERDIR_STATE] = { "XDG_STATE_HOME", { "/.local", "/.local/state" } },
    };
    const char *base = getenv(PLACES[kind].variable);
    bool given =
        base && *base == '/'; /* a relative one is void, says its specification */
    if (!given)
        base = getenv("HOME");
    if (!base || *base != '/')
        return false;
    int n = 0;
    for (int i = 0; i < 2; i++) {
        const char *above = given ? "" : PLACES[kind].above[i];
        n = snprintf(path, room, "%s%s", base, above);
        if (n < 0 || (size_t)n + sizeof "/halo" > room)
            return false;
        mkdir(path, 0700);
    }
    snprintf(path + n, room - (size_t)n, "/halo");
    return true;
}

bool hl_userdir_open(struct hl_userdir *d, enum hl_userdir_kind kind, const char *dir,
                     char *why, size_t room)
{
    char path[4096];
    d->open = false;
    *why = '\0';
    if (dir)
        snprintf(path, sizeof path, "%s", dir);
    else if (!default_dir(kind, path, sizeof path))
        return false;
    mkdir(path, 0700); /* when it fails, so does open */
    d->fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (d->fd < 0) {
        struct stat st;
        if (lstat(path, &st) == 0 && S_ISLNK(st.st_mode))
            snprintf(why, room, "%s is a symlink", path);
        return false;
    }
    if (!ours_alone(d->fd, S_IFDIR, path, why, room)) {
        close(d->fd);
        return false;
    }
    d->open = true;
    return true;
}

void hl_userdir_close(struct hl_userdir *d)
{
    if (d->open)
        close(d->fd);
    d->open = false;
}

int hl_userdir_file(const struct hl_userdir *d, const char *key, const char *suffix,
                    int flags, char *why, size_t room)
{
    char name[HL_USERDIR_KEY + 16];
    if (!d->open)
        return -1;
    snprintf(name, sizeof name, "%s.%s", key, suffix);
    int fd =
        openat(d->fd, name, flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);
    if (fd < 0) {
        if (errno == ELOOP)
            snprintf(why, room, "%s is a symlink", name);
        return -1;
    }
    if (ours_alone(fd, S_IFREG, name, why, room))
        return fd;
    close(fd);
    return -1;
}

void hl_userdir_sweep(const struct hl_userdir *d, const char *key, int64_t now_ms,
                      int64_t age_ms)
{
    int fd = openat(d->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (!dir && fd >= 0)
        close(fd);
    for (struct dirent *e; dir && (e = readdir(dir)) != NULL;) {
        struct stat st;
        if (strspn(e->d_name, "0123456789abcdef") == HL_USERDIR_KEY &&
            e->d_name[HL_USERDIR_KEY] == '.' &&
            strncmp(e->d_name, key, HL_USERDIR_KEY) != 0 &&
            fstatat(d->fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            now_ms - (int64_t)st.st_mtime * 1000 > age_ms)
            unlinkat(d->fd, e->d_name, 0);
    }
    if (dir)
        closedir(dir);
}
