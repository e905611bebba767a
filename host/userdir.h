/* The directories in which processes of a user share what they know of the service. They
 * belong to the user alone, and their files are named by what they are for. Whatever is
 * not as it should be (owner, mode, a symlink) is not used. Nothing here is durable,
 * nothing blocks, nothing can fail in a way that matters: without it each process is on
 * its own. */
#ifndef HL_USERDIR_H
#define HL_USERDIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HL_USERDIR_KEY = 64 }; /* length of a key: it begins the names of its files */

/* Zero-initialised or closed: there is none. */
struct hl_userdir {
    bool open;
    int fd; /* checked once; everything is reached through it */
};

enum hl_userdir_kind {
    HL_USERDIR_CACHE, /* $XDG_CACHE_HOME/halo, default ~/.cache/halo */
    HL_USERDIR_STATE  /* $XDG_STATE_HOME/halo, default ~/.local/state/halo */
};

/* Opens, and makes where it is missing, DIR, or for NULL the usual one of that kind. False
 * when it cannot be used. why: what the user should know about that; "" when there is
 * nothing to be said. */
bool hl_userdir_open(struct hl_userdir *d, enum hl_userdir_kind kind, const char *dir,
                     char *why, size_t room);
void hl_userdir_close(struct hl_userdir *d); /* fine twice */

/* Makes the key of some texts (SHA-256). False when there is no memory. */
bool hl_userdir_key(char key[HL_USERDIR_KEY + 1], const char *const *texts, size_t count);

/* Opens KEY.SUFFIX if it is a file of ours alone; -1 otherwise, with the reason in why
 * where the user should know it. flags as open(2); a file is made with mode 0600. */
int hl_userdir_file(const struct hl_userdir *d, const char *key, const char *suffix,
                    int flags, char *why, size_t room);

/* Removes the files of other keys that were not changed for so long, in ms. now_ms: of
 * the wall clock. */
void hl_userdir_sweep(const struct hl_userdir *d, const char *key, int64_t now_ms,
                      int64_t age_ms);

#endif
