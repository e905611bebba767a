/* The fuzzers: one program, whose target is named by FUZZ in the environment. C targets
 * are in the table below, those in Lua in targets.lua. Crashes, sanitizer reports, broken
 * promises and errors of our own Lua are findings. See run.sh. */
#include "../../host/options.c"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <lauxlib.h>

#include "answer.h"
#include "baseurl.h"
#include "call.h"
#include "host.h"
#include "profile.h"

static char directory[] = "/tmp/halo-fuzz-XXXXXX";

static void broken(const char *promise)
{
    fprintf(stderr, "broken: %s\n", promise);
    abort();
}

static void check_shown(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 127)
            broken("a text to be shown holds a control character");
}

/* The input as a string: it ends at the first NUL. */
static char *text_of(const uint8_t *data, size_t size)
{
    char *text = calloc(1, size + 1);
    if (size > 0)
        memcpy(text, data, size);
    return text;
}

static void write_file(const char *path, const uint8_t *data, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size || close(fd) != 0)
        broken("the target's file can be written");
}

/* ---- answers ---- */

static void check_failure(const struct hl_failure *f)
{
    check_shown(f->message);
    check_shown(f->reason);
    check_shown(f->field);
    check_shown(f->request_id);
}

static void fuzz_answer(const uint8_t *data, size_t size)
{
    const char *body = (const char *)data;
    struct hl_failure f = { 0 };
    char status[64], *token;
    int expires_in;
    hl_answer_error(body, size, &f);
    check_failure(&f);
    if (hl_answer_status(body, size, status, sizeof status) == HALO_OK)
        check_shown(status);
    if (hl_answer_token(body, size, &token, &expires_in) == HALO_OK) {
        check_shown(token);
        if (expires_in < 1)
            broken("a token lives for a second at least");
        free(token);
    }
}

/* curl gets an end of a pair of sockets, the answer is there already. */
static const uint8_t *answer;
static size_t answer_size;
static int server_ends[64], server_count;

