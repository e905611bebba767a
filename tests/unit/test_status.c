#include "table.h"

#include "status.h"

static const char *const RUNNING[] = { "running" };
static const char *const PAUSED[] = { "Paused" };
static const char *const DELETED[] = { "deleted" };
static const char *const EITHER[] = { "paused", "running" };
static const char *const UPDATING[] = { "updating" };
static const char *const FUTURE[] = { "hibernating" };
static const char *const SUSPENDED[] = { "suspended" };

enum { SEEN = true, NOT_SEEN = false, LONG = 60000 };

static const struct {
    const char *name;
    const char *const *want;
    size_t wants;
    const char *operation;
    bool seen_before;
    int64_t since_accepted, since_start;
    const char *status;
    enum hl_verdict verdict;
    bool seen, unknown;
} CASES[] = {
    /* no operation of ours */
    { "already there", RUNNING, 1, NULL, 0, 0, 0, "running", HL_DONE, 0, 0 },
    { "case does not matter", PAUSED, 1, NULL, 0, 0, 0, "PAUSED", HL_DONE, 0, 0 },
    { "one of several", EITHER, 2, NULL, 0, 0, 0, "running", HL_DONE, 0, 0 },
    { "a transient may be wanted", UPDATING, 1, NULL, 0, 0, 0, "updating", HL_DONE, 0,
      0 },
    { "on its way", RUNNING, 1, NULL, 0, 0, LONG, "resuming", HL_KEEP, 0, 0 },
    { "somebody else may resume it", RUNNING, 1, NULL, 0, 0, LONG, "paused", HL_KEEP, 0,
      0 },
    { "unknown: keep and tell", RUNNING, 1, NULL, 0, 0, LONG, "mending", HL_KEEP, 0, 1 },
    { "unknown but wanted", FUTURE, 1, NULL, 0, 0, 0, "Hibernating", HL_DONE, 0, 1 },
    { "loading failed is the end", RUNNING, 1, NULL, 0, 0, 0, "loading failed", HL_FAILED,
      0, 0 },
    { "in any case", RUNNING, 1, NULL, 0, 0, 0, "Loading Failed", HL_FAILED, 0, 0 },
    { "so is suspended", EITHER, 2, NULL, 0, 0, 0, "suspended", HL_FAILED, 0, 0 },
    { "unless it is wanted", SUSPENDED, 1, NULL, 0, 0, 0, "suspended", HL_DONE, 0, 0 },
    { "suspending may end suspended", SUSPENDED, 1, NULL, 0, 0, 0, "suspending", HL_KEEP,
      0, 0 },
    { "destroying is the end", RUNNING, 1, NULL, 0, 0, 0, "destroying", HL_FAILED, 0, 0 },
    { "deleting too", RUNNING, 1, NULL, 0, 0, 0, "deleting", HL_FAILED, 0, 0 },
    /* gone */
    { "gone as wanted", DELETED, 1, NULL, 0, 0, 0, NULL, HL_DONE, 0, 0 },
    { "destroying on the way to deleted", DELETED, 1, "destroying", 0, 100, 100,
      "destroying", HL_KEEP, SEEN, 0 },
    { "a suspended one can be deleted", DELETED, 1, NULL, 0, 0, LONG, "suspended",
      HL_KEEP, 0, 0 },
    { "not there yet after create", RUNNING, 1, "creating", 0, 2000, 2000, NULL, HL_KEEP,
      0, 0 },
    { "the last moment of grace", RUNNING, 1, NULL, 0, 0, 4999, NULL, HL_KEEP, 0, 0 },
    { "gone for good", RUNNING, 1, NULL, 0, 0, 5000, NULL, HL_FAILED, 0, 0 },
    /* after an operation of ours */
    { "pause: still running", PAUSED, 1, "pausing", 0, 100, 100, "running", HL_KEEP, 0,
      0 },
    { "pause: pausing is seen", PAUSED, 1, "pausing", 0, 100, 100, "pausing", HL_KEEP,
      SEEN, 0 },
    { "pause: paused needs no proof", PAUSED, 1, "pausing", 0, 100, 100, "paused",
      HL_DONE, 0, 0 },
    { "resume: running needs none", RUNNING, 1, "resuming", 0, 100, 100, "running",
      HL_DONE, 0, 0 },
    { "create: nor here", RUNNING, 1, "creating", 0, 100, 100, "running", HL_DONE, 0, 0 },
    { "resize: running may be old", RUNNING, 1, "updating", 0, 100, 100, "running",
      HL_KEEP, 0, 0 },
    { "resize: not after updating", RUNNING, 1, "updating", SEEN, 100, 100, "running",
      HL_DONE, SEEN, 0 },
    { "resize: not after 5 s", RUNNING, 1, "updating", 0, 5000, LONG, "running", HL_DONE,
      0, 0 },
    { "rename of a paused one", PAUSED, 1, "updating", 0, 100, 100, "paused", HL_KEEP, 0,
      0 },
    { "an operation nobody knows", RUNNING, 1, "mending", 0, 100, 100, "running", HL_KEEP,
      0, 0 },
    { "is seen by its name", RUNNING, 1, "mending", 0, 100, 100, "Mending", HL_KEEP, SEEN,
      1 },
    { "overwrite shown as loading", RUNNING, 1, "overwriting", 0, 100, 100, "loading",
      HL_KEEP, SEEN, 0 },
    { "overwrite over an old failure", RUNNING, 1, "overwriting", 0, 100, 100,
      "loading failed", HL_KEEP, 0, 0 },
    { "overwrite failed", RUNNING, 1, "overwriting", SEEN, 100, 100, "loading failed",
      HL_FAILED, SEEN, 0 },
    { "create ended paused", RUNNING, 1, "creating", SEEN, LONG, LONG, "paused",
      HL_FAILED, SEEN, 0 },
    { "pause ended running", PAUSED, 1, "pausing", SEEN, LONG, LONG, "running", HL_FAILED,
      SEEN, 0 },
    { "pause lags long", PAUSED, 1, "pausing", 0, LONG, LONG, "running", HL_KEEP, 0, 0 },
    { "deleted under our pause", PAUSED, 1, "pausing", SEEN, LONG, LONG, "destroying",
      HL_FAILED, SEEN, 0 },
    { "delete: the old status", DELETED, 1, "destroying", 0, 100, 100, "running", HL_KEEP,
      0, 0 },
};

