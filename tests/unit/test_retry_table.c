/* The tables of the README and of retry.h: each cell is read and held against hl_retry. */
#include "table.h"

#include <ctype.h>
#include <stdlib.h>

#include "call.h"

enum { MAX_TEXT = 128 };

#define LAST_ATTEMPT (HL_RETRY_ATTEMPTS - 1)

/* What a row is about: its first cell, and what ends a request in this way. */
static const struct row {
    const char *what;
    struct hl_retry_in in;
    int statuses[8]; /* 0 ends them; without any: in.status alone */
    int from, to;    /* or all of these, but for those in another row */
} ROWS[] = {
    { "could not connect", { .net = HL_NET_UNSENT }, { 0 }, 0, 0 },
    { "certificate refused; refused by a proxy", { .net = HL_NET_REFUSED }, { 0 }, 0, 0 },
    { "429; 503 with Retry-After", { .retry_after_ms = 1000 }, { 429, 503 }, 0, 0 },
    { "401, 403", { 0 }, { 401, 403 }, 0, 0 },
    { "408, 500, 502, 503, 504", { 0 }, { 408, 500, 502, 503, 504 }, 0, 0 },
    { "any other 5xx", { 0 }, { 0 }, 500, 599 },
    { "sent, but no answer came", { .net = HL_NET_LOST, .sent = true }, { 0 }, 0, 0 },
    { "the answer is too large (16 MB)", { .net = HL_NET_UNUSABLE }, { 0 }, 0, 0 },
    { "409 `ongoing-database-operation`",
      { .reason = "ongoing-database-operation", .deadline_ms = 60000 },
      { 409 },
      0,
      0 },
    { "404, 410 to a DELETE that may have acted before",
      { .method = HL_DELETE, .maybe_done = true },
      { 404, 410 },
      0,
      0 },
    { "anything else", { 0 }, { 0 }, 300, 499 },
};

/* Whether in ends as the words of a cell say. */
static bool is_as_said(const char *words, struct hl_retry_in in)
{
    struct hl_retry_out out = hl_retry(&in);
    if (strcmp(words, "sent again") == 0) {
        in.failures = LAST_ATTEMPT;
        return out.action == HL_ACT_RETRY && out.counts == 1 &&
               hl_retry(&in).action == HL_ACT_FAIL;
    }
    if (strcmp(words, "once more with a new token") == 0) {
        in.token_renewed = true;
        return out.action == HL_ACT_RENEW && hl_retry(&in).action == HL_ACT_FAIL;
    }
    if (strcmp(words, "waits for its end") == 0) {
        in.elapsed_ms = in.deadline_ms;
        return out.action == HL_ACT_RETRY && out.counts == 0 &&
               hl_retry(&in).err == HALO_CONFLICT;
    }
    if (strcmp(words, "has succeeded") == 0)
        return out.action == HL_ACT_DONE;
    if (out.action != HL_ACT_FAIL)
        return false;
    if (strcmp(words, "`ambiguous`") == 0)
        return out.err == HALO_AMBIGUOUS;
    if (strcmp(words, "fails with its kind") == 0)
        return out.err == hl_status_error(in.status);
    if (strcmp(words, "fails at once") == 0)
        return out.err == HALO_TRANSPORT;
    if (strcmp(words, "GET fails, DELETE is `ambiguous`") == 0)
        return out.err == (in.method == HL_DELETE ? HALO_AMBIGUOUS : HALO_API);
    return false; /* words that nobody knows */
}

static bool in_another_row(int status)
{
    for (size_t i = 0; i < COUNT(ROWS); i++)
        for (size_t j = 0; ROWS[i].statuses[j]; j++)
            if (ROWS[i].statuses[j] == status && !ROWS[i].in.reason &&
                !ROWS[i].in.maybe_done)
                return true;
    return false;
}

