#include "pace.h"

#include <math.h>
#include <string.h>

#define USUAL_GAP_S 20.0  /* what the number of looks is measured by; or half the wait */
#define WIDEST_GAP_S 60.0 /* or a tenth of the longest wait that is likely */
#define NARROWEST_GAP_S 1.0

/* The blur of a duration, in natural logarithms: what a single one may be off by, and the
 * share and width of "nearly everything". */
#define ONE_OFF 0.08
#define MOST_BLUR 0.5
#define ANY_SHARE 0.05
#define ANY_WIDTH 0.7

/* The looks are never ahead of one every 20 s by more than half and three. */
#define AHEAD 1.5
#define AHEAD_LOOKS 3

static double within_bounds(const struct hl_pace_model *m, double gap_s)
{
    return fmin(fmax(gap_s, NARROWEST_GAP_S), fmax(WIDEST_GAP_S, m->end_s / 10));
}

/* ---- the model ---- */

struct density {
    int count;
    double at[HL_PACE_SAMPLES], blur; /* logarithms of the durations */
    double middle, width;
};

static void sort(double *list, int n)
{
    for (int i = 1; i < n; i++)
        for (int k = i; k > 0 && list[k] < list[k - 1]; k--) {
            double t = list[k];
            list[k] = list[k - 1];
            list[k - 1] = t;
        }
}

/* How far typical durations lie apart: the spread; for several groups of them, that
 * within a group. */
static double spread(const struct density *d, double deviation)
{
    double gaps[HL_PACE_SAMPLES];
    if (d->count < 4)
        return deviation;
    for (int i = 0; i + 1 < d->count; i++)
        gaps[i] = d->at[i + 1] - d->at[i];
    sort(gaps, d->count - 1);
    double within = gaps[(d->count - 1) / 2] * d->count / 2;
    return within < deviation ? within : deviation;
}

static struct density density_of(const float *seconds, int count)
{
    struct density d = { .count = count };
    double sum = 0, squares = 0;
    for (int i = 0; i < count; i++) {
        d.at[i] = log(seconds[i]);
        sum += d.at[i];
    }
    sort(d.at, count);
    d.middle = sum / count;
    for (int i = 0; i < count; i++)
        squares += (d.at[i] - d.middle) * (d.at[i] - d.middle);
    double deviation = sqrt(squares / count);
    /* Silverman's rule, and what is not known of it while there are few */
    double rule = 1.06 * spread(&d, deviation) * pow(count, -0.2);
    d.blur = fmin(sqrt(rule * rule + ONE_OFF * ONE_OFF / count), MOST_BLUR);
    d.width = deviation > ANY_WIDTH ? deviation : ANY_WIDTH;
    return d;
}

/* Adds a blurred duration's part to the rate at which changes come and to those that are
 * still to come. */
static void add(double share, double z, double blur, double t, double *come, double *left)
{
    *come += share * exp(-z * z / 2) / (blur * t * 2.5066282746);
    *left += share * erfc(z * M_SQRT1_2) / 2;
}

static void look_at(const struct density *d, double t, double *come, double *left)
{
    double at = log(t);
    *come = *left = 0;
    for (int i = 0; i < d->count; i++)
        add((1 - ANY_SHARE) / d->count, (at - d->at[i]) / d->blur, d->blur, t, come,
            left);
    add(ANY_SHARE, (at - d->middle) / d->width, d->width, t, come, left);
}

void hl_pace_model(struct hl_pace_model *m, const float *seconds, int count)
{
    double gap[HL_PACE_GRID + 1]; /* seconds, but for the factor */
    double looks = 0, usual = 0, t = 1;
    memset(m, 0, sizeof *m);
    if (count <= 0)
        return;
    struct density d = density_of(seconds, count);
    m->end_s = exp(d.at[count - 1] + 2 * d.blur);
    m->usual_s = fmin(USUAL_GAP_S, fmax(NARROWEST_GAP_S, exp(d.middle) / 2));
    double ratio = pow(m->end_s, 1.0 / HL_PACE_GRID);
    for (int i = 1; i <= HL_PACE_GRID; i++) {
        double come, left, step = t * ratio - t;
        t *= ratio;
        look_at(&d, t, &come, &left);
        gap[i] = sqrt(left / (come + 1e-300));
        looks += left * step / gap[i];
        usual += left * step / m->usual_s;
    }
    usual *= 0.88; /* the gaps are shortened by chance, and rounded */
    double factor = looks / (usual > 1 ? usual : 1);
    t = 1;
    for (int i = 1; i <= HL_PACE_GRID; i++) {
        double step = t * ratio - t, apart = gap[i] * factor;
        t *= ratio;
        m->looks[i] = m->looks[i - 1] + (float)(step / within_bounds(m, apart));
    }
}

