#include "ratefile.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <threads.h>
#include <unistd.h>

enum { LOCK_TRIES = 1000 }; /* about a millisecond */

/* The file: this, which also tells its layout and the machine's. */
struct content {
    char head[16];
    struct hl_rate rate;
};
static const char HEAD[16] = "halo rate 1\n";

void hl_ratefile_open(struct hl_ratefile *f, const struct hl_userdir *dir,
                      const char *url, const char *client_id)
{
    const char *const of[] = { url, client_id };
    char key[HL_USERDIR_KEY + 1], why[256];
    memset(f, 0, sizeof *f);
    if (!hl_userdir_key(key, of, sizeof of / sizeof *of))
        return;
    f->fd = hl_userdir_file(dir, key, "rate", O_RDWR | O_CREAT, why, sizeof why);
    f->open = f->fd >= 0;
}

void hl_ratefile_close(struct hl_ratefile *f)
{
    if (f->open)
        close(f->fd);
    f->open = false;
}

static bool locked(int fd)
{
    for (int i = 0; i < LOCK_TRIES; i++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return true;
        thrd_yield();
    }
    return false;
}

bool hl_ratefile_begin(const struct hl_ratefile *f, struct hl_rate *r)
{
    struct content c;
    if (!f->open || !locked(f->fd))
        return false;
    bool ours = pread(f->fd, &c, sizeof c, 0) == (ssize_t)sizeof c &&
                memcmp(c.head, HEAD, sizeof HEAD) == 0 && c.rate.now_s >= 0 &&
                c.rate.held_ms >= 0 && c.rate.learned_ms >= 0;
    if (ours)
        *r = c.rate;
    else
        memset(r, 0, sizeof *r);
    return true;
}

void hl_ratefile_end(struct hl_ratefile *f, const struct hl_rate *r)
{
    struct content c = { .rate = *r };
    memcpy(c.head, HEAD, sizeof HEAD);
    if (pwrite(f->fd, &c, sizeof c, 0) == (ssize_t)sizeof c)
        flock(f->fd, LOCK_UN);
    else
        hl_ratefile_close(f);
}