static void check_status(const struct row *row, bool repeatable, const char *words,
                         int status)
{
    static const struct {
        enum hl_method method;
        int effect;
        bool repeatable;
    } CALLS[] = { { HL_GET, HALO_READ, true },      { HL_DELETE, HALO_DESTROY, true },
                  { HL_POST, HALO_READ, true },     { HL_POST, HALO_CHANGE, false },
                  { HL_POST, HALO_DESTROY, false }, { HL_PATCH, HALO_CHANGE, false } };
    for (size_t i = 0; i < COUNT(CALLS); i++) {
        struct hl_retry_in in = row->in;
        if (CALLS[i].repeatable != repeatable ||
            (in.method == HL_DELETE && CALLS[i].method != HL_DELETE))
            continue;
        in.method = CALLS[i].method;
        in.effect = CALLS[i].effect;
        in.status = status;
        in.random = 0.5;
        in.attempt = 1;
        char name[MAX_TEXT + 64];
        snprintf(name, sizeof name, "%s %d: %s", hl_method_name(in.method), status,
                 words);
        CHECK_EQ(name, is_as_said(words, in), true);
    }
}

static void check_cell(const struct row *row, bool repeatable, const char *words)
{
    if (!repeatable && row->in.method == HL_DELETE) {
        CHECK_STR(row->what, words, "");
        return;
    }
    for (size_t i = 0; row->statuses[i]; i++)
        check_status(row, repeatable, words, row->statuses[i]);
    for (int status = row->from; row->to && status <= row->to; status++)
        if (!in_another_row(status))
            check_status(row, repeatable, words, status);
    if (!row->statuses[0] && !row->to)
        check_status(row, repeatable, words, 0);
}

/* The next cell of a line, without the blanks around it. */
static const char *next_cell(const char **at, char cell[MAX_TEXT])
{
    size_t len = strcspn(*at, "|");
    const char *from = *at;
    *at += len + ((*at)[len] == '|');
    for (; len > 0 && isspace((unsigned char)*from); len--)
        from++;
    while (len > 0 && isspace((unsigned char)from[len - 1]))
        len--;
    snprintf(cell, MAX_TEXT, "%.*s", (int)len, from);
    return cell;
}

static char *text_of(const char *name)
{
    char path[4096];
    const char *root = getenv("SRC");
    assert_non_null(root);
    snprintf(path, sizeof path, "%s/%s", root, name);
    FILE *f = fopen(path, "r");
    char *text = calloc(1, 256 * 1024);
    assert_non_null(f);
    assert_non_null(text);
    size_t len = fread(text, 1, 256 * 1024 - 1, f);
    assert_true(len < 256 * 1024 - 1);
    fclose(f);
    return text;
}

/* The rows behind the head of the table; each line begins with `margin`. */
static void check_table(const char *file, const char *margin)
{
    char *text = text_of(file), cell[MAX_TEXT];
    const char *line = strstr(text, "| what happened | GET, DELETE | POST, PATCH |\n");
    size_t rows = 0;
    assert_non_null(line);
    for (int skip = 0; skip < 2; skip++) /* the head, and the line under it */
        line = strchr(line, '\n') + 1;
    for (; strncmp(line, margin, strlen(margin)) == 0 && line[strlen(margin)] == '|';
         line = strchr(line, '\n') + 1, rows++) {
        const char *at = line + strlen(margin) + 1;
        next_cell(&at, cell);
        const struct row *row = rows < COUNT(ROWS) ? &ROWS[rows] : &ROWS[0];
        CHECK_STR(file, cell, row->what);
        check_cell(row, true, next_cell(&at, cell));
        check_cell(row, false, next_cell(&at, cell));
    }
    CHECK_EQ(file, rows, COUNT(ROWS));
    free(text);
}

static void test_tables(void **state)
{
    (void)state;
    check_table("README.md", "");
    check_table("host/retry.h", " * ");
    CHECK_END();
}

/* The figures that the README gives. */
static void test_figures(void **state)
{
    char *text = text_of("README.md"), said[4][MAX_TEXT];
    (void)state;
    snprintf(said[0], MAX_TEXT, "Retry-After, at most %d s), %d times at most",
             HL_RETRY_AFTER_CAP_MS / 1000, HL_RETRY_ATTEMPTS);
    snprintf(said[1], MAX_TEXT, "`timeout` (seconds; %d)", HL_CALL_TIMEOUT_MS / 1000);
    snprintf(said[2], MAX_TEXT, "how many requests may fail (%d)", HL_RETRY_ATTEMPTS);
    snprintf(said[3], MAX_TEXT, "(%d MB)", HL_MAX_BODY / 1024 / 1024);
    for (size_t i = 0; i < COUNT(said); i++)
        CHECK_EQ(said[i], strstr(text, said[i]) != NULL, true);
    free(text);
    CHECK_END();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_figures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
