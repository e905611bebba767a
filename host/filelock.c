#include "filelock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <halo.h>

#include "fs.h"

/* Open file description locks: unlike flock they can be looked at without taking them,
 * unlike POSIX ones they do not end when another descriptor of the file is closed. */
static struct flock whole_file(void)
{
    return (struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_SET };
}

static int give_up(int fd, int err)
{
    int saved = errno;
    close(fd);
    errno = saved;
    return err;
}

int hl_filelock_open(const char *path, mode_t mode, int *fd)
{
    struct flock lock = whole_file();
    int flags = O_RDWR | O_APPEND | O_NOFOLLOW | O_NOCTTY;
    bool created = false;
    *fd = hl_fs_open(path, flags, 0);
    if (*fd < 0 && errno == ENOENT) {
        *fd = hl_fs_open(path, flags | O_CREAT | O_EXCL, mode & 0777);
        created = *fd >= 0;
    }
    if (*fd < 0 && errno == EEXIST) /* another process was faster */
        *fd = hl_fs_open(path, flags, 0);
    if (*fd < 0)
        return HALO_IO;
    if (fcntl(*fd, F_OFD_SETLK, &lock) != 0)
        return give_up(*fd, errno == EAGAIN || errno == EACCES ? HALO_BUSY : HALO_IO);
    if (created && fchmod(*fd, mode & 0777) != 0)
        return give_up(*fd, HALO_IO);
    /* also when it was there: whoever created it may have died before this */
    int err = hl_fs_sync_parent(path);
    return err == HALO_OK ? HALO_OK : give_up(*fd, err);
}

int hl_filelock_held(const char *path, bool *held)
{
    struct flock lock = whole_file();
    int fd = hl_fs_open(path, O_RDWR | O_NOFOLLOW | O_NOCTTY, 0);
    *held = false;
    if (fd < 0)
        return HALO_IO;
    if (fcntl(fd, F_OFD_GETLK, &lock) != 0)
        return give_up(fd, HALO_IO);
    *held = lock.l_type != F_UNLCK;
    close(fd);
    return HALO_OK;
}

int hl_filelock_append(int fd, const void *data, size_t len)
{
    struct stat before;
    if (fstat(fd, &before) != 0)
        return HALO_IO;
    if (hl_fs_put(fd, data, len) == HALO_OK && fsync(fd) == 0)
        return HALO_OK;
    int saved = errno;
    if (ftruncate(fd, before.st_size) != 0)
        errno = saved; /* the first failure is the one to tell */
    errno = saved;
    return HALO_IO;
}

int hl_filelock_cut(int fd, off_t size)
{
    return ftruncate(fd, size) == 0 && fsync(fd) == 0 ? HALO_OK : HALO_IO;
}
