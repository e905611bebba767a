#include "durations.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LONGEST_S (7 * 86400.0)
#define UNUSED_MS ((int64_t)180 * 86400 * 1000) /* files of services not used that long */

enum { MAX_FILE = 64 * 1024 };

/* The file: this line, and one for each kind: its name, a tab, its durations. */
static const char HEAD[] = "halo durations 1\n";

struct hl_duration_kind {
    struct hl_duration_kind *next;
    char name[HL_DURATIONS_NAME];
    float seconds[HL_PACE_SAMPLES]; /* oldest first */
    int count;
    bool stale; /* the model is older than the durations */
    struct hl_pace_model model;
};

void hl_durations_open(struct hl_durations *d, const struct hl_userdir *dir,
                       const char *url)
{
    memset(d, 0, sizeof *d);
    if (dir->open && hl_userdir_key(d->key, &url, 1))
        d->dir = dir;
}

void hl_durations_free(struct hl_durations *d)
{
    while (d->kinds) {
        struct hl_duration_kind *next = d->kinds->next;
        free(d->kinds);
        d->kinds = next;
    }
    d->count = 0;
}

/* ---- kinds ---- */

/* "pausing enterprise-db 8GB"; what a server says must not break the file. */
static void make_name(char name[HL_DURATIONS_NAME], const char *operation,
                      const char *type, const char *size)
{
    snprintf(name, HL_DURATIONS_NAME, "%s %s %s", operation, type, size);
    for (char *c = name; *c; c++)
        if (!isprint((unsigned char)*c))
            *c = '?';
}

/* The kind of that name, moved to the front; made where there is none and `make` says so.
 * Models are in use elsewhere, so none is freed: beyond the bound nothing is made. */
static struct hl_duration_kind *kind_of(struct hl_durations *d, const char *name,
                                        bool make)
{
    struct hl_duration_kind **at = &d->kinds, *kind;
    while (*at && strcmp((*at)->name, name) != 0)
        at = &(*at)->next;
    kind = *at;
    if (kind) {
        *at = kind->next;
    } else {
        kind = make && d->count < HL_DURATIONS_KINDS ? calloc(1, sizeof *kind) : NULL;
        if (!kind)
            return NULL;
        memcpy(kind->name, name, strlen(name) + 1);
        d->count++;
    }
    kind->next = d->kinds;
    d->kinds = kind;
    return kind;
}

static void append(struct hl_duration_kind *kind, double seconds)
{
    if (!(seconds > 1))
        seconds = 1;
    if (seconds > LONGEST_S)
        seconds = LONGEST_S;
    if (kind->count == HL_PACE_SAMPLES)
        memmove(kind->seconds, kind->seconds + 1,
                (HL_PACE_SAMPLES - 1) * sizeof *kind->seconds);
    else
        kind->count++;
    kind->seconds[kind->count - 1] = (float)seconds;
    kind->stale = true;
}

/* ---- the file ---- */

static void read_line(struct hl_durations *d, char *line)
{
    char *tab = strchr(line, '\t'), *at, *end;
    if (!tab || tab - line >= HL_DURATIONS_NAME)
        return;
    *tab = '\0';
    struct hl_duration_kind *kind = kind_of(d, line, true);
    if (!kind)
        return;
    kind->count = 0;
    for (at = tab + 1; *at; at = end) {
        double seconds = strtod(at, &end);
        if (end == at)
            break;
        append(kind, seconds);
    }
}

/* Takes in what the file says. What is not a file of ours says nothing. */
static void load(struct hl_durations *d)
{
    char why[256], *text = NULL, *at, *line;
    int fd = d->dir
                 ? hl_userdir_file(d->dir, d->key, "durations", O_RDONLY, why, sizeof why)
                 : -1;
    d->loaded = true;
    if (fd >= 0 && (text = calloc(1, MAX_FILE + 1)) != NULL &&
        read(fd, text, MAX_FILE) > 0 && strncmp(text, HEAD, sizeof HEAD - 1) == 0) {
        at = text + sizeof HEAD - 1;
        while ((line = strsep(&at, "\n")) != NULL && at != NULL)
            read_line(d, line);
    }
    free(text);
    if (fd >= 0)
        close(fd);
}

static int print_kind(char *to, size_t room, const struct hl_duration_kind *kind)
{
    int at = snprintf(to, room, "%s\t", kind->name);
    for (int i = 0; i < kind->count; i++)
        at += snprintf(to + at, room - (size_t)at, "%s%.1f", i > 0 ? " " : "",
                       (double)kind->seconds[i]);
    at += snprintf(to + at, room - (size_t)at, "\n");
    return at;
}

/* A name may be long and numbers wide: this is more than any line needs. */
enum { MAX_LINE = HL_DURATIONS_NAME + HL_PACE_SAMPLES * 12 + 2 };

static void save(const struct hl_durations *d)
{
    char why[256], temp[32], from[HL_USERDIR_KEY + 40], to[HL_USERDIR_KEY + 16];
    struct timespec now;
    char *text = malloc(MAX_FILE);
    if (!text || !d->dir) {
        free(text);
        return;
    }
    size_t len = sizeof HEAD - 1;
    memcpy(text, HEAD, len);
    for (const struct hl_duration_kind *k = d->kinds; k && len + MAX_LINE < MAX_FILE;
         k = k->next)
        len += (size_t)print_kind(text + len, MAX_LINE, k);
    snprintf(temp, sizeof temp, "%ld.tmp", (long)gettid());
    snprintf(from, sizeof from, "%s.%s", d->key, temp);
    snprintf(to, sizeof to, "%s.durations", d->key);
    unlinkat(d->dir->fd, from, 0); /* of a dead process */
    int fd = hl_userdir_file(d->dir, d->key, temp, O_WRONLY | O_CREAT | O_EXCL, why,
                             sizeof why);
    if (fd >= 0) {
        bool ok = write(fd, text, len) == (ssize_t)len;
        if (close(fd) != 0 || !ok || renameat(d->dir->fd, from, d->dir->fd, to) != 0)
            unlinkat(d->dir->fd, from, 0);
        clock_gettime(CLOCK_REALTIME, &now);
        hl_userdir_sweep(d->dir, d->key, (int64_t)now.tv_sec * 1000, UNUSED_MS);
    }
    free(text);
}

/* ---- use ---- */

const struct hl_pace_model *hl_durations_model(struct hl_durations *d,
                                               const char *operation, const char *type,
                                               const char *size)
{
    char name[HL_DURATIONS_NAME];
    make_name(name, operation, type, size);
    if (!d->loaded)
        load(d);
    struct hl_duration_kind *kind = kind_of(d, name, false);
    if (!kind || kind->count == 0)
        return NULL;
    if (kind->stale)
        hl_pace_model(&kind->model, kind->seconds, kind->count);
    kind->stale = false;
    return &kind->model;
}

void hl_durations_add(struct hl_durations *d, const char *operation, const char *type,
                      const char *size, double seconds)
{
    char name[HL_DURATIONS_NAME];
    make_name(name, operation, type, size);
    load(d); /* others may have added something */
    struct hl_duration_kind *kind = kind_of(d, name, true);
    if (!kind)
        return;
    append(kind, seconds);
    save(d);
}
