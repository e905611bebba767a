#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <halo.h>

#include "fs.h"
#include "loop_clock.h"
#include "token.h"
#include "user_dir.h"

#define NOW INT64_C(1800000000000)
#define URL "https://api.neo4j.io/oauth/token"
static const int64_t HOUR = INT64_C(3600000);

static struct hl_tokencache opened(const char *url, const char *id, const char *secret)
{
    struct hl_tokencache c;
    assert_true(hl_tokencache_open(&c, &user_dir, url, id, secret, why, sizeof why));
    return c;
}

static struct hl_tokencache usual(void)
{
    return opened(URL, "id", "secret");
}

/* The token at a time, or "". */
static const char *held(const struct hl_tokencache *c, int64_t now)
{
    static char text[64];
    char *token;
    int64_t until = 0;
    bool there = hl_tokencache_load(c, now, &token, &until);
    snprintf(text, sizeof text, "%s", there ? token : "");
    assert_true(there == (token != NULL));
    free(token);
    return text;
}

static void test_times(void **state)
{
    static const struct {
        const char *name;
        int64_t life, later;
        const char *want;
    } CASES[] = {
        { "at once", HOUR, 0, "t" },
        { "just before its end", HOUR, HOUR - 1, "t" },
        { "at its end", HOUR, HOUR, "" },
        { "long after", HOUR, 100 * HOUR, "" },
        { "the clock was set back an hour", HOUR, -HOUR, "t" },
        { "the clock was set back a day", HOUR, -24 * HOUR, "" },
        { "a life longer than a day is cut", 48 * HOUR, 0, "t" },
        { "it was cut", 48 * HOUR, 24 * HOUR, "" },
        { "stored when over already", -1, 0, "" },
    };
    (void)state;
    struct hl_tokencache c = usual();
    for (size_t i = 0; i < COUNT(CASES); i++) {
        hl_tokencache_store(&c, NOW, "t", NOW + CASES[i].life);
        CHECK_STR(CASES[i].name, held(&c, NOW + CASES[i].later), CASES[i].want);
    }
    hl_tokencache_close(&c);
    CHECK_STR("closed", held(&c, NOW), "");
    CHECK_END();
}

static void test_keys(void **state)
{
    static const struct {
        const char *name, *url, *id, *secret, *want;
    } CASES[] = {
        { "the same", URL, "id", "secret", "t" },
        { "another URL", URL "/", "id", "secret", "" },
        { "another client", URL, "id2", "secret", "" },
        { "another secret", URL, "id", "secret2", "" },
        { "the border moved", URL, "i", "dsecret", "" },
        { "nothing", "", "", "", "" },
    };
    (void)state;
    struct hl_tokencache c = usual();
    hl_tokencache_store(&c, NOW, "t", NOW + HOUR);
    hl_tokencache_close(&c);
    for (size_t i = 0; i < COUNT(CASES); i++) {
        c = opened(CASES[i].url, CASES[i].id, CASES[i].secret);
        CHECK_STR(CASES[i].name, held(&c, NOW), CASES[i].want);
        hl_tokencache_close(&c);
    }
    CHECK_END();
}

/* What cannot stand in a header is neither written nor read. */
static void test_texts(void **state)
{
    static const struct {
        const char *name, *text, *want;
    } CASES[] = {
        { "as it should be", "halo token 1\n1800000000001 abc\n", "abc" },
        { "empty", "", "" },
        { "another version", "halo token 2\n1800000000001 abc\n", "" },
        { "only the head", "halo token 1\n", "" },
        { "cut off", "halo token 1\n1800000000001 abc", "" },
        { "no token", "halo token 1\n1800000000001 \n", "" },
        { "no time", "halo token 1\nabc\n", "" },
        { "a signed time", "halo token 1\n+1800000000001 abc\n", "" },
        { "a time out of range", "halo token 1\n99999999999999999999 abc\n", "" },
        { "the largest time", "halo token 1\n9223372036854775807 abc\n", "" },
        { "two words", "halo token 1\n1800000000001 abc def\n", "" },
        { "a second line", "halo token 1\n1800000000001 abc\ndef\n", "" },
        { "a carriage return", "halo token 1\r\n1800000000001 abc\r\n", "" },
        { "beyond ASCII", "halo token 1\n1800000000001 abc\xC3\xA9\n", "" },
    };
    (void)state;
    char path[400];
    struct hl_tokencache c = usual();
    snprintf(path, sizeof path, "%s/%s.token", dir, c.key);
    for (size_t i = 0; i < COUNT(CASES); i++) {
        assert_int_equal(hl_fs_write(path, CASES[i].text, strlen(CASES[i].text), 0600),
                         HALO_OK);
        CHECK_STR(CASES[i].name, held(&c, NOW), CASES[i].want);
    }
    hl_tokencache_store(&c, NOW, "good", NOW + HOUR);
    hl_tokencache_store(&c, NOW, "with\nnewline", NOW + HOUR);
    hl_tokencache_store(&c, NOW, "", NOW + HOUR);
    CHECK_STR("none of these was stored", held(&c, NOW), "good");
    hl_tokencache_close(&c);
    CHECK_END();
}

static void test_drop(void **state)
{
    (void)state;
    struct hl_tokencache c = usual();
    hl_tokencache_drop(&c, "t"); /* nothing there */
    hl_tokencache_store(&c, NOW, "t", NOW + HOUR);
    hl_tokencache_drop(&c, "older");
    CHECK_STR("only the refused one", held(&c, NOW), "t");
    hl_tokencache_drop(&c, "t");
    CHECK_STR("dropped", held(&c, NOW), "");
    hl_tokencache_close(&c);
    CHECK_END();
}

