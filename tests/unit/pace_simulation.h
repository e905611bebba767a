/* Waits of chance durations, looked for by pace.c as it learns, and by polling at fixed
 * intervals. For the test of pace.c and for the table of the benchmarks. */
#ifndef PACE_SIMULATION_H
#define PACE_SIMULATION_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pace.h"

/* Durations: log-normal around each of two medians (the same twice: one group). */
struct durations {
    const char *name;
    double learned_from[2]; /* medians of the 16 that are known at the start; 0: none */
    double median[2];       /* of those that come */
    double sigma;           /* 0.1: one in three is more than a tenth off */
    bool learns;            /* from those that come, too */
};

static const struct durations PACE_CASES[] = {
    { "5 min, spread 5 %", { 300, 300 }, { 300, 300 }, 0.05, true },
    { "5 min, spread 10 %", { 300, 300 }, { 300, 300 }, 0.1, true },
    { "5 min, spread 15 %", { 300, 300 }, { 300, 300 }, 0.15, true },
    { "5 min, spread 30 %", { 300, 300 }, { 300, 300 }, 0.3, true },
    { "45 s, spread 10 %", { 45, 45 }, { 45, 45 }, 0.1, true },
    { "20 min, spread 10 %", { 1200, 1200 }, { 1200, 1200 }, 0.1, true },
    { "2 min or 6 min, 5 % each", { 120, 360 }, { 120, 360 }, 0.05, true },
    { "2 min or 6 min, 10 % each", { 120, 360 }, { 120, 360 }, 0.1, true },
    { "shifted: 5 min, then 7", { 300, 300 }, { 420, 420 }, 0.1, true },
    { "shifted: 5 min, then 3", { 300, 300 }, { 180, 180 }, 0.1, true },
    { "shifted for once: 5 min, now 6", { 300, 300 }, { 360, 360 }, 0.1, false },
    { "shifted for once: 5 min, now 4", { 300, 300 }, { 240, 240 }, 0.1, false },
    { "far longer: 1 min, then 15", { 60, 60 }, { 900, 900 }, 0.2, true },
    { "far longer for once: 1 min, now 15", { 60, 60 }, { 900, 900 }, 0.2, false },
    { "2 s, spread 5 %", { 2, 2 }, { 2, 2 }, 0.05, true },
    { "10 s, spread 10 %", { 10, 10 }, { 10, 10 }, 0.1, true },
    { "shifted for once: 2 s, now 3", { 2, 2 }, { 3, 3 }, 0.05, false },
    { "nothing known, then 5 min", { 0, 0 }, { 300, 300 }, 0.1, true },
};

enum { PACE_WAITS = 400, PACE_KNOWN = HL_PACE_SAMPLES };

/* Of a mean wait. */
struct pace_outcome {
    double delay_s;    /* between the change and the look that sees it */
    double looks;      /* with the first, which is at once */
    double delay_20_s; /* of a look every 20 s */
    double looks_20;
    double delay_same_s; /* of a fixed interval that takes as many looks */
};

static inline double pace_duration(const double median[2], double sigma,
                                   unsigned short seed[3])
{
    double a = 1 - erand48(seed), b = erand48(seed); /* Box and Muller */
    double normal = sqrt(-2 * log(a)) * cos(2 * 3.14159265358979 * b);
    return median[erand48(seed) < 0.5] * exp(sigma * normal);
}

/* Mean looks and delay of a fixed interval. */
static inline double pace_fixed(const double *durations, int n, double interval,
                                double *delay)
{
    double looks = 0;
    *delay = 0;
    for (int i = 0; i < n; i++) {
        double k = ceil(durations[i] / interval);
        looks += 1 + k;
        *delay += k * interval - durations[i];
    }
    *delay /= n;
    return looks / n;
}

static inline struct pace_outcome pace_simulate(const struct durations *d)
{
    static double all[PACE_WAITS];
    unsigned short seed[3] = { 1, 2, 3 };
    float known[PACE_KNOWN];
    int count = 0;
    struct pace_outcome out = { 0 };
    for (; d->learned_from[0] > 0 && count < PACE_KNOWN; count++)
        known[count] = (float)pace_duration(d->learned_from, d->sigma, seed);
    for (int i = 0; i < PACE_WAITS; i++) {
        struct hl_pace_model model;
        struct hl_pace p;
        double last = 0, now = 0;
        all[i] = pace_duration(d->median, d->sigma, seed);
        hl_pace_model(&model, known, count);
        hl_pace_init(&p, 0, 0, -1);
        hl_pace_next(&p, 0, 0); /* the look at once */
        hl_pace_learned(&p, &model, 0);
        out.looks++;
        while (now < all[i]) {
            last = now;
            now += (double)hl_pace_next(&p, (int64_t)(now * 1000), erand48(seed)) / 1000;
            out.looks++;
        }
        out.delay_s += now - all[i];
        if (!d->learns)
            continue;
        if (count == PACE_KNOWN)
            memmove(known, known + 1, sizeof known - sizeof *known);
        else
            count++;
        known[count - 1] = (float)((last + now) / 2); /* it was somewhere in between */
    }
    out.delay_s /= PACE_WAITS;
    out.looks /= PACE_WAITS;
    out.looks_20 = pace_fixed(all, PACE_WAITS, 20, &out.delay_20_s);
    double low = 1, high = 1000; /* the interval that takes as many looks */
    for (int i = 0; i < 60; i++) {
        double middle = (low + high) / 2, delay;
        if (pace_fixed(all, PACE_WAITS, middle, &delay) > out.looks)
            low = middle;
        else
            high = middle;
    }
    pace_fixed(all, PACE_WAITS, high, &out.delay_same_s);
    return out;
}

#endif
