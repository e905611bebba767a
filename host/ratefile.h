/* What was sent with a client id, in a file: so all processes of a user together keep to
 * its limit, hold back together, and learn together. */
#ifndef HL_RATEFILE_H
#define HL_RATEFILE_H

#include "userdir.h"
#include "governor.h"

/* Zero-initialised or closed: nothing is shared. */
struct hl_ratefile {
    bool open;
    int fd;
};

/* Nothing is shared where the directory is not open or the file cannot be used. */
void hl_ratefile_open(struct hl_ratefile *f, const struct hl_userdir *dir,
                      const char *url, const char *client_id);
void hl_ratefile_close(struct hl_ratefile *f); /* fine twice */

/* Takes the lock and reads what is there; what is no count of ours is as if nothing was
 * sent. The lock is only ever held for microseconds, and waited for no longer than about
 * a millisecond: false, and nothing read, when it was not free then, or is not open. */
bool hl_ratefile_begin(const struct hl_ratefile *f, struct hl_rate *r);

/* Writes it and lets the lock go. Where it cannot be written (a full disk) the file is
 * closed: each process is on its own again. */
void hl_ratefile_end(struct hl_ratefile *f, const struct hl_rate *r);

#endif