static curl_socket_t open_socket(void *ud, curlsocktype why,
                                 struct curl_sockaddr *address)
{
    int ends[2];
    (void)ud;
    (void)why;
    (void)address;
    if (server_count == 64 ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return CURL_SOCKET_BAD;
    if (send(ends[1], answer, answer_size, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
        shutdown(ends[1], SHUT_WR);
    server_ends[server_count++] = ends[1];
    return ends[0];
}

static int already_connected(void *ud, curl_socket_t fd, curlsocktype why)
{
    (void)ud;
    (void)fd;
    (void)why;
    return CURL_SOCKOPT_ALREADY_CONNECTED;
}

CURL *__real_curl_easy_init(void);
void __real_curl_easy_reset(CURL *easy);
void __wrap_curl_easy_reset(CURL *easy);
CURL *__wrap_curl_easy_init(void);
char *__wrap_hl_profile_command(const char *command, int timeout_ms, char *why,
                                size_t room);

void __wrap_curl_easy_reset(CURL *easy)
{
    __real_curl_easy_reset(easy);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, already_connected);
}

CURL *__wrap_curl_easy_init(void)
{
    CURL *easy = __real_curl_easy_init();
    __wrap_curl_easy_reset(easy);
    return easy;
}

static int64_t clock_ms = 1000;

static int64_t clock_now(void *ud)
{
    (void)ud;
    return clock_ms;
}

static void clock_skip(void *ud, int64_t to_ms)
{
    (void)ud;
    clock_ms = to_ms;
}

static bool call_ended;

static void call_done(struct hl_call *c)
{
    (void)c;
    call_ended = true;
}

/* One byte that chooses the call, then all that the server sends. */
static void fuzz_http(const uint8_t *data, size_t size)
{
    static struct hl_loop *loop;
    static const struct hl_clock clock = { clock_now, clock_skip, NULL };
    char why[128];
    struct hl_client *client;
    if (!loop)
        loop = hl_loop_new(&clock);
    uint8_t choice = size > 0 ? data[0] : 0;
    answer = size > 0 ? data + 1 : data;
    answer_size = size > 0 ? size - 1 : 0;
    if (hl_client_new(&client, loop, "http://127.0.0.1:9", "i", "s", NULL, 0, why,
                      sizeof why))
        broken("a client can be made");
    if (!(choice & 8)) { /* otherwise the answer is that to the token request */
        client->token.value = strdup("t");
        client->token.expires_ms = clock_ms + 1000000000;
    }
    struct hl_call c = { .method = (enum hl_method)(choice & 3),
                         .effect = choice & 3 ? HALO_CHANGE : HALO_READ,
                         .path = strdup("/v1/instances/3fa29c1e"),
                         .max_attempts = 2,
                         .done = call_done };
    call_ended = false;
    hl_call_start(client, &c);
    while (!call_ended)
        hl_loop_turn(loop, -1);
    check_failure(&c.failure);
    check_shown(c.request_id);
    if (c.failure.err == HALO_OK && !c.gone && (c.status < 200 || c.status > 299))
        broken("a call succeeds by a 2xx only");
    hl_call_end(&c);
    hl_client_unref(client);
    while (server_count > 0)
        close(server_ends[--server_count]);
}

/* ---- files ---- */

char *__wrap_hl_profile_command(const char *command, int timeout_ms, char *why,
                                size_t room)
{
    (void)timeout_ms;
    snprintf(why, room, "is not run here");
    return strlen(command) % 2 ? strdup("secret") : NULL;
}

static void fuzz_profile(const uint8_t *data, size_t size)
{
    struct hl_profile p;
    char path[128], why[512];
    snprintf(path, sizeof path, "%s/halo/profiles/fuzz", directory);
    write_file(path, data, size);
    if (hl_profile_read(&p, "fuzz", why, sizeof why) != HALO_OK) {
        check_shown(why);
    } else {
        check_shown(p.client_id);
        check_shown(p.client_secret);
        if (p.base_url)
            check_shown(p.base_url);
        hl_profile_free(&p);
    }
}

static const struct hl_userdir *user_dir(void)
{
    static struct hl_userdir dir;
    char why[256];
    if (!dir.open && !hl_userdir_open(&dir, HL_USERDIR_CACHE, directory, why, sizeof why))
        broken(why);
    return &dir;
}

/* The durations of a kind, and then what they say about looks. */
static void fuzz_durations(const uint8_t *data, size_t size)
{
    struct hl_durations d;
    struct hl_pace p;
    char path[256];
    hl_durations_open(&d, user_dir(), "u");
    snprintf(path, sizeof path, "%s/%s.durations", directory, d.key);
    write_file(path, data, size);
    hl_durations_add(&d, "resuming", "pro", "8GB", size);
    for (int known = 0; known < 2; known++) {
        hl_pace_init(&p, 0, 0, -1);
        hl_pace_learned(
            &p, hl_durations_model(&d, known ? "resuming" : "pausing", "pro", "8GB"), 0);
        for (int64_t now = 0, i = 0; i < 20; i++) {
            int64_t wait = hl_pace_next(&p, now, 0.5);
            if (i > 0 && (wait < 900 || wait > INT64_C(200000000)))
                broken("a look comes, and not at once");
            now += wait;
        }
    }
    hl_durations_free(&d);
}

/* What was sent, as shared by processes. */
static void fuzz_rate(const uint8_t *data, size_t size)
{
    struct hl_turns turns = { .per_minute = 25 };
    struct hl_rate rate = { 0 };
    char path[256], key[HL_USERDIR_KEY + 1];
    if (!hl_userdir_key(key, (const char *const[]){ "u", "i" }, 2))
        broken("a key can be made");
    snprintf(path, sizeof path, "%s/%s.rate", directory, key);
    write_file(path, data, size);
    hl_ratefile_open(&turns.file, user_dir(), "u", "i");
    for (int i = 0; i < 3 && hl_ratefile_begin(&turns.file, &rate); i++) {
        int64_t wait = hl_governor_take(&rate, 25, i > 0, INT64_C(1800000000000) + i);
        if (wait < 0 || wait > HL_HOLD_MAX_MS)
            broken("a wait has an end");
        hl_governor_refused(&rate, 25, 1000, INT64_C(1800000000000) + i);
        hl_ratefile_end(&turns.file, &rate);
    }
    hl_ratefile_close(&turns.file);
}

static void fuzz_tokencache(const uint8_t *data, size_t size)
{
    static struct hl_tokencache cache;
    char path[256], why[256], *token;
    int64_t until, now = INT64_C(1800000000000);
    if (!cache.dir &&
        !hl_tokencache_open(&cache, user_dir(), "u", "i", "s", why, sizeof why))
        broken(why);
    snprintf(path, sizeof path, "%s/%s.token", directory, cache.key);
    write_file(path, data, size);
    if (hl_tokencache_load(&cache, now, &token, &until)) {
        check_shown(token);
        if (until <= now || !*token)
            broken("a token that is loaded is good");
        hl_tokencache_drop(&cache, token);
        free(token);
    }
}

/* ---- texts ---- */

static void fuzz_baseurl(const uint8_t *data, size_t size)
{
    char why[64], *text = text_of(data, size);
    if (hl_base_url_check(text, why, sizeof why) != HALO_OK)
        check_shown(why);
    else
        check_shown(text);
    free(text);
}

/* Words between NULs: what options.c makes of the command line. */
static void fuzz_options(const uint8_t *data, size_t size)
{
    char *text = text_of(data, size), *argv[64] = { "halo" };
    int argc = 1;
    for (size_t at = 0; at < size && argc < 62; at += strlen(text + at) + 1)
        argv[argc++] = text + at;
    struct options o = { .cfg = HALO_CONFIG_INIT };
    optind = 0; /* begins anew, says getopt(3) */
    read_options(&o, argc, argv);
    free(text);
}

/* ---- Lua ---- */

static lua_State *L;
static char target[64];

static void fuzz_lua(const uint8_t *data, size_t size)
{
    lua_settop(L, 1);
    lua_pushvalue(L, 1);
    lua_pushlstring(L, (const char *)data, size);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK)
        broken(luaL_tolstring(L, -1, NULL));
    lua_gc(L, LUA_GCSTEP, 0);
}

/* Leaves the target's function at 1. */
static void open_lua(void)
{
    halo_config cfg = HALO_CONFIG_INIT;
    halo_host *h = NULL;
    if (halo_open(&h, &cfg) != HALO_OK)
        broken("a host can be opened");
    L = h->L;
    if (luaL_dofile(L, FUZZ_DIR "/targets.lua") != LUA_OK)
        broken(lua_tostring(L, -1));
    if (lua_getfield(L, -1, target) != LUA_TFUNCTION)
        broken("FUZZ names a target");
    lua_replace(L, 1);
}

static const struct {
    const char *name;
    void (*run)(const uint8_t *data, size_t size);
} TARGETS[] = {
    { "answer", fuzz_answer },       { "http", fuzz_http },
    { "profile", fuzz_profile },     { "tokencache", fuzz_tokencache },
    { "durations", fuzz_durations }, { "rate", fuzz_rate },
    { "baseurl", fuzz_baseurl },     { "options", fuzz_options },
};
static void (*run_target)(const uint8_t *data, size_t size) = fuzz_lua;

static void clean_up(void)
{
    char command[64];
    snprintf(command, sizeof command, "rm -rf '%s'", directory);
    if (system(command) != 0)
        perror(directory);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    char path[128];
    const char *name = getenv("FUZZ");
    (void)argc;
    (void)argv;
    snprintf(target, sizeof target, "%s", name ? name : "");
    if (!mkdtemp(directory))
        return 1;
    atexit(clean_up);
    setenv("XDG_CONFIG_HOME", directory, 1);
    setenv("AURA_BASE_URL", "http://127.0.0.1:9", 1);
    setenv("AURA_CLIENT_ID", "i", 1);
    setenv("AURA_CLIENT_SECRET", "s", 1);
    snprintf(path, sizeof path, "%s/halo", directory);
    mkdir(path, 0700);
    snprintf(path, sizeof path, "%s/halo/profiles", directory);
    mkdir(path, 0700);
    for (size_t i = 0; i < sizeof TARGETS / sizeof *TARGETS; i++)
        if (strcmp(TARGETS[i].name, target) == 0)
            run_target = TARGETS[i].run;
    if (run_target == fuzz_lua)
        open_lua();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    run_target(data, size);
    return 0;
}
