#include "table.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <halo.h>

#include "fs.h"

static char dir[256]; /* fresh for the whole program */

/* dir/name; good until the eighth call after this one. */
static const char *at(const char *name)
{
    static char rooms[8][400];
    static int turn;
    char *room = rooms[turn++ % 8];
    snprintf(room, sizeof rooms[0], "%s/%s", dir, name);
    return room;
}

static void put(const char *name, const char *text)
{
    assert_int_equal(hl_fs_write(at(name), text, strlen(text), 0600), HALO_OK);
}

static void check_text(const char *name, const char *path, const char *want)
{
    struct hl_buf b;
    hl_buf_init(&b, 1000000);
    CHECK_EQ(name, hl_fs_read(path, &b), HALO_OK);
    CHECK_STR(name, hl_buf_text(&b), want);
    hl_buf_reset(&b);
}

static int mode_of(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 ? (int)(st.st_mode & 07777) : -1;
}

static int entries(void) /* of dir, temporary files included */
{
    int n = 0;
    DIR *d = opendir(dir);
    while (d && readdir(d))
        n++;
    if (d)
        closedir(d);
    return n;
}

#define FAILS(name, call, number)      \
    do {                               \
        errno = 0;                     \
        CHECK_EQ(name, call, HALO_IO); \
        CHECK_EQ(name, errno, number); \
    } while (0)

static void test_write(void **state)
{
    (void)state;
    mode_t mask = umask(077);
    CHECK_EQ("a new file", hl_fs_write(at("w"), "one", 3, 0644), HALO_OK);
    umask(mask);
    CHECK_EQ("has its mode whatever the umask", mode_of(at("w")), 0644);
    check_text("and its text", at("w"), "one");
    CHECK_EQ("replaced", hl_fs_write(at("w"), "two", 3, 0600), HALO_OK);
    CHECK_EQ("the new mode counts", mode_of(at("w")), 0600);
    check_text("and the new text", at("w"), "two");
    CHECK_EQ("empty", hl_fs_write(at("empty"), "", 0, 0600), HALO_OK);
    check_text("empty", at("empty"), "");

    put("target", "safe");
    assert_int_equal(symlink(at("target"), at("link")), 0);
    CHECK_EQ("a symlink is replaced", hl_fs_write(at("link"), "new", 3, 0600), HALO_OK);
    check_text("not followed", at("target"), "safe");
    CHECK_EQ("no link is left", mode_of(at("link")), 0600);

    int before = entries();
    FAILS("no such directory", hl_fs_write(at("none/x"), "a", 1, 0600), ENOENT);
    assert_int_equal(mkdir(at("isdir"), 0700), 0);
    FAILS("a directory in the way", hl_fs_write(at("isdir"), "a", 1, 0600), EISDIR);
    CHECK_EQ("no temporary file stays", entries(), before + 1);
    CHECK_END();
}

static void test_full_disk(void **state)
{
    struct rlimit old, small = { .rlim_cur = 1000 };
    static char text[5000];
    (void)state;
    memset(text, 'x', sizeof text);
    put("full", "before");
    put("log", "line 1\n");
    int before = entries();
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old);
    small.rlim_max = old.rlim_max;
    setrlimit(RLIMIT_FSIZE, &small);
    FAILS("write", hl_fs_write(at("full"), text, sizeof text, 0600), EFBIG);
    FAILS("append", hl_fs_append(at("log"), text, sizeof text, 0600), EFBIG);
    setrlimit(RLIMIT_FSIZE, &old);
    check_text("the old file is whole", at("full"), "before");
    check_text("the log has no torn line", at("log"), "line 1\n");
    CHECK_EQ("no temporary file stays", entries(), before);
    CHECK_END();
}

static void test_append(void **state)
{
    (void)state;
    CHECK_EQ("creates", hl_fs_append(at("a"), "1\n", 2, 0640), HALO_OK);
    CHECK_EQ("with its mode", mode_of(at("a")), 0640);
    CHECK_EQ("appends", hl_fs_append(at("a"), "2\n", 2, 0600), HALO_OK);
    CHECK_EQ("keeps the mode", mode_of(at("a")), 0640);
    check_text("both", at("a"), "1\n2\n");
    assert_int_equal(symlink(at("a"), at("alink")), 0);
    FAILS("refuses a symlink", hl_fs_append(at("alink"), "3\n", 2, 0600), ELOOP);
    CHECK_END();
}

static void test_read(void **state)
{
    struct hl_buf b;
    (void)state;
    put("r", "123456");
    hl_buf_init(&b, 6);
    CHECK_EQ("exactly the limit", hl_fs_read(at("r"), &b), HALO_OK);
    hl_buf_reset(&b);
    hl_buf_init(&b, 5);
    FAILS("beyond the limit", hl_fs_read(at("r"), &b), EFBIG);
    hl_buf_reset(&b);
    FAILS("missing", hl_fs_read(at("none"), &b), ENOENT);
    FAILS("a directory", hl_fs_read(dir, &b), EISDIR);
    hl_buf_reset(&b);
    CHECK_END();
}

