/* Profiles: named credentials in $XDG_CONFIG_HOME/halo/profiles/NAME (default ~/.config),
 * a file that nobody but its owner may read. Lines of `key = "value"` (\" and \\ inside),
 * empty lines and lines that begin with '#':
 *
 *     client_id      = "..."
 *     client_secret  = "..."              or else
 *     secret_command = "pass show aura"   run by /bin/sh: its first line is the secret
 *     base_url       = "https://..."      these two may be left out
 *     rate           = "25"               requests a minute, 0 for no limit
 *
 * Anything else is an error that tells the line and never what stands in it. */
#ifndef HL_PROFILE_H
#define HL_PROFILE_H

#include <stddef.h>

enum { HL_PROFILE_COMMAND_MS = 120000 }; /* longest a secret_command may take */

struct hl_profile {
    char *client_id, *client_secret; /* both are there after success */
    char *base_url;                  /* NULL: not given */
    int rate;                        /* -1: not given */
};

/* Reads one. Blocks while secret_command runs, which may ask on the terminal: it has our
 * stdin and stderr. HALO_OK, or HALO_USAGE or HALO_NOMEM with nothing to be freed and the
 * reason in why. */
int hl_profile_read(struct hl_profile *p, const char *name, char *why, size_t room);
void hl_profile_free(
    struct hl_profile *p); /* overwrites the secret; a zeroed one is fine */

/* Runs a command with /bin/sh and returns its first line, malloc'ed, or NULL with the
 * reason in why. */
char *hl_profile_command(const char *command, int timeout_ms, char *why, size_t room);

#endif
