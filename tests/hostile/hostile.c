/* Runs hostile scripts one after another, and a harmless one after each, in three hosts: one with
 * little time to compute, for the scripts that must end by that; one whose runs may last a short
 * time only, for those; and one with much of both, for all others, so that a slow machine
 * changes nothing. A case is
 *
 *     === kind: text in the message | name
 *     Lua
 *
 * kind: how it must end ("ok": with the result true); "quick" before it: with little time. Names on the command line pick cases. */
#include <halo.h>

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    LONGEST_S = 120
}; /* for one case, also under valgrind: only an endless one needs it */

static int failures;
static const char *running = "";

static void fail(const char *what, const char *got)
{
    printf("FAILED: %s: %s: %.600s\n", running, what, got);
    failures++;
}

/* A call that never returns, in spite of all limits. */
static void on_alarm(int number)
{
    (void)number;
    if (write(STDOUT_FILENO, "FAILED: still running: ", 23) < 0 ||
        write(STDOUT_FILENO, running, strlen(running)) < 0 ||
        write(STDOUT_FILENO, "\n", 1) < 0)
        _exit(2);
    _exit(1);
}

static int number_of(const char *kind, size_t len)
{
#define X(name, number, text, exit_code, meaning)            \
    if (strlen(text) == len && memcmp(text, kind, len) == 0) \
        return number;
    HALO_ERRORS(X)
#undef X
    fail("no such kind", kind);
    return HALO_OK;
}

static halo_run *run(halo_host *h, const char *name, const char *code)
{
    halo_run *r = NULL;
    int err = halo_start_string(h, name, code, NULL, &r);
    if (err == HALO_OK)
        halo_wait(r);
    else
        fail("does not start", halo_strerror(err));
    return r;
}

static void expect(halo_run *r, int want, const char *text)
{
    const char *json = NULL;
    int err = r ? halo_result(r, &json, NULL) : want;
    if (err != want)
        fail(halo_strerror(err), r ? halo_message(r) : "");
    else if (want == HALO_OK && (!json || strcmp(json, "true") != 0))
        fail("result", json ? json : "none");
    else if (!strstr(halo_message(r), text))
        fail("message", halo_message(r));
}

static void harmless(halo_host *h)
{
    static const char CODE[] =
        "local task, json, fs = require 'task', require 'json', require 'fs'\n"
        "local doubled = task.all(json.decode '{\"a\":[1,2,3]}'.a, function(n)\n"
        "    task.sleep(0)\n"
        "    return 2 * n\n"
        "end)\n"
        "table.sort(doubled, function(a, b) return a > b end)\n"
        "return table.concat(doubled, ' ') == '6 4 2' and ('x'):rep(3):gsub('x', 'y') == "
        "'yyy'\n"
        "    and pcall(error) == false and #tostring(print) > 0 and select('#', 1, 2) == "
        "2\n"
        "    and fs.stat('work').type == 'directory'\n"
        "    and _G.left_behind == nil and string.left_behind == nil";
    halo_run *r = run(h, "harmless", CODE);
    expect(r, HALO_OK, "");
    halo_release(r);
}

/* How long the script before may have kept the host, in processor time. */
static double seconds(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)u.ru_utime.tv_sec + (double)u.ru_utime.tv_usec / 1e6;
}

static bool picked(char **names, const char *name)
{
    for (char **n = names; *n; n++)
        if (strcmp(*n, name) == 0)
            return true;
    return !*names;
}

/* One case: its head, and its code up to the next. */
static bool one(halo_host *h, const char *kind, char *head, const char *code,
                char **names)
{
    char *bar = strchr(head, '|'), *colon = strchr(head, ':');
    if (!bar) {
        fail("no name", head);
        return false;
    }
    running = bar + 2;
    bar[-1] = '\0';
    const char *text = colon && colon < bar ? colon + 2 : "";
    bool quick = strncmp(head, "quick ", 6) == 0;
    head += quick ? 6 : 0;
    size_t len = strcspn(head, ":");
    bool fits = quick ? strcmp(kind, "compute") == 0
                      : strlen(kind) == len && memcmp(kind, head, len) == 0;
    bool special =
        quick || strncmp(head, "compute", 7) == 0 || strncmp(head, "timeout", 7) == 0;
    if (!picked(names, running) || (*kind ? !fits : special))
        return false;
    double before = seconds();
    alarm(LONGEST_S);
    halo_run *r = run(h, "hostile", code);
    expect(r, number_of(head, len), text);
    halo_release(r);
    if (getenv("HALO_TIMES"))
        printf("%6.2f s  %s\n", seconds() - before, running);
    harmless(h);
    alarm(0);
    return true;
}

static char *read_all(const char *path)
{
    FILE *f = fopen(path, "r");
    char *text = calloc(1, 1024 * 1024);
    if (!f || !text || fread(text, 1, 1024 * 1024 - 1, f) == 0) {
        fprintf(stderr, "cannot read %s\n", path);
        exit(2);
    }
    fclose(f);
    return text;
}

/* Those that must end by `kind`; "": by anything but compute and timeout. Returns how many. */
static int run_file(const char *path, const char *kind, char **names,
                    const halo_config *cfg)
{
    static const char MARK[] = "\n=== ";
    halo_host *h;
    char *text = read_all(path);
    int err = halo_open(&h, cfg), count = 0;
    if (err != HALO_OK) {
        fail("halo_open", halo_strerror(err));
        return 0;
    }
    for (char *at = strstr(text, MARK), *next; at; at = next) {
        char *head = at + sizeof MARK - 1, *line = strchr(head, '\n');
        *line = '\0';
        next = strstr(line + 1, MARK);
        if (next)
            *next = '\0';
        count += one(h, kind, head, line + 1, names);
    }
    alarm(LONGEST_S);
    running = "halo_close";
    halo_close(h);
    free(text);
    return count;
}

int main(int argc, char **argv)
{
    halo_config cfg = HALO_CONFIG_INIT;
    char dir[] = "/tmp/halo-hostile-XXXXXX";
    if (argc < 2 || !mkdtemp(dir) || chdir(dir) != 0 || mkdir("work", 0700) != 0)
        return 2;
    signal(SIGALRM, on_alarm);
    setvbuf(stdout, NULL, _IOLBF, 0);
    cfg.restricted = strstr(argv[1], "restricted") != NULL;
    cfg.work_dir = "work";
    cfg.memory_bytes = 32 * 1024 * 1024;
    cfg.max_tasks = 200;
    cfg.max_files = 8;
    cfg.effect = HALO_READ;
    cfg.compute_ms = 20 * 1000;
    cfg.run_ms = 1000 * LONGEST_S;
    int count = run_file(argv[1], "", argv + 2, &cfg);
    cfg.compute_ms = 300;
    cfg.run_ms = 4000;
    count += run_file(argv[1], "compute", argv + 2, &cfg);
    cfg.compute_ms = 20 * 1000;
    cfg.run_ms = 1500;
    count += run_file(argv[1], "timeout", argv + 2, &cfg);
    printf("%d scripts\n", count);
    if (failures == 0 && execlp("rm", "rm", "-rf", dir, NULL) != 0)
        return 2;
    printf("%d failed; see %s\n", failures, dir);
    return 1;
}
