/* Runs out of memory at every allocation, in every scenario below: nothing may crash or
 * leak, the run ends with HALO_NOMEM or as if nothing had happened, and the host works on.
 *
 *     oom [STRIDE [KIND [SCENARIO]]]
 *
 * STRIDE: of the many that Lua makes in a new host, only every STRIDEth is tried.
 *
 * The library's own allocations, and those it makes libc make for it, are caught by
 * --wrap when this is linked; Lua's, curl's and jansson's by the hooks they have. Not
 * caught: lua-cjson's buffers and jansson's growing token buffer (without memory for them
 * both end the process), libcrypto, the inside of libc. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/time.h>

#include <curl/curl.h>
#include <dirent.h>
#include <jansson.h>

#include <halo.h>

#include "answers.h"
#include "loop.h"

enum kind { LUA, OWN, CURL_, JANSSON, KINDS };
static const char *const KIND_NAMES[] = { "lua", "own", "curl", "jansson" };

/* ---- allocations that fail ---- */

static _Thread_local struct {
    bool armed;
    enum kind kind;
    bool once;    /* only one fails; otherwise all after it, too */
    long n, left; /* the first that fails, and how many are left before it */
    long failed;
} trap;

static bool fails(enum kind kind)
{
    if (!trap.armed || kind != trap.kind)
        return false;
    long left = trap.left--;
    if (left > 0 || (left < 0 && trap.once))
        return false;
    trap.failed++;
    errno = ENOMEM;
    return true;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t size);
char *__real_strdup(const char *s);
char *__real_strndup(const char *s, size_t n);
DIR *__real_opendir(const char *path);
struct hl_loop *__real_hl_loop_new(const struct hl_clock *clock);

void *__wrap_malloc(size_t size)
{
    return fails(OWN) ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails(OWN) ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return fails(OWN) ? NULL : __real_realloc(old, size);
}

char *__wrap_strdup(const char *s)
{
    return fails(OWN) ? NULL : __real_strdup(s);
}

char *__wrap_strndup(const char *s, size_t n)
{
    return fails(OWN) ? NULL : __real_strndup(s, n);
}

int __wrap_asprintf(char **out, const char *format, ...)
{
    va_list args;
    *out = NULL; /* not said by its manual: whoever reads it is to be found */
    if (fails(OWN))
        return -1;
    va_start(args, format);
    int n = vasprintf(out, format, args);
    va_end(args);
    return n;
}

DIR *__wrap_opendir(const char *path)
{
    return fails(OWN) ? NULL : __real_opendir(path);
}

static void *lua_alloc(void *ud, void *ptr, size_t osize, size_t nsize)
{
    (void)ud;
    if (nsize == 0) {
        free(ptr);
        return NULL;
    }
    bool grows = !ptr || nsize > osize; /* shrinking never fails */
    return grows && fails(LUA) ? NULL : __real_realloc(ptr, nsize);
}

static void *curl_malloc(size_t size)
{
    return fails(CURL_) ? NULL : __real_malloc(size);
}

static void *curl_calloc(size_t n, size_t size)
{
    return fails(CURL_) ? NULL : __real_calloc(n, size);
}

static void *curl_realloc(void *old, size_t size)
{
    return fails(CURL_) ? NULL : __real_realloc(old, size);
}

static char *curl_strdup(const char *s)
{
    return fails(CURL_) ? NULL : __real_strdup(s);
}

static void *jansson_malloc(size_t size)
{
    bool buffer = size >= 32 && (size & (size - 1)) == 0; /* it grows by doubling */
    return !buffer && fails(JANSSON) ? NULL : __real_malloc(size);
}

/* ---- a clock that needs not be waited for: retries and polls cost nothing ---- */

static int64_t clock_ms = 1000000;

static int64_t clock_now(void *ud)
{
    (void)ud;
    return clock_ms;
}

static void clock_skip(void *ud, int64_t to_ms)
{
    (void)ud;
    clock_ms = to_ms > clock_ms ? to_ms : clock_ms;
}

struct hl_loop *__wrap_hl_loop_new(const struct hl_clock *clock)
{
    static const struct hl_clock skipping = { clock_now, clock_skip, NULL };
    return __real_hl_loop_new(clock ? clock : &skipping);
}

/* ---- scenarios ---- */

static char directory[] = "/tmp/halo-oom-XXXXXX";