static void test_judge(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(CASES); i++) {
        struct hl_look look = {
            .want = CASES[i].want,
            .wants = CASES[i].wants,
            .operation = CASES[i].operation,
            .seen = CASES[i].seen_before,
            .since_accepted_ms = CASES[i].since_accepted,
            .since_start_ms = CASES[i].since_start,
            .status = CASES[i].status,
        };
        struct hl_judged j = hl_status_judge(&look);
        CHECK_EQ(CASES[i].name, j.verdict, CASES[i].verdict);
        CHECK_EQ(CASES[i].name, j.seen, CASES[i].seen);
        CHECK_EQ(CASES[i].name, j.unknown, CASES[i].unknown);
        CHECK_EQ(CASES[i].name, j.reason[0] != '\0', CASES[i].verdict == HL_FAILED);
    }
    CHECK_END();
}

static void test_reasons(void **state)
{
    static const struct {
        const char *name, *status;
        bool seen;
        const char *want;
    } REASONS[] = {
        { "a dead end", "destroying", 0,
          "is destroying and cannot become paused or running" },
        { "gone", NULL, 0, "is gone and cannot become paused or running" },
        { "settled elsewhere", "suspended", SEEN,
          "is suspended and cannot become paused or running" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(REASONS); i++) {
        struct hl_look look = { .want = EITHER,
                                .wants = 2,
                                .operation = "updating",
                                .seen = REASONS[i].seen,
                                .since_accepted_ms = LONG,
                                .since_start_ms = LONG,
                                .status = REASONS[i].status };
        CHECK_STR(REASONS[i].name, hl_status_judge(&look).reason, REASONS[i].want);
    }
    struct hl_look look = { .want = PAUSED,
                            .wants = 1,
                            .operation = "pausing",
                            .seen = true,
                            .status = "running" };
    CHECK_STR("another end", hl_status_judge(&look).reason,
              "settled at running and did not become Paused");

    const char *many[60]; /* more than the reason holds */
    for (size_t i = 0; i < COUNT(many); i++)
        many[i] = "running";
    look = (struct hl_look){ .want = many, .wants = COUNT(many), .status = "suspended" };
    struct hl_judged j = hl_status_judge(&look);
    CHECK_EQ("a long list is cut", strlen(j.reason), sizeof j.reason - 1);
    CHECK_END();
}

static void test_find(void **state)
{
    (void)state;
    CHECK_STR("any case", hl_status_find("LOADING Failed")->name, "loading failed");
    CHECK_EQ("there is no failed", hl_status_find("failed") == NULL, true);
    CHECK_EQ("nor an empty one", hl_status_find("") == NULL, true);
    CHECK_EQ("nor a deleted one", hl_status_find("deleted") == NULL, true);
    CHECK_STR("where pausing leads", hl_status_find("pausing")->leads, "paused");
    CHECK_END();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_judge),
        cmocka_unit_test(test_reasons),
        cmocka_unit_test(test_find),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
