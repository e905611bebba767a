#include "table.h"

#include <halo.h>

#include "buf.h"

static void test_append(void **state)
{
    static const struct {
        const char *name;
        size_t limit;
        const char *pieces[5];
        const char *text;
        int err; /* of the last piece */
    } CASES[] = {
        { "nothing", 10, { NULL }, "", HALO_OK },
        { "one piece", 10, { "abc" }, "abc", HALO_OK },
        { "several", 10, { "abc", "", "de", "f" }, "abcdef", HALO_OK },
        { "exactly the limit", 6, { "abc", "def" }, "abcdef", HALO_OK },
        { "one more: none of it", 6, { "abc", "defg" }, "abc", HALO_NOMEM },
        { "limit 0 takes nothing", 0, { "a" }, "", HALO_NOMEM },
        { "limit 0 takes an empty piece", 0, { "" }, "", HALO_OK },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(CASES); i++) {
        struct hl_buf b;
        int err = HALO_OK;
        hl_buf_init(&b, CASES[i].limit);
        for (size_t j = 0; CASES[i].pieces[j]; j++)
            err = hl_buf_append(&b, CASES[i].pieces[j], strlen(CASES[i].pieces[j]));
        CHECK_EQ(CASES[i].name, err, CASES[i].err);
        CHECK_EQ(CASES[i].name, b.too_big, CASES[i].err != HALO_OK);
        CHECK_EQ(CASES[i].name, b.len, strlen(CASES[i].text));
        CHECK_STR(CASES[i].name, hl_buf_text(&b), CASES[i].text);
        hl_buf_reset(&b);
    }
    CHECK_END();
}

static void test_life(void **state)
{
    struct hl_buf b;
    char block[1000];
    (void)state;
    memset(block, 'x', sizeof block);
    hl_buf_init(&b, 100500);
    for (int i = 0; i < 100; i++)
        CHECK_EQ("grows", hl_buf_append(&b, block, sizeof block), HALO_OK);
    CHECK_EQ("to all of it", b.len, 100000);
    CHECK_EQ("up to its limit", hl_buf_append(&b, block, sizeof block), HALO_NOMEM);
    CHECK_EQ("and says so", b.too_big, true);
    CHECK_EQ("never beyond", b.cap <= 100501, true);
    CHECK_EQ("a size that would wrap around", hl_buf_append(&b, block, SIZE_MAX),
             HALO_NOMEM);
    hl_buf_reset(&b);
    CHECK_STR("emptied", hl_buf_text(&b), "");
    CHECK_EQ("forgets the refusal", b.too_big, false);
    CHECK_EQ("zero bytes are bytes", hl_buf_append(&b, "a\0b", 3), HALO_OK);
    CHECK_EQ("all three", memcmp(b.data, "a\0b", 4), 0);
    hl_buf_reset(&b);
    hl_buf_reset(&b);
    CHECK_STR("reset", hl_buf_text(&b), "");
    CHECK_EQ("usable again", hl_buf_append(&b, "a", 1), HALO_OK);
    hl_buf_reset(&b);

    struct hl_buf zero = { 0 };
    CHECK_EQ("a zeroed one takes nothing", hl_buf_append(&zero, "a", 1), HALO_NOMEM);
    CHECK_STR("and is empty", hl_buf_text(&zero), "");
    CHECK_END();
}

/* Two buffers that use one budget. */
static void test_budget(void **state)
{
    struct hl_budget budget = { .used = 0, .limit = 1000 };
    struct hl_buf a, b;
    char text[400] = { 0 };
    (void)state;
    hl_buf_init(&a, 10000);
    hl_buf_init(&b, 10000);
    a.budget = b.budget = &budget;
    CHECK_EQ("fits", hl_buf_append(&a, text, sizeof text), HALO_OK);
    CHECK_EQ("its memory counts", budget.used, a.cap);
    CHECK_EQ("the other's does not fit", hl_buf_append(&b, text, sizeof text),
             HALO_NOMEM);
    CHECK_EQ("and not because of its own limit", b.too_big, false);
    CHECK_EQ("less does", hl_buf_append(&b, text, 200), HALO_OK);
    CHECK_EQ("both count", budget.used, a.cap + b.cap);
    hl_buf_reset(&a);
    CHECK_EQ("given back", budget.used, b.cap);
    CHECK_EQ("now it fits", hl_buf_append(&b, text, 200), HALO_OK);
    hl_buf_reset(&b);
    CHECK_EQ("all of it", budget.used, 0);
    CHECK_END();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_append),
        cmocka_unit_test(test_budget),
        cmocka_unit_test(test_life),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