static const struct scenario {
    const char *name, *code;
    int err;        /* without a failure */
    bool abandoned; /* closed with the run under way, after a few steps */
} SCENARIOS[] = {
    { "sleep", "require 'task'.sleep(1)", HALO_OK, false },
    { "get", "return require 'aura'.get('3fa29c1e').name", HALO_OK, false },
    { "not found", "return require 'aura'.get('00000000')", HALO_NOT_FOUND, false },
    { "caught",
      "local aura = require 'aura' local v, e = aura.try.get('00000000')\n"
      "if e.kind == 'nomem' then error(e) end\n"
      "assert(e.kind == 'not_found' and e.errors[1].field == 'id', tostring(e))",
      HALO_OK, false },
    { "wait",
      "local seen = {} local inst = require 'aura'.wait_for_status('paused01', "
      "{'paused'},\n"
      "  { timeout = 60, on_change = function(now) seen[#seen + 1] = now end })\n"
      "assert(inst.id == 'paused01' and seen[1] == 'paused')",
      HALO_OK, false },
    { "wait in vain",
      "require 'aura'.wait_for_status('pausing1', 'paused', {timeout = 3})", HALO_TIMEOUT,
      false },
    { "create",
      "local dir = os.getenv 'OOM_DIR'\n"
      "local inst, path = require 'creation'.once({ name = 'new', version = '5', region "
      "= 'r',\n"
      "  memory = 8, type = 'enterprise-db', tenant_id = 't1', cloud_provider = 'gcp' "
      "},\n"
      "  dir .. '/create-response.json')\n"
      "assert(inst.id == '9a1ff06e' and require 'creation'.answer(path).password)",
      HALO_OK, false },
    { "journal",
      "local dir = os.getenv 'OOM_DIR' .. '/run'\n"
      "local job <close> = require 'run'.open(dir, { name = 'n', input = { a = 1 } })\n"
      "local inst = job:step('look', function(_, note) note('k', {1, 2})\n"
      "  return require 'aura'.get('3fa29c1e') end)\n"
      "assert(job:noted('look', 'k')[2] == 2 and inst.id == '3fa29c1e')\n"
      "job:finish { ok = true }\n"
      "assert(require 'run'.peek(dir).result.ok)",
      HALO_OK, false },
    { "json",
      "local json = require 'json'\n"
      "local text = json.encode({ a = { 1, 2.5, 'x' }, b = json.array(), c = "
      "('y'):rep(600) },\n"
      "  { pretty = true })\n"
      "local t = json.decode(text)\n"
      "assert(json.encode(t, { pretty = true }) == text and #json.pretty(text) == #text)",
      HALO_OK, false },
    { "profile",
      "local prod = require 'aura'.auth { profile = 'prod' }\n"
      "assert(prod:get('3fa29c1e').id == '3fa29c1e' and #prod:list() == 2)",
      HALO_OK, false },
    { "tasks",
      "local task = require 'task' local aura = require 'aura'\n"
      "local got = task.all({ '3fa29c1e', 'paused01' }, function(id)\n"
      "  return coroutine.wrap(function() return aura.get(id).status end)() end)\n"
      "task.timeout(5, function() task.sleep(1) end)\n"
      "return table.concat(got, ' ')",
      HALO_OK, false },
    { "process", "assert(require 'process'.run { 'cat', stdin = 'in' }.stdout == 'in')",
      HALO_OK, false },
    { "httpd",
      "local server <close> = require 'httpd'.listen()\n"
      "local function serve() local r repeat r = server:next()\n"
      "  r:reply(200, {}, r.method == 'POST' and '{\"access_token\":\"t\"}' or "
      "'{\"data\":[]}')\n"
      "  until r.method == 'GET' end\n"
      "local function ask() local client = require 'aura'.auth { client_id = 'i',\n"
      "  client_secret = 's', base_url = 'http://127.0.0.1:' .. server.port }\n"
      "  assert(#client:list() == 0) end\n"
      "require 'task'.all({ serve, ask }, function(f) f() end)",
      HALO_OK, false },
    { "error",
      "local t = setmetatable({}, { __index = function() error 'inside' end })\n"
      "return t.x",
      HALO_SCRIPT, false },
    { "abandoned",
      "local task = require 'task'\n"
      "task.spawn(function() require 'process'.run { 'sleep', '60' } end)\n"
      "task.spawn(function() local x <close> = setmetatable({}, { __close = function()\n"
      "  pcall(task.sleep, 1) end }) task.sleep(1e6) end)\n"
      "require 'aura'.get('hang')",
      HALO_OK, true },
};

