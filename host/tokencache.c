#include "tokencache.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "secret.h"

enum { MAX_FILE = 64 * 1024 };

/* What a file of ours says: this line, "<ms since 1970> <token>", each with its newline.
 */
static const char HEAD[] = "halo token 1\n";

bool hl_tokencache_open(struct hl_tokencache *c, const struct hl_userdir *dir,
                        const char *url, const char *client_id, const char *client_secret,
                        char *why, size_t room)
{
    const char *const of[] = { url, client_id, client_secret };
    memset(c, 0, sizeof *c);
    c->lock = -1;
    *why = '\0';
    if (!dir->open || !hl_userdir_key(c->key, of, sizeof of / sizeof *of))
        return false;
    c->dir = dir;
    int fd = hl_userdir_file(dir, c->key, "token", O_RDONLY, why, room);
    if (fd >= 0) /* it was only opened to say what is wrong with it */
        close(fd);
    return true;
}

void hl_tokencache_close(struct hl_tokencache *c)
{
    hl_tokencache_unlock(c);
    c->dir = NULL;
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
    int fd = c->dir ? hl_userdir_file(c->dir, c->key, "token", O_RDONLY, NULL, 0) : -1;
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

bool hl_tokencache_load(const struct hl_tokencache *c, int64_t now_ms, char **token,
                        int64_t *until_ms)
{
    *token = read_token(c, until_ms);
    if (*token && (*until_ms <= now_ms || *until_ms > now_ms + HL_TOKENCACHE_MAX_MS)) {
        hl_secret_forget(token);
    }
    return *token != NULL;
}

/* Makes a temporary file; of a dead process there may be one left. */
static int create(const struct hl_tokencache *c, const char *name)
{
    int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    int fd = openat(c->dir->fd, name, flags, 0600);
    if (fd >= 0 || errno != EEXIST || unlinkat(c->dir->fd, name, 0) != 0)
        return fd;
    return openat(c->dir->fd, name, flags, 0600);
}

void hl_tokencache_store(const struct hl_tokencache *c, int64_t now_ms, const char *token,
                         int64_t until_ms)
{
    char temp[HL_USERDIR_KEY + 32], name[HL_USERDIR_KEY + 16], *text;
    if (!c->dir || !is_token(token))
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
        if (close(fd) != 0 || !ok || renameat(c->dir->fd, temp, c->dir->fd, name) != 0)
            unlinkat(c->dir->fd, temp, 0);
        /* of base URLs and secrets that are no longer in use */
        hl_userdir_sweep(c->dir, c->key, now_ms, 2 * HL_TOKENCACHE_MAX_MS);
    }
    explicit_bzero(text, (size_t)len);
    free(text);
}

void hl_tokencache_drop(const struct hl_tokencache *c, const char *refused)
{
    char name[HL_USERDIR_KEY + 16];
    int64_t until;
    char *token = read_token(c, &until);
    snprintf(name, sizeof name, "%s.token", c->key);
    if (token && strcmp(token, refused) == 0)
        unlinkat(c->dir->fd, name, 0);
    hl_secret_forget(&token);
}

/* ---- the lock ---- */

bool hl_tokencache_lock(struct hl_tokencache *c)
{
    if (!c->dir || c->lock >= 0)
        return true;
    int fd = hl_userdir_file(c->dir, c->key, "lock", O_RDWR | O_CREAT, NULL, 0);
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
    if (c->dir && c->lock >= 0) {
        close(c->lock);
        c->lock = -1;
    }
}
