/* Durable files. Unless said otherwise these return HALO_OK, or HALO_IO with the reason
 * in errno (HALO_NOMEM and ENOMEM when out of memory), and whatever they report as done
 * is on the disk: files and the directories that name them are fsynced. They block while
 * they work. Descriptors are close-on-exec. None of them leaves a temporary file behind,
 * except when the process dies. */
#ifndef HL_FS_H
#define HL_FS_H

#include <stddef.h>
#include <sys/types.h>

#include "buf.h"

/* Appends the file's content to out, whose limit is the largest size accepted (EFBIG
 * beyond). */
int hl_fs_read(const char *path, struct hl_buf *out);

/* Replaces path atomically: a temporary file beside it is born with `mode` (exactly,
 * whatever the umask), written, synced and renamed over it. A symlink at path is
 * replaced, not followed. On failure an existing file is as it was. */
int hl_fs_write(const char *path, const void *data, size_t len, mode_t mode);

/* Appends in one write; creates the file with `mode`. Refuses symlinks (ELOOP). When the
 * disk is full the file is cut back to its length before. */
int hl_fs_append(const char *path, const void *data, size_t len, mode_t mode);

/* Creates a directory and its missing parents with `mode`. Existing ones are fine, as
 * they are. */
int hl_fs_mkdirs(const char *path, mode_t mode);

/* Renames, or copies and removes across file systems: `to` is never there in part. Never
 * overwrites (EEXIST). */
int hl_fs_move(const char *from, const char *to);

/* Copies a regular file with its mode, to a file that must not exist (EEXIST). */
int hl_fs_copy(const char *from, const char *to);

/* SHA-256 of a file as 64 lower-case hex digits and a NUL. */
int hl_fs_sha256(const char *path, char hex[65]);

/* open(2), close-on-exec and not ended by a signal: a descriptor, or -1 with errno. */
int hl_fs_open(const char *path, int flags, mode_t mode);

/* Writes all of it, without a sync. */
int hl_fs_put(int fd, const void *bytes, size_t len);

/* fsyncs a directory; hl_fs_sync_parent the one that holds path. */
int hl_fs_sync_dir(const char *dir);
int hl_fs_sync_parent(const char *path);

/* Makes a fresh directory, mode 0700, below $TMPDIR or /tmp. size: of out. */
int hl_fs_tempdir(char *out, size_t size);

#endif