/* What else a failure may look like: curl turns some into failures of the network, and
 * some into transfers that stand still until their time-out, which nobody waits for; a
 * creation that was sent has an unknown outcome, whatever stopped it; a server without
 * memory drops its client. */
static bool allowed(enum kind kind, const struct scenario *s, int err)
{
    bool network = kind == CURL_ && (err == HALO_TRANSPORT || err == HALO_CANCELLED);
    bool unknown = strcmp(s->name, "create") == 0 && err == HALO_AMBIGUOUS;
    bool dropped = strcmp(s->name, "httpd") == 0 && err == HALO_TRANSPORT;
    return err == s->err || err == HALO_NOMEM || network || unknown || dropped;
}

enum { HANGS = 200000 }; /* turns; with the skipping clock a waiting process takes many */

static int failures;

static void complain(const char *kind, const char *name, long n, const char *what,
                     int err, const char *text)
{
    if (++failures <= 20)
        fprintf(stderr, "%s, %s, allocation %ld: %s: %s (%d)\n%s\n", kind, name, n, what,
                halo_strerror(err), err, text);
}

/* What an attempt has written, and the token it has got. */
static void reset_files(void)
{
    static const char *const NAMES[] = { "create-response.json", "run/journal.jsonl" };
    char path[400];
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        snprintf(path, sizeof path, "%s/%s", directory, NAMES[i]);
        unlink(path);
    }
    snprintf(path, sizeof path, "%s/halo", directory);
    DIR *d = __real_opendir(path);
    for (struct dirent *e; d && (e = readdir(d)) != NULL;)
        if (strstr(e->d_name, ".token")) {
            snprintf(path, sizeof path, "%s/halo/%s", directory, e->d_name);
            unlink(path);
        }
    if (d)
        closedir(d);
}

static halo_host *interrupted;
static long stalled;

static void on_alarm(int number)
{
    (void)number;
    stalled++;
    halo_interrupt(interrupted);
}

/* Runs a scenario; returns its error. text: its message. */
static int run(halo_host *h, const struct scenario *s, char *text, size_t room)
{
    halo_run *r = NULL;
    const char *json;
    *text = '\0';
    int err = halo_start_string(h, s->name, s->code, NULL, &r);
    interrupted = h;
    if (trap.kind == CURL_ && trap.armed)
        setitimer(ITIMER_REAL, &(struct itimerval){ .it_value.tv_sec = 1 }, NULL);
    if (err == HALO_OK && s->abandoned) {
        for (int i = 0; i < 8; i++)
            halo_step(h, 5);
        err = halo_result(r, &json, NULL);
        err = err == HALO_USAGE ? HALO_OK : err; /* still running, as it should */
    } else if (err == HALO_OK) {
        /* without memory a turn of the loop may do nothing: it comes back in the end */
        for (int turns = 0; (err = halo_result(r, &json, NULL)) == HALO_USAGE; turns++) {
            if (turns == 300)
                trap.armed = false;
            if (turns == HANGS) {
                complain(KIND_NAMES[trap.kind], s->name, trap.n, "it hangs", err, "");
                halo_cancel(r);
            }
            halo_step(h, -1);
        }
        setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, NULL);
    }
    if (r && err != HALO_OK)
        snprintf(text, room, "%s", halo_message(r));
    halo_release(r);
    return err;
}

static int open_host(halo_host **h)
{
    halo_config cfg = HALO_CONFIG_INIT;
    cfg.alloc = lua_alloc;
    cfg.token_cache = 1;
    return halo_open(h, &cfg);
}

static const struct scenario AFTERWARDS = {
    "afterwards", "assert(require 'aura'.auth {}:get('3fa29c1e').name == 'one')", HALO_OK,
    false
};

/* One attempt: allocation n (and, unless once, all after it) fails. Returns whether there
 * still was one to fail. */
