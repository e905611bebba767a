#include "status.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* aura-api: the thirteen documented statuses, and two that clients have met. */
static const struct hl_status STATUSES[] = {
    /* name           settled dead_end from       leads to */
    { "creating", false, false, NULL, "running" },
    { "running", true, false, NULL, NULL },
    { "pausing", false, false, "running", "paused" },
    { "paused", true, false, NULL, NULL },
    { "resuming", false, false, "paused", "running" },
    { "updating", false, false, "running", "running" },
    { "resizing", false, false, "running", "running" },
    { "overwriting", false, false, "running", "running" },
    { "restoring", false, false, "running", "running" },
    { "loading", false, false, "running", "running" },
    { "loading failed", true, true, NULL, NULL },
    { "suspending", false, false, "running", "suspended" },
    { "suspended", true, true, NULL, NULL },
    { "destroying", false, true, NULL, HL_DELETED },
    { "deleting", false, true, NULL, HL_DELETED },
};

const struct hl_status *hl_status_find(const char *name)
{
    for (size_t i = 0; i < sizeof STATUSES / sizeof *STATUSES; i++) {
        if (strcasecmp(STATUSES[i].name, name) == 0)
            return &STATUSES[i];
    }
    return NULL;
}

static bool wanted(const struct hl_look *look, const char *name)
{
    for (size_t i = 0; i < look->wants; i++) {
        if (strcasecmp(look->want[i], name) == 0)
            return true;
    }
    return false;
}

/* "is destroying and cannot become running or paused" */
static struct hl_judged failed(struct hl_judged j, const struct hl_look *look,
                               const char *is, const char *cannot)
{
    j.verdict = HL_FAILED;
    int n = snprintf(j.reason, sizeof j.reason, "%s and %s become ", is, cannot);
    for (size_t i = 0; i < look->wants && n < (int)sizeof j.reason; i++)
        n += snprintf(j.reason + n, sizeof j.reason - (size_t)n, "%s%s",
                      i > 0 ? " or " : "", look->want[i]);
    return j;
}

/* Whether `status` may be what the instance was before the operation that was just
 * accepted. A status in which that operation is not accepted, but to which it leads,
 * cannot be. */
static bool may_be_old(const struct hl_look *look, const struct hl_status *status)
{
    if (!look->operation || look->seen || look->since_accepted_ms >= HL_GRACE_MS)
        return false;
    if (!status || !status->settled)
        return false;
    const struct hl_status *op = hl_status_find(look->operation);
    bool is_result = op && op->leads && strcmp(op->leads, status->name) == 0;
    bool is_source = op && op->from && strcmp(op->from, status->name) == 0;
    return !is_result || is_source;
}

static struct hl_judged gone(const struct hl_look *look, struct hl_judged j)
{
    if (wanted(look, HL_DELETED))
        j.verdict = HL_DONE;
    else if (look->since_start_ms >= HL_GRACE_MS)
        j = failed(j, look, "is gone", "cannot");
    return j;
}

struct hl_judged hl_status_judge(const struct hl_look *look)
{
    struct hl_judged j = { .verdict = HL_KEEP, .seen = look->seen };
    if (!look->status)
        return gone(look, j);

    const struct hl_status *status = hl_status_find(look->status);
    j.unknown = !status;
    if (look->operation) /* any transient: an accepted operation may show itself as
                            another */
        j.seen = look->seen || (status && !status->settled) ||
                 strcasecmp(look->operation, look->status) == 0;
    if (may_be_old(look, status))
        return j;
    if (wanted(look, look->status)) {
        j.verdict = HL_DONE;
        return j;
    }
    if (!status)
        return j;

    char is[40];
    snprintf(is, sizeof is, "is %s", status->name);
    if (status->dead_end && !wanted(look, HL_DELETED))
        return failed(j, look, is, "cannot");
    if (status->settled && j.seen && look->operation) {
        snprintf(is, sizeof is, "settled at %s", status->name);
        return failed(j, look, is, "did not");
    }
    return j;
}
