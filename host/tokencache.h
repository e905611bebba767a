/* Tokens on disk, so that all processes of a user share one: a file per base URL, client
 * id and secret in the cache directory. A file that is not as it should be is not used;
 * then each process gets a token of its own. Wall clock times, in ms, are arguments. */
#ifndef HL_TOKENCACHE_H
#define HL_TOKENCACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "userdir.h"

/* No token is believed to last longer: a file that says so was written before the clock
 * was set back. */
#define HL_TOKENCACHE_MAX_MS ((int64_t)24 * 3600 * 1000)

/* Zero-initialised or closed: a cache that is always empty and whose lock is free. */
struct hl_tokencache {
    const struct hl_userdir *dir; /* borrowed */
    int lock;                     /* -1 unless held */
    char key[HL_USERDIR_KEY + 1];
};

/* dir must outlive it; one that is not open is fine. False when it cannot be used. why:
 * what the user should know about that, or about the file of this key; "" when there is
 * nothing to be said. */
bool hl_tokencache_open(struct hl_tokencache *c, const struct hl_userdir *dir,
                        const char *url, const char *client_id, const char *client_secret,
                        char *why, size_t room);
void hl_tokencache_close(struct hl_tokencache *c); /* lets the lock go; fine twice */

/* The token and until when to use it; *token is malloc'ed and the caller's. */
bool hl_tokencache_load(const struct hl_tokencache *c, int64_t now_ms, char **token,
                        int64_t *until_ms);

/* Replaces the file atomically. Best done with the lock. */
void hl_tokencache_store(const struct hl_tokencache *c, int64_t now_ms, const char *token,
                         int64_t until_ms);

/* Removes the file when it still holds this token, which the API refused. Only with the
 * lock, or another's newer token may go. */
void hl_tokencache_drop(const struct hl_tokencache *c, const char *refused);

/* Takes the lock of this key if it is free: true also when there is nothing to lock. A
 * process that dies lets it go. */
bool hl_tokencache_lock(struct hl_tokencache *c);
void hl_tokencache_unlock(struct hl_tokencache *c); /* fine when not held */

#endif