static void test_mkdirs(void **state)
{
    static const struct {
        const char *name, *path;
        int err, number;
    } CASES[] = {
        { "one", "m1", HALO_OK, 0 },
        { "with parents", "m2/a/b", HALO_OK, 0 },
        { "already there", "m2/a", HALO_OK, 0 },
        { "a slash at the end", "m3/x/", HALO_OK, 0 },
        { "slashes in between", "m4//x", HALO_OK, 0 },
        { "a file in the way", "mfile", HALO_IO, ENOTDIR },
        { "a file on the way", "mfile/x", HALO_IO, ENOTDIR },
    };
    (void)state;
    put("mfile", "");
    for (size_t i = 0; i < COUNT(CASES); i++) {
        errno = 0;
        CHECK_EQ(CASES[i].name, hl_fs_mkdirs(at(CASES[i].path), 0700), CASES[i].err);
        if (CASES[i].err != HALO_OK)
            CHECK_EQ(CASES[i].name, errno, CASES[i].number);
        else
            CHECK_EQ(CASES[i].name, mode_of(at(CASES[i].path)), 0700);
    }
    FAILS("an empty path", hl_fs_mkdirs("", 0700), ENOENT);
    CHECK_EQ("a relative path", chdir(dir), 0);
    CHECK_EQ("a relative path", hl_fs_mkdirs("rel/x", 0700), HALO_OK);
    CHECK_EQ("a relative path", mode_of(at("rel/x")), 0700);
    CHECK_END();
}

static void test_move_and_copy(void **state)
{
    (void)state;
    put("from", "dump");
    CHECK_EQ("move", hl_fs_move(at("from"), at("to")), HALO_OK);
    check_text("is there", at("to"), "dump");
    CHECK_EQ("and no longer here", mode_of(at("from")), -1);
    put("other", "precious");
    FAILS("never over another", hl_fs_move(at("to"), at("other")), EEXIST);
    check_text("which is untouched", at("other"), "precious");
    check_text("as is the first", at("to"), "dump");
    FAILS("nothing to move", hl_fs_move(at("none"), at("x")), ENOENT);

    CHECK_EQ("copy", hl_fs_copy(at("to"), at("copy")), HALO_OK);
    check_text("the copy", at("copy"), "dump");
    CHECK_EQ("has the mode", mode_of(at("copy")), 0600);
    FAILS("never over another", hl_fs_copy(at("to"), at("other")), EEXIST);
    FAILS("a directory", hl_fs_copy(dir, at("dcopy")), EISDIR);
    FAILS("to nowhere", hl_fs_copy(at("to"), at("none/x")), ENOENT);

    char shm[64] =
        "/dev/shm/halo-test-XXXXXX"; /* another file system, where there is one */
    if (mkdtemp(shm)) {
        char target[80];
        snprintf(target, sizeof target, "%s/dump", shm);
        CHECK_EQ("across file systems", hl_fs_move(at("to"), target), HALO_OK);
        check_text("is there", target, "dump");
        CHECK_EQ("and no longer here", mode_of(at("to")), -1);
        put("again", "2");
        FAILS("never over another", hl_fs_move(at("again"), target), EEXIST);
        check_text("which is untouched", target, "dump");
        unlink(target);
        rmdir(shm);
    }
    CHECK_END();
}

static void test_sha256(void **state)
{
    char hex[65];
    (void)state;
    put("sum", "abc");
    CHECK_EQ("abc", hl_fs_sha256(at("sum"), hex), HALO_OK);
    CHECK_STR("FIPS 180-2, example B.1", hex,
              "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    put("sum", "");
    CHECK_EQ("empty", hl_fs_sha256(at("sum"), hex), HALO_OK);
    CHECK_STR("empty", hex,
              "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    FAILS("missing", hl_fs_sha256(at("none"), hex), ENOENT);
    FAILS("a directory", hl_fs_sha256(dir, hex), EISDIR);
    CHECK_END();
}

static void test_sync(void **state)
{
    (void)state;
    CHECK_EQ("a directory", hl_fs_sync_dir(dir), HALO_OK);
    CHECK_EQ("of a bare name", hl_fs_sync_parent("name"), HALO_OK);
    CHECK_EQ("of the root", hl_fs_sync_parent("/"), HALO_OK);
    CHECK_EQ("of a path with a slash", hl_fs_sync_parent(at("x/")), HALO_OK);
    FAILS("missing", hl_fs_sync_dir(at("none")), ENOENT);
    put("afile", "");
    FAILS("a file", hl_fs_sync_dir(at("afile")), ENOTDIR);
    CHECK_END();
}

static void test_tempdir(void **state)
{
    char a[200], b[200], tiny[4];
    (void)state;
    CHECK_EQ("one", hl_fs_tempdir(a, sizeof a), HALO_OK);
    CHECK_EQ("another", hl_fs_tempdir(b, sizeof b), HALO_OK);
    CHECK_EQ("differ", strcmp(a, b) != 0, true);
    CHECK_EQ("private", mode_of(a), 0700);
    FAILS("no room", hl_fs_tempdir(tiny, sizeof tiny), ENAMETOOLONG);
    rmdir(a);
    rmdir(b);
    CHECK_END();
}

static int set_up(void **state)
{
    (void)state;
    return hl_fs_tempdir(dir, sizeof dir);
}

static int tear_down(void **state)
{
    char command[300];
    (void)state;
    snprintf(command, sizeof command, "rm -rf -- '%s'", dir);
    return chdir("/") != 0 || system(command) != 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write),   cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_append),  cmocka_unit_test(test_read),
        cmocka_unit_test(test_mkdirs),  cmocka_unit_test(test_move_and_copy),
        cmocka_unit_test(test_sha256),  cmocka_unit_test(test_sync),
        cmocka_unit_test(test_tempdir),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
