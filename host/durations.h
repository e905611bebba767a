/* How long operations took, by operation, type and size of the instance: what waits learn
 * from. Kept in a file for each service, in the user's state directory, and for the
 * process in memory. Bounded, and harmless if lost. */
#ifndef HL_DURATIONS_H
#define HL_DURATIONS_H

#include "pace.h"
#include "userdir.h"

enum {
    HL_DURATIONS_KINDS = 256, /* those used last are kept */
    HL_DURATIONS_NAME = 96
};

struct hl_duration_kind;

/* Zero-initialised: nothing is known, and nothing is kept on disk. */
struct hl_durations {
    const struct hl_userdir *dir; /* borrowed; NULL: not shared */
    char key[HL_USERDIR_KEY + 1];
    bool loaded;
    struct hl_duration_kind *kinds; /* last used first */
    int count;
};

/* dir must outlive it; one that is not open is fine. */
void hl_durations_open(struct hl_durations *d, const struct hl_userdir *dir,
                       const char *url);
void hl_durations_free(struct hl_durations *d);

/* What is known of such an operation ("pausing", "enterprise-db", "8GB"); NULL when
 * nothing is. It stays where it is, and gets better, until hl_durations_free. */
const struct hl_pace_model *hl_durations_model(struct hl_durations *d,
                                               const char *operation, const char *type,
                                               const char *size);

/* One more. What other processes have added meanwhile is taken in. */
void hl_durations_add(struct hl_durations *d, const char *operation, const char *type,
                      const char *size, double seconds);

#endif
