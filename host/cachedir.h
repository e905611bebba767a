/* The directory in which processes of a user share what they know of the service: one
 * that belongs to the user alone, with files named by what they are for. Whatever is not
 * as it should be (owner, mode, a symlink) is not used. Nothing here is durable, nothing
 * blocks, nothing can fail in a way that matters: without it each process is on its own. */
#ifndef HL_CACHEDIR_H
#define HL_CACHEDIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HL_CACHEDIR_KEY = 64 }; /* length of a key: it begins the names of its files */

/* Zero-initialised or closed: there is none. */
struct hl_cachedir {
    bool open;
    int fd; /* checked once; everything is reached through it */
};

/* Opens, and makes where it is missing, DIR, or for NULL $XDG_CACHE_HOME/halo (default
 * ~/.cache/halo). False when it cannot be used. why: what the user should know about
 * that; "" when there is nothing to be said. */
bool hl_cachedir_open(struct hl_cachedir *d, const char *dir, char *why, size_t room);
void hl_cachedir_close(struct hl_cachedir *d); /* fine twice */

/* Makes the key of some texts (SHA-256). False when there is no memory. */
bool hl_cachedir_key(char key[HL_CACHEDIR_KEY + 1], const char *const *texts,
                     size_t count);

/* Opens KEY.SUFFIX if it is a file of ours alone; -1 otherwise, with the reason in why
 * where the user should know it. flags as open(2); a file is made with mode 0600. */
int hl_cachedir_file(const struct hl_cachedir *d, const char *key, const char *suffix,
                     int flags, char *why, size_t room);

/* Removes the files of other keys that were not changed for so long, in ms. now_ms: of
 * the wall clock. */
void hl_cachedir_sweep(const struct hl_cachedir *d, const char *key, int64_t now_ms,
                       int64_t age_ms);

#endif