static bool attempt(halo_host **h, enum kind kind, const struct scenario *s, bool once,
                    long n)
{
    char text[2048] = "";
    int err = HALO_OK;
    reset_files();
    trap.kind = kind;
    trap.once = once;
    trap.n = trap.left = n;
    trap.failed = 0;
    trap.armed = true;
    bool cold = !*h;
    if (cold)
        err = open_host(h);
    if (err == HALO_OK)
        err = run(*h, s, text, sizeof text);
    trap.armed = false;
    bool failed = trap.failed > 0;
    bool still =
        kind == CURL_ && err == HALO_CANCELLED; /* it may be an earlier failure's */
    if (!allowed(kind, s, err) || (!failed && err != s->err && !still))
        complain(KIND_NAMES[kind], s->name, n, once ? "one fails" : "all fail", err,
                 text);
    if (*h && (err = run(*h, &AFTERWARDS, text, sizeof text)) != HALO_OK)
        complain(KIND_NAMES[kind], s->name, n, "the host is of no use", err, text);
    if (cold) {
        halo_close(*h);
        *h = NULL;
    }
    return failed;
}

/* lua-cjson leaks its buffer when Lua has no memory for what it has read. */
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
    return "leak:lua5.4-cjson";
}

static int descriptors(void)
{
    int count = 0;
    DIR *d = __real_opendir("/proc/self/fd");
    while (d && readdir(d))
        count++;
    if (d)
        closedir(d);
    return count;
}

/* Fails each allocation of a scenario in turn. warm: in one host that has run it before,
 * so that only its own allocations are met. Returns how many there are. */
static long sweep(enum kind kind, const struct scenario *s, bool once, bool warm,
                  long stride)
{
    halo_host *h = NULL;
    char text[256];
    long n = 0;
    if (warm && (open_host(&h) != HALO_OK || run(h, s, text, sizeof text) != s->err))
        complain(KIND_NAMES[kind], s->name, -1, "fails by itself", s->err, text);
    while (attempt(&h, kind, s, once, n))
        n += stride;
    halo_close(h);
    return n;
}

static void write_profile(void)
{
    static const char TEXT[] =
        "# comment\nclient_id = \"i\\\"d\"\nclient_secret = \"s\"\n";
    static const char *const DIRS[] = { "", "/halo", "/halo/profiles" };
    char path[128];
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s%s", directory, DIRS[i]);
        mkdir(path, 0700);
    }
    snprintf(path, sizeof path, "%s/halo/profiles/prod", directory);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || write(fd, TEXT, sizeof TEXT - 1) < 0 || close(fd) != 0)
        perror(path);
}

static void remove_directory(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", directory);
    if (system(command) != 0)
        perror(directory);
}

int main(int argc, char **argv)
{
    long stride = argc > 1 ? strtol(argv[1], NULL, 10) : 1;
    signal(SIGALRM, on_alarm);
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (!mkdtemp(directory))
        return 1;
    setenv("OOM_DIR", directory, 1);
    setenv("XDG_CONFIG_HOME", directory, 1);
    setenv("XDG_CACHE_HOME", directory, 1);
    setenv("XDG_STATE_HOME", directory, 1);
    write_profile();
    answers_start();
    curl_global_init_mem(CURL_GLOBAL_DEFAULT, curl_malloc, free, curl_realloc,
                         curl_strdup, curl_calloc);
    json_set_alloc_funcs(jansson_malloc, free);
    for (enum kind kind = LUA; kind < KINDS; kind++) {
        if (argc > 2 && strcmp(argv[2], KIND_NAMES[kind]) != 0)
            continue;
        for (size_t i = 0; i < sizeof SCENARIOS / sizeof *SCENARIOS; i++) {
            if (argc > 3 && strcmp(argv[3], SCENARIOS[i].name) != 0)
                continue;
            int before = descriptors();
            long points[4];
            for (int way = 0; way < 4; way++)
                points[way] = sweep(kind, &SCENARIOS[i], way & 1, way & 2,
                                    kind == LUA && way < 2 ? stride : 1);
            printf("%-8s%-14s%6ld allocations, %5ld once warm\n", KIND_NAMES[kind],
                   SCENARIOS[i].name, points[0], points[2]);
            if (descriptors() != before)
                complain(KIND_NAMES[kind], SCENARIOS[i].name, -1, "descriptors leak", 0,
                         "");
        }
    }
    remove_directory();
    printf("%ld transfers stood still\n", stalled);
    if (failures)
        fprintf(stderr, "%d failures\n", failures);
    return failures != 0;
}
