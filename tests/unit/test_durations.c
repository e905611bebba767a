#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <halo.h>

#include "durations.h"
#include "fs.h"
#include "user_dir.h"

static struct hl_durations opened(void)
{
    struct hl_durations d;
    hl_durations_open(&d, &user_dir, "url");
    return d;
}

static void file_path(char *path, size_t room)
{
    struct hl_durations d = opened();
    snprintf(path, room, "%s/%s.durations", dir, d.key);
    hl_durations_free(&d);
}

static void read_file(char *text, size_t room)
{
    char path[400];
    file_path(path, sizeof path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, room - 1) : 0;
    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = '\0';
}

/* When a kind is expected to be over by: 0 when nothing is known. */
static int end_of(struct hl_durations *d, const char *operation, const char *size)
{
    const struct hl_pace_model *m = hl_durations_model(d, operation, "pro", size);
    return m ? (int)(m->end_s + 0.5) : 0;
}

static void test_kept(void **state)
{
    char text[4096];
    (void)state;
    struct hl_durations a = opened(), b = opened(), none = { 0 };
    CHECK_EQ("nothing is known", end_of(&a, "pausing", "8GB"), 0);
    hl_durations_add(&a, "pausing", "pro", "8GB", 100);
    int known = end_of(&a, "pausing", "8GB");
    CHECK_EQ("now it is", known > 100 && known < 200, true);
    CHECK_EQ("not of another size", end_of(&a, "pausing", "16GB"), 0);
    CHECK_EQ("nor operation", end_of(&a, "resuming", "8GB"), 0);
    CHECK_EQ("another process knows it", end_of(&b, "pausing", "8GB"), known);
    hl_durations_add(&b, "pausing", "pro", "8GB", 300.26);
    hl_durations_add(&a, "resuming", "pro", "8GB", 0.2);
    read_file(text, sizeof text);
    CHECK_STR("the file has what both added, the last used first", text,
              "halo durations 1\nresuming pro 8GB\t1.0\npausing pro 8GB\t100.0 300.3\n");
    hl_durations_add(&none, "pausing", "pro", "8GB", 50);
    CHECK_EQ("without a directory it is known in the process",
             end_of(&none, "pausing", "8GB") > 50, true);
    hl_durations_free(&a);
    hl_durations_free(&b);
    hl_durations_free(&none);
    CHECK_END();
}

static void test_bounds(void **state)
{
    static char text[128 * 1024];
    char name[32];
    (void)state;
    struct hl_durations d = opened();
    for (int i = 0; i < 40; i++)
        hl_durations_add(&d, "pausing", "pro", "8GB", 1000 + i);
    read_file(text, sizeof text);
    CHECK_EQ("the latest sixteen", strncmp(text + 17, "pausing pro 8GB\t1024.0 ", 23), 0);
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof name, "%d", i);
        hl_durations_add(&d, "pausing", "pro", name, 5);
    }
    CHECK_EQ("a bounded number of kinds", d.count, HL_DURATIONS_KINDS);
    read_file(text, sizeof text);
    CHECK_EQ("and of bytes", strlen(text) < 64 * 1024, true);
    const char *evil = "8GB\n\t\x1b[31m";
    hl_durations_free(&d);
    d = opened();
    hl_durations_open(&d, &user_dir, "other");
    hl_durations_add(&d, "pausing", "pro", evil, 1e300);
    hl_durations_add(&d, "pausing", "pro", evil, -1);
    CHECK_EQ("what a server says breaks nothing", end_of(&d, "pausing", evil) > 1, true);
    hl_durations_free(&d);
    CHECK_END();
}

/* Files that are not what they should be say nothing, and are replaced. */
static void test_bad_files(void **state)
{
    static const struct {
        const char *name, *text;
        bool known;
    } CASES[] = {
        { "as it should be", "halo durations 1\npausing pro 8GB\t100.0\n", true },
        { "empty", "", false },
        { "another version", "halo durations 2\npausing pro 8GB\t100.0\n", false },
        { "cut off", "halo durations 1\npausing pro 8GB\t100.0", false },
        { "no number", "halo durations 1\npausing pro 8GB\tx\n", false },
        { "no tab", "halo durations 1\npausing pro 8GB 100.0\n", false },
        { "odd numbers", "halo durations 1\npausing pro 8GB\tnan inf -5 1e999 1\n",
          true },
        { "lines of something else",
          "halo durations 1\n\n\t\n\t1\npausing pro 8GB\t9 x\n", true },
    };
    char path[400], text[4096];
    (void)state;
    file_path(path, sizeof path);
    for (size_t i = 0; i < COUNT(CASES); i++) {
        assert_int_equal(hl_fs_write(path, CASES[i].text, strlen(CASES[i].text), 0600),
                         HALO_OK);
        struct hl_durations d = opened();
        CHECK_EQ(CASES[i].name, end_of(&d, "pausing", "8GB") > 0, CASES[i].known);
        hl_durations_add(&d, "pausing", "pro", "8GB", 77);
        CHECK_EQ(CASES[i].name, end_of(&d, "pausing", "8GB") > 0, true);
        read_file(text, sizeof text);
        CHECK_EQ(CASES[i].name, strstr(text, "77.0\n") != NULL, true);
        hl_durations_free(&d);
    }
    assert_int_equal(chmod(path, 0640), 0);
    struct hl_durations d = opened();
    CHECK_EQ("open to others", end_of(&d, "pausing", "8GB"), 0);
    hl_durations_free(&d);
    CHECK_END();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_kept, user_dir_setup, user_dir_teardown),
        cmocka_unit_test_setup_teardown(test_bounds, user_dir_setup, user_dir_teardown),
        cmocka_unit_test_setup_teardown(test_bad_files, user_dir_setup,
                                        user_dir_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