static void test_lock(void **state)
{
    (void)state;
    struct hl_tokencache a = usual(), b = usual(), other = opened(URL, "id", "x"), none;
    memset(&none, 0, sizeof none);
    CHECK_EQ("free", hl_tokencache_lock(&a), true);
    CHECK_EQ("held already by itself", hl_tokencache_lock(&a), true);
    CHECK_EQ("held by another", hl_tokencache_lock(&b), false);
    CHECK_EQ("of another key", hl_tokencache_lock(&other), true);
    CHECK_EQ("no cache", hl_tokencache_lock(&none), true);
    hl_tokencache_unlock(&b); /* it has none: nothing happens */
    CHECK_EQ("still held", hl_tokencache_lock(&b), false);
    hl_tokencache_unlock(&a);
    CHECK_EQ("let go", hl_tokencache_lock(&b), true);
    hl_tokencache_close(&b);
    CHECK_EQ("let go by closing", hl_tokencache_lock(&a), true);
    hl_tokencache_close(&a);
    hl_tokencache_close(&a);
    hl_tokencache_close(&other);
    hl_tokencache_close(&none);
    CHECK_END();
}

/* Files of other keys go when nobody changed them for two days; nothing else does. */
static void test_sweep(void **state)
{
    static const char HEX[] =
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    char path[400], notes[400];
    (void)state;
    struct hl_tokencache c = usual();
    snprintf(path, sizeof path, "%s/%s.token", dir, HEX);
    snprintf(notes, sizeof notes, "%s/notes.token", dir);
    assert_int_equal(hl_fs_write(path, "x", 1, 0600), HALO_OK);
    assert_int_equal(hl_fs_write(notes, "x", 1, 0600), HALO_OK);
    int64_t now = (int64_t)time(NULL) * 1000;
    hl_tokencache_store(&c, now + 47 * HOUR, "t", now + 48 * HOUR);
    CHECK_EQ("not two days old", access(path, F_OK), 0);
    hl_tokencache_store(&c, now + 49 * HOUR, "t", now + 50 * HOUR);
    CHECK_EQ("more than two days old", access(path, F_OK), -1);
    CHECK_EQ("not one of ours", access(notes, F_OK), 0);
    CHECK_STR("its own", held(&c, now + 49 * HOUR), "t");
    hl_tokencache_close(&c);
    CHECK_END();
}

/* ---- a token that waits for another process ---- */

static int told;

static void on_ready(struct hl_token_wait *w, const struct hl_failure *failed)
{
    (void)w;
    told = failed ? failed->err : 1;
}

static void test_waiting(void **state)
{
    struct hl_http_pool pool;
    struct hl_token t;
    struct hl_token_wait w = { 0 };
    (void)state;
    struct hl_loop *loop = new_loop();
    hl_http_pool_init(&pool, loop);
    /* nobody listens on port 9: the fetch itself fails */
    assert_int_equal(hl_token_init(&t, &pool, "http://127.0.0.1:9", "i", "s", NULL),
                     HALO_OK);
    hl_token_share(&t, &user_dir, why, sizeof why);
    struct hl_tokencache other = opened("http://127.0.0.1:9/oauth/token", "i", "s");
    assert_true(hl_tokencache_lock(&other));

    told = 0;
    assert_false(hl_token_get(&t, &w, on_ready));
    while (now_ms < 1000 + 5000)
        hl_loop_turn(loop, -1);
    CHECK_EQ("nothing is sent while another fetches", t.attempts, 0);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    hl_tokencache_store(&other, (int64_t)now.tv_sec * 1000, "theirs",
                        (int64_t)now.tv_sec * 1000 + HOUR);
    while (!told)
        hl_loop_turn(loop, -1);
    CHECK_EQ("told", told, 1);
    CHECK_STR("it has theirs", t.value, "theirs");
    CHECK_EQ("sent nothing", t.attempts, 0);
    CHECK_EQ("at hand", hl_token_get(&t, &w, on_ready), true);

    hl_token_refused(&t, t.generation);
    told = 0;
    int64_t begun = now_ms;
    assert_false(hl_token_get(&t, &w, on_ready));
    while (!told)
        hl_loop_turn(loop, -1);
    CHECK_EQ("it fetches by itself in the end", told, HALO_TRANSPORT);
    CHECK_EQ("not before", now_ms - begun >= HL_TOKEN_TURN_MS, true);
    CHECK_STR("without the lock nothing is dropped", held(&other, now.tv_sec * 1000),
              "theirs");
    hl_tokencache_close(&other);

    told = 0;
    assert_false(hl_token_get(&t, &w, on_ready));
    while (!told)
        hl_loop_turn(loop, -1);
    CHECK_EQ("the refused one is not used", told, HALO_TRANSPORT);
    other = opened("http://127.0.0.1:9/oauth/token", "i", "s");
    CHECK_STR("with the lock it is dropped", held(&other, now.tv_sec * 1000), "");
    CHECK_EQ("the lock was let go", hl_tokencache_lock(&other), true);
    hl_tokencache_close(&other);
    hl_token_free(&t);
    hl_http_pool_free(&pool);
    hl_loop_free(loop);
    CHECK_END();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_times, user_dir_setup, user_dir_teardown),
        cmocka_unit_test_setup_teardown(test_keys, user_dir_setup, user_dir_teardown),
        cmocka_unit_test_setup_teardown(test_texts, user_dir_setup, user_dir_teardown),
        cmocka_unit_test_setup_teardown(test_drop, user_dir_setup, user_dir_teardown),
        cmocka_unit_test_setup_teardown(test_lock, user_dir_setup, user_dir_teardown),
        cmocka_unit_test_setup_teardown(test_sweep, user_dir_setup, user_dir_teardown),
        cmocka_unit_test_setup_teardown(test_waiting, user_dir_setup, user_dir_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
