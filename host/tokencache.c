#include "tokencache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>

enum { MAX_FILE = 64 * 1024, KEY_LEN = 64 };

/* What a file of ours says: this line, "<ms since 1970> <token>", each with its newline.
 */
static const char HEAD[] = "halo token 1\n";

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

/* SHA-256 of the three, each with its NUL. */
static bool make_key(char key[65], const char *url, const char *id, const char *secret)
{
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned int len = 0;
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    bool ok = md && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 &&
              EVP_DigestUpdate(md, url, strlen(url) + 1) == 1 &&
              EVP_DigestUpdate(md, id, strlen(id) + 1) == 1 &&
              EVP_DigestUpdate(md, secret, strlen(secret) + 1) == 1 &&
              EVP_DigestFinal_ex(md, sum, &len) == 1;
    for (size_t i = 0; ok && i < KEY_LEN / 2; i++)
        snprintf(key + 2 * i, 3, "%02x", sum[i]);
    EVP_MD_CTX_free(md);
    return ok;
}

/* $XDG_CACHE_HOME/halo or ~/.cache/halo; the parent is made, but not what is above it. */
static bool default_dir(char *path, size_t room)
{
    const char *base = getenv("XDG_CACHE_HOME"), *rest = "";
    if (!base || *base != '/') { /* a relative one is void, says its specification */
        base = getenv("HOME");
        rest = "/.cache";
    }
    if (!base || *base != '/')
        return false;
    int n = snprintf(path, room, "%s%s", base, rest);
    if (n < 0 || (size_t)n + sizeof "/halo" > room)
        return false;
    mkdir(path, 0700);
    snprintf(path + n, room - (size_t)n, "/halo");
    return true;
}

