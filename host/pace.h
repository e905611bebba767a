/* When to look next at something that is being waited for. The first look is at once.
 *
 * Where it is not known how long it takes, the gaps then grow from 1 s by half to 15 s.
 * Where it is, from earlier waits, they are wide until the change is likely and narrow
 * around that time: about as many looks as one every 20 s (two, where it takes less than
 * 40 s), spent where they help. Beyond what is known each gap is half the time that has
 * passed, and at most 20 s. Each gap is moved a little so that many waiters spread. Or
 * the gaps are fixed, when the caller says so. The last look is at the deadline itself.
 * Pure: time and chance are arguments. */
#ifndef HL_PACE_H
#define HL_PACE_H

#include <stdbool.h>
#include <stdint.h>

enum {
    HL_PACE_FIRST_MS = 1000,
    HL_PACE_LAST_MS = 15000,
    HL_PACE_SAMPLES = 16, /* durations that are learned from: the latest */
    HL_PACE_GRID = 256
};

/* What the durations of earlier waits say: how many looks to have taken by each moment.
 *
 * The best gap at a time is proportional to 1 / sqrt(h), h being the rate at which the
 * change comes if it has not come yet: that makes the mean delay times the number of
 * looks smallest. h is estimated from the durations, each blurred, plus a little of
 * nearly everything; the factor is chosen for the number of looks above. */
struct hl_pace_model {
    double end_s;                  /* the last moment of the grid; 0: nothing is known */
    double usual_s;                /* one every so often would take as many looks */
    float looks[HL_PACE_GRID + 1]; /* by 1 s, ..., end_s, in equal ratios */
};

/* seconds: durations, at most HL_PACE_SAMPLES, each at least 1; their order does not
 * matter. */
void hl_pace_model(struct hl_pace_model *m, const float *seconds, int count);

struct hl_pace {
    bool looked;                       /* the first look has been granted */
    bool fixed;                        /* the gap does not grow and is not moved */
    int64_t gap_ms;                    /* the next gap */
    int64_t deadline_ms;               /* on the caller's clock; INT64_MAX: none */
    const struct hl_pace_model *model; /* NULL: nothing is known */
    int64_t begun_ms;                  /* when that began which the model is of */
    int looks;                         /* since then */
};

/* interval_ms: 0 for gaps that are chosen. timeout_ms: from now on; negative for none. */
void hl_pace_init(struct hl_pace *p, int64_t now_ms, int64_t interval_ms,
                  int64_t timeout_ms);

/* From now on gaps are chosen by the model (borrowed, must outlive p); without effect
 * where they are fixed. begun_ms: when the operation began that is waited for. */
void hl_pace_learned(struct hl_pace *p, const struct hl_pace_model *model,
                     int64_t begun_ms);

/* ms to wait before the next look; -1 when the deadline has come and that look was taken
 * (the first look is always granted). random: 0 <= random < 1. */
int64_t hl_pace_next(struct hl_pace *p, int64_t now_ms, double random);

#endif
