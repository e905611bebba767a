/* A file that one process writes at a time: a journal. The lock belongs to the open
 * file, so it ends when the descriptor is closed or its process dies, however it dies.
 * Errors as in fs.h. */
#ifndef HL_FILELOCK_H
#define HL_FILELOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Opens path, creating it (durably, with `mode`), and locks it without waiting. Refuses
 * symlinks (ELOOP). HALO_BUSY: it is locked already, by this process or another one. On
 * HALO_OK the caller owns *fd. */
int hl_filelock_open(const char *path, mode_t mode, int *fd);

/* Whether somebody holds the lock of path; takes nothing, creates nothing. */
int hl_filelock_held(const char *path, bool *held);

/* Adds to the end, in one write, and syncs. On failure the file is as it was. */
int hl_filelock_append(int fd, const void *data, size_t len);

/* Cuts the file back to its first `size` bytes, and syncs. */
int hl_filelock_cut(int fd, off_t size);

#endif