/* Opens NAME.SUFFIX if it is a file of ours alone; -1 otherwise. */
static int open_file(const struct hl_tokencache *c, const char *suffix, int flags,
                     char *why, size_t room)
{
    char name[KEY_LEN + 16];
    snprintf(name, sizeof name, "%s.%s", c->key, suffix);
    int fd = openat(c->dir, name, flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
                    0600);
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

bool hl_tokencache_open(struct hl_tokencache *c, const char *dir, const char *url,
                        const char *client_id, const char *client_secret, char *why,
                        size_t room)
{
    char path[4096];
    memset(c, 0, sizeof *c);
    c->lock = -1;
    *why = '\0';
    if (dir)
        snprintf(path, sizeof path, "%s", dir);
    else if (!default_dir(path, sizeof path))
        return false;
    if (!make_key(c->key, url, client_id, client_secret))
        return false;
    mkdir(path, 0700); /* when it fails, so does open */
    c->dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (c->dir < 0) {
        struct stat st;
        if (lstat(path, &st) == 0 && S_ISLNK(st.st_mode))
            snprintf(why, room, "%s is a symlink", path);
        return false;
    }
    if (!ours_alone(c->dir, S_IFDIR, path, why, room)) {
        close(c->dir);
        return false;
    }
    c->open = true;
    int fd = open_file(c, "token", O_RDONLY, why, room); /* only to say what is wrong */
    if (fd >= 0)
        close(fd);
    return true;
}

void hl_tokencache_close(struct hl_tokencache *c)
{
    hl_tokencache_unlock(c);
    if (c->open)
        close(c->dir);
    c->open = false;
}

/* ---- files ---- */

/* Whether text is a token: what may stand in a header. */
static bool is_token(const char *text)
{
    const char *at = text;
    while ((unsigned char)*at > ' ' && (unsigned char)*at < 127)
        at++;
    return at > text && *at == '\0';
}

/* Takes apart a file's text, which is changed. The token is inside it. */
static char *parse(char *text, int64_t *until_ms)
{
    size_t len = strlen(text);
    if (strncmp(text, HEAD, sizeof HEAD - 1) != 0 || text[len - 1] != '\n')
        return NULL;
    text[len - 1] = '\0'; /* a torn file has no end */
    char *at = text + sizeof HEAD - 1, *end = at;
    errno = 0;
    *until_ms = strtoll(at, &end, 10);
    return *at >= '0' && *at <= '9' && errno == 0 && *end == ' ' && is_token(end + 1)
               ? end + 1
               : NULL;
}

/* The token in the file, malloc'ed, or NULL; expired ones too. */
static char *read_token(const struct hl_tokencache *c, int64_t *until_ms)
{
    int fd = c->open ? open_file(c, "token", O_RDONLY, NULL, 0) : -1;
    if (fd < 0)
        return NULL;
    char *token = NULL, *text = malloc(MAX_FILE + 1);
    ssize_t n = text ? read(fd, text, MAX_FILE) : -1;
    close(fd);
    if (n > 0) {
        text[n] = '\0';
        const char *found = strlen(text) == (size_t)n ? parse(text, until_ms) : NULL;
        token = found ? strdup(found) : NULL;
        explicit_bzero(text, (size_t)n);
    }
    free(text);
    return token;
}

static void forget(char *token)
{
    if (token)
        explicit_bzero(token, strlen(token));
    free(token);
}

bool hl_tokencache_load(const struct hl_tokencache *c, int64_t now_ms, char **token,
                        int64_t *until_ms)
{
    *token = read_token(c, until_ms);
    if (*token && (*until_ms <= now_ms || *until_ms > now_ms + HL_TOKENCACHE_MAX_MS)) {
        forget(*token);
        *token = NULL;
    }
    return *token != NULL;
}

/* Makes a temporary file; of a dead process there may be one left. */
static int create(const struct hl_tokencache *c, const char *name)
{
    int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    int fd = openat(c->dir, name, flags, 0600);
    if (fd >= 0 || errno != EEXIST || unlinkat(c->dir, name, 0) != 0)
        return fd;
    return openat(c->dir, name, flags, 0600);
}

/* Removes what was not changed for two days: of bases and secrets no longer in use. */
static void sweep(const struct hl_tokencache *c, int64_t now_ms)
{
    int fd = openat(c->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    if (!d && fd >= 0)
        close(fd);
    for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
        struct stat st;
        if (strspn(e->d_name, "0123456789abcdef") == KEY_LEN &&
            e->d_name[KEY_LEN] == '.' && strncmp(e->d_name, c->key, KEY_LEN) != 0 &&
            fstatat(c->dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            now_ms - (int64_t)st.st_mtime * 1000 > 2 * HL_TOKENCACHE_MAX_MS)
            unlinkat(c->dir, e->d_name, 0);
    }
    if (d)
        closedir(d);
}

void hl_tokencache_store(const struct hl_tokencache *c, int64_t now_ms, const char *token,
                         int64_t until_ms)
{
    char temp[KEY_LEN + 32], name[KEY_LEN + 16], *text;
    if (!c->open || !is_token(token))
        return;
    if (until_ms - now_ms > HL_TOKENCACHE_MAX_MS)
        until_ms = now_ms + HL_TOKENCACHE_MAX_MS;
    int len = asprintf(&text, "%s%" PRId64 " %s\n", HEAD, until_ms, token);
    if (len < 0)
        return;
    /* one of this thread's own: several hosts may live in a process */
    snprintf(temp, sizeof temp, "%s.%ld.tmp", c->key, (long)gettid());
    snprintf(name, sizeof name, "%s.token", c->key);
    int fd = len < MAX_FILE ? create(c, temp) : -1;
    if (fd >= 0) {
        bool ok = fchmod(fd, 0600) == 0 && write(fd, text, (size_t)len) == len;
        if (close(fd) != 0 || !ok || renameat(c->dir, temp, c->dir, name) != 0)
            unlinkat(c->dir, temp, 0);
        sweep(c, now_ms);
    }
    explicit_bzero(text, (size_t)len);
    free(text);
}

void hl_tokencache_drop(const struct hl_tokencache *c, const char *refused)
{
    char name[KEY_LEN + 16];
    int64_t until;
    char *token = read_token(c, &until);
    snprintf(name, sizeof name, "%s.token", c->key);
    if (token && strcmp(token, refused) == 0)
        unlinkat(c->dir, name, 0);
    forget(token);
}

/* ---- the lock ---- */

bool hl_tokencache_lock(struct hl_tokencache *c)
{
    if (!c->open || c->lock >= 0)
        return true;
    int fd = open_file(c, "lock", O_RDWR | O_CREAT, NULL, 0);
    if (fd < 0)
        return true;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
        c->lock = fd;
        return true;
    }
    bool taken = errno == EWOULDBLOCK;
    close(fd);
    return !taken; /* where files cannot be locked, nobody waits */
}

void hl_tokencache_unlock(struct hl_tokencache *c)
{
    if (c->open && c->lock >= 0) {
        close(c->lock);
        c->lock = -1;
    }
}
