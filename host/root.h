/* Files below one directory and nowhere else, whatever a path says: "..", symlinks, and what
 * others change meanwhile. A path is turned into one below /proc/self/fd, that is, below a
 * descriptor that the kernel has found without leaving the directory. */
#ifndef HL_ROOT_H
#define HL_ROOT_H

#include <stdbool.h>

struct hl_root {
    int fd;     /* of the directory */
    char *path; /* its absolute path, malloc'ed */
};

/* A place below a root, for the functions of fs.h and filelock.h. */
struct hl_place {
    int fd; /* -1: none */
    char path[300];
};

/* Opens a directory as a root; makes it (0700) when it is not there and `make` says so.
 * HALO_OK, HALO_NOMEM, or HALO_IO with the reason in errno. */
int hl_root_open(struct hl_root *r, const char *dir, bool make);
void hl_root_close(struct hl_root *r);

/* Finds the place of a path, relative to the current directory or absolute. follow: the path
 * must exist, and may end in a symlink that stays below the root; otherwise only the
 * directory that holds it must exist, and its last name is not followed. HALO_OK, HALO_DENIED
 * for a path that leads out of the root, HALO_NOMEM, or HALO_IO with the reason in errno. */
int hl_root_place(const struct hl_root *r, const char *path, bool follow,
                  struct hl_place *place);
void hl_place_close(struct hl_place *p); /* may be called twice */

/* Opens what `relative`, a normal path ("a/b"), names below a directory, as with O_PATH: by
 * openat2, and where the kernel has none name by name, without any symlinks. -1 and errno. */
int hl_root_find(int dir, const char *relative, int flags);
int hl_root_find_by_name(int dir, const char *relative, int flags);

#endif