/* The gap at a time that is beyond what is known. */
static double gap_beyond(const struct hl_pace_model *m, double t)
{
    return fmin(USUAL_GAP_S, fmax(m->usual_s, t / 2));
}

/* The looks to have taken by t, which is before the end. */
static double looks_by(const struct hl_pace_model *m, double t)
{
    if (t <= 1)
        return 0;
    double at = log(t) / log(m->end_s) * HL_PACE_GRID;
    int i = (int)at;
    return m->looks[i] + (m->looks[i + 1] - m->looks[i]) * (at - i);
}

/* When so many looks are to have been taken. */
static double time_of(const struct hl_pace_model *m, double looks)
{
    int low = 0, high = HL_PACE_GRID;
    if (looks >= m->looks[HL_PACE_GRID])
        return m->end_s + (looks - m->looks[HL_PACE_GRID]) * gap_beyond(m, m->end_s);
    while (high - low > 1) {
        int i = (low + high) / 2;
        if (m->looks[i] <= looks)
            low = i;
        else
            high = i;
    }
    double part = (looks - m->looks[low]) / (m->looks[high] - m->looks[low]);
    return pow(m->end_s, (low + part) / HL_PACE_GRID);
}

static int64_t learned_gap_ms(struct hl_pace *p, int64_t now_ms)
{
    double t = (double)(now_ms - p->begun_ms) / 1000;
    double next = t >= p->model->end_s
                      ? t + gap_beyond(p->model, t)
                      : time_of(p->model, looks_by(p->model, t > 0 ? t : 0) + 1);
    double least = p->model->usual_s * (++p->looks - AHEAD_LOOKS) / AHEAD;
    if (next < least)
        next = least;
    return (int64_t)(1000 * within_bounds(p->model, next - t));
}

/* ---- the next look ---- */

void hl_pace_init(struct hl_pace *p, int64_t now_ms, int64_t interval_ms,
                  int64_t timeout_ms)
{
    *p = (struct hl_pace){
        .fixed = interval_ms > 0,
        .gap_ms = interval_ms > 0 ? interval_ms : HL_PACE_FIRST_MS,
        .deadline_ms = INT64_MAX,
    };
    if (timeout_ms >= 0 && timeout_ms < INT64_MAX - now_ms)
        p->deadline_ms = now_ms + timeout_ms;
}

void hl_pace_learned(struct hl_pace *p, const struct hl_pace_model *model,
                     int64_t begun_ms)
{
    if (p->fixed || !model || model->end_s <= 1)
        return;
    p->model = model;
    p->begun_ms = begun_ms;
    p->looks = 0;
}

static int64_t growing_gap_ms(struct hl_pace *p)
{
    int64_t gap = p->gap_ms;
    p->gap_ms += p->gap_ms / 2;
    if (p->gap_ms > HL_PACE_LAST_MS)
        p->gap_ms = HL_PACE_LAST_MS;
    return gap;
}

int64_t hl_pace_next(struct hl_pace *p, int64_t now_ms, double random)
{
    if (!p->looked) {
        p->looked = true;
        return 0;
    }
    if (now_ms >= p->deadline_ms)
        return -1;
    int64_t wait = p->gap_ms;
    if (p->model)
        wait = (int64_t)((double)learned_gap_ms(p, now_ms) * (0.9 + 0.1 * random));
    else if (!p->fixed)
        wait = (int64_t)((double)growing_gap_ms(p) * (0.9 + 0.2 * random));
    int64_t left = p->deadline_ms - now_ms;
    return wait < left ? wait : left;
}
