/* The program: terminal, signals and the sandbox child, over halo.h alone. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "options.h"

static halo_host *running; /* for the signal handler */
static volatile sig_atomic_t signalled;

/* ---- callbacks ---- */

static void on_log(void *ud, int level, const char *text, size_t len)
{
    const struct options *o = ud;
    bool data = level == HALO_LOG_PRINT || level == HALO_LOG_RESULT;
    if ((level == HALO_LOG_RESULT && o->json) || (level == HALO_LOG_INFO && o->quiet) ||
        (level == HALO_LOG_DEBUG && !o->verbose))
        return;
    /* with --json stdout holds the result and nothing else */
    FILE *to = data && !(level == HALO_LOG_PRINT && o->json) ? stdout : stderr;
    if (level == HALO_LOG_WARN)
        fputs("warning: ", to);
    fwrite(text, 1, len, to);
    fputc('\n', to);
    fflush(to);
}

static void on_event(void *ud, const char *json, size_t len)
{
    const struct options *o = ud;
    static const char CALL[] = "{\"event\":\"call\"";
    if (len < sizeof CALL || memcmp(json, CALL, sizeof CALL - 1) != 0)
        return;
    fwrite(json, 1, len, o->log);
    fputc('\n', o->log);
    fflush(o->log);
}

static int on_confirm(void *ud, halo_run *run, const char *question)
{
    const struct options *o = ud;
    char line[16];
    (void)run;
    if (o->yes)
        return HALO_YES;
    if (!isatty(STDIN_FILENO)) {
        fprintf(stderr,
                "%s\nNot done: there is no terminal to ask on. Add --yes to go on "
                "without being asked.\n",
                question);
        return HALO_NO;
    }
    fprintf(stderr, "%s\nType YES to go on: ", question);
    fflush(stderr);
    size_t at = 0;
    /* The whole line is read: what is left would answer the next question. */
    for (char c; read(STDIN_FILENO, &c, 1) == 1 && c != '\n';) /* a signal ends it, too */
        if (at < sizeof line - 1)
            line[at++] = c;
    line[at] = '\0';
    if (signalled)
        fputc('\n', stderr);
    return !signalled && strcmp(line, "YES") == 0 ? HALO_YES : HALO_NO;
}

static void on_signal(int number)
{
    signalled = number;
    if (running)
        halo_interrupt(running);
}

static void set_signals(void)
{
    /* no SA_RESTART: a signal ends a question too */
    struct sigaction action = { .sa_handler = on_signal };
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ,
           SIG_IGN); /* beyond a limit of file sizes a write fails, as on a full disk */
}

/* ---- the sandbox as a child ---- */

/* Takes an `export NAME=value` line into our own environment; the operator's own
 * INSTANCE_ID and the like win, credentials and URL never do. */
static void take_export(char *line)
{
    char *name = strncmp(line, "export ", 7) == 0 ? line + 7 : NULL;
    char *value = name ? strchr(name, '=') : NULL;
    if (!value)
        return;
    *value++ = '\0';
    value[strcspn(value, "\n")] = '\0';
    setenv(name, value, strncmp(name, "AURA_", 5) == 0);
}

/* Starts `halo sandbox` on a free port and waits until it listens. Returns its pid, or
 * -1. */
static pid_t start_sandbox(const struct options *o)
{
    int out[2];
    pid_t parent = getpid();
    if (pipe(out) != 0)
        return -1;
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGTERM); /* it ends with us, also when we crash */
        if (getppid() != parent)
            _exit(1);
        setpgid(0, 0); /* Ctrl-C is ours: we end it when we have ended */
        dup2(out[1], STDOUT_FILENO);
        close(out[0]);
        close(out[1]);
        if (o->cfg.stdlib_dir)
            setenv("HALO_STDLIB", o->cfg.stdlib_dir, 1);
        if (o->cfg.scripts_dir)
            setenv("HALO_SCRIPTS", o->cfg.scripts_dir, 1);
        char *args[] = { "halo", "--quiet", "sandbox", "--port=0", "--demo", NULL };
        char self[4096]; /* by its path: right also under valgrind */
        ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
        self[len > 0 ? len : 0] = '\0';
        execv(self, args);
        _exit(127);
    }
    close(out[1]);
    FILE *lines = pid > 0 ? fdopen(out[0], "r") : NULL;
    bool ready = false;
    for (char line[512]; lines && !ready && fgets(line, sizeof line, lines);) {
        ready = strcmp(line, "ready\n") == 0;
        take_export(line);
    }
    if (lines)
        fclose(lines);
    if (pid > 0 && !ready) {
        kill(pid, SIGTERM);
        waitpid(pid, NULL, 0);
    }
    return ready ? pid : -1;
}

static void stop_sandbox(pid_t pid)
{
    if (pid <= 0)
        return;
    kill(pid, SIGTERM);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

/* ---- running ---- */

static int start(halo_host *h, const struct options *o, char **words, halo_run **run)
{
    const char *const *rest = (const char *const *)words + 1;
    if (o->code)
        return halo_start_string(h, "=-e", o->code, NULL, run);
    if (words[0] &&
        strcmp(words[0], "run") == 0) /* a path without a slash is still a path */
        return halo_start(h, words[1], (const char *const *)words + 2, run);
    return halo_start(h, words[0], rest, run);
}

static int run_script(struct options *o, char **words)
{
    halo_config cfg = o->cfg;
    cfg.dry_run = o->dry_run;
    cfg.no_profiles = o->sandbox; /* also those that the script names */
    cfg.token_cache = cfg.token_cache && !o->sandbox; /* that one ends with us */
    cfg.ud = o;
    cfg.log = on_log;
    cfg.event = o->log ? on_event : NULL;
    cfg.confirm = on_confirm;
    halo_run *run = NULL;
    halo_host *h = NULL;
    int err = halo_open(&h, &cfg);
    running = h;
    if (err == HALO_OK)
        err = start(h, o, words, &run);
    if (err == HALO_OK && signalled)
        halo_interrupt(h); /* it came before there was anything to interrupt */
    if (err == HALO_OK)
        err = halo_wait(run);
    fflush(stdout);
    const char *json = NULL;
    if (run && o->json)
        halo_result(run, &json, NULL);
    if (json)
        puts(json);
    if (err != HALO_OK)
        fprintf(stderr, "halo: %s\n", run ? halo_message(run) : halo_strerror(err));
    int code = halo_exit_code(err);
    running = NULL;
    halo_close(h);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "halo: cannot write to stdout\n");
        code = code ? code : 1;
    }
    return signalled && err != HALO_OK ? 128 + (int)signalled : code;
}

static FILE *open_log(const char *path)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    return fd < 0 ? NULL : fdopen(fd, "a");
}

int main(int argc, char **argv)
{
    struct options o = { .cfg = HALO_CONFIG_INIT };
    o.cfg.stdlib_dir = getenv("HALO_STDLIB");
    o.cfg.scripts_dir = getenv("HALO_SCRIPTS");
    o.cfg.token_cache = 1;
    static char *help[] = { "help", NULL };
    int code = read_options(&o, argc, argv);
    if (code >= 0)
        return code;
    char **words = o.words;
    if (!o.code && !words[0] && (argc > 1 || o.sandbox))
        return usage("%s what? Name a script, or `run FILE.lua`", "run");
    if (!o.code && !words[0])
        words = help;
    bool run = !o.code && strcmp(words[0], "run") == 0;
    if (run && !words[1])
        return usage("%s", "run needs the path of a Lua file");
    if (run && !strchr(words[1], '/')) {
        static char path[4096];
        snprintf(path, sizeof path, "./%s", words[1]);
        words[1] = path;
    }
    if (o.log_path && !(o.log = open_log(o.log_path)))
        return usage("cannot write to %s", o.log_path);
    set_signals();
    /* a core file would hold the secret and the token; the sandbox's, too */
    setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
    pid_t sandbox = 0;
    if (o.sandbox && (sandbox = start_sandbox(&o)) < 0) {
        if (!signalled)
            fprintf(stderr, "halo: the sandbox did not start\n");
        return signalled ? 128 + (int)signalled : 1;
    }
    code = run_script(&o, words);
    stop_sandbox(sandbox);
    if (o.log)
        fclose(o.log);
    return code;
}
