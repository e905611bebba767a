/* The program: options, terminal, signals and the sandbox child, over halo.h alone. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <halo.h>

struct options {
    bool sandbox, yes, dry_run, json, quiet, verbose, no_token_cache;
    const char *code, *log_path, *stdlib_dir, *scripts_dir, *profile, *ca_file;
    FILE *log;
};

static halo_host *running; /* for the signal handler */
static volatile sig_atomic_t signalled;

static int usage(const char *text, const char *what)
{
    fprintf(stderr, "halo: ");
    fprintf(stderr, text, what);
    fprintf(stderr, "\n  hint: `halo help` lists options and commands\n");
    return 2;
}

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
    if (!o->log || len < sizeof CALL || memcmp(json, CALL, sizeof CALL - 1) != 0)
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
        if (o->stdlib_dir)
            setenv("HALO_STDLIB", o->stdlib_dir, 1);
        if (o->scripts_dir)
            setenv("HALO_SCRIPTS", o->scripts_dir, 1);
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

/* ---- options ---- */

/* Takes one of the flags that may stand anywhere; name: without the dashes. */
static bool take_flag(struct options *o, const char *name)
{
    bool *flag = strcmp(name, "yes") == 0       ? &o->yes
                 : strcmp(name, "dry-run") == 0 ? &o->dry_run
                 : strcmp(name, "json") == 0    ? &o->json
                 : strcmp(name, "quiet") == 0   ? &o->quiet
                                                : NULL;
    if (flag)
        *flag = true;
    return flag != NULL;
}

/* Removes those flags from argv[from...] up to a "--". */
static void take_flags(struct options *o, char **argv, int from)
{
    int to = from;
    for (bool literal = false; argv[from]; from++) {
        literal = literal || strcmp(argv[from], "--") == 0;
        bool dashes = !literal && strncmp(argv[from], "--", 2) == 0;
        if (!dashes || !take_flag(o, argv[from] + 2))
            argv[to++] = argv[from];
    }
    argv[to] = NULL;
}

/* Where the value of one of the others goes. */
static const char **place_of(struct options *o, const char *name)
{
    return strcmp(name, "log") == 0       ? &o->log_path
           : strcmp(name, "stdlib") == 0  ? &o->stdlib_dir
           : strcmp(name, "scripts") == 0 ? &o->scripts_dir
           : strcmp(name, "profile") == 0 ? &o->profile
                                          : &o->ca_file;
}

enum { OPT_SANDBOX = 256, OPT_FLAG, OPT_VALUE, OPT_NO_TOKEN_CACHE, OPT_VERSION };

static const struct option LONG[] = { { "sandbox", no_argument, NULL, OPT_SANDBOX },
                                      { "yes", no_argument, NULL, OPT_FLAG },
                                      { "dry-run", no_argument, NULL, OPT_FLAG },
                                      { "json", no_argument, NULL, OPT_FLAG },
                                      { "quiet", no_argument, NULL, OPT_FLAG },
                                      { "log", required_argument, NULL, OPT_VALUE },
                                      { "stdlib", required_argument, NULL, OPT_VALUE },
                                      { "scripts", required_argument, NULL, OPT_VALUE },
                                      { "profile", required_argument, NULL, OPT_VALUE },
                                      { "cacert", required_argument, NULL, OPT_VALUE },
                                      { "no-token-cache", no_argument, NULL,
                                        OPT_NO_TOKEN_CACHE },
                                      { "version", no_argument, NULL, OPT_VERSION },
                                      { "help", no_argument, NULL, 'h' },
                                      { NULL, 0, NULL, 0 } };

/* Says which option was probably meant: the one with which it shares the longest
 * beginning. */
static int unknown_option(const char *word)
{
    const char *best = NULL;
    size_t most = 1;
    for (const struct option *o = LONG; strncmp(word, "--", 2) == 0 && o->name; o++) {
        size_t same = 0;
        while (word[2 + same] && word[2 + same] == o->name[same])
            same++;
        if (same > most) {
            most = same;
            best = o->name;
        }
    }
    char text[64] = "unknown option %s";
    if (best)
        snprintf(text, sizeof text, "unknown option %%s; did you mean --%s?", best);
    return usage(text, word);
}

/* Returns the exit code for an immediate end, or -1. */
static int read_options(struct options *o, int argc, char **argv)
{
    int index = 0;
    opterr = 0;
    for (int c; (c = getopt_long(argc, argv, "+:e:vh", LONG, &index)) != -1;) {
        switch (c) {
        case OPT_SANDBOX:
            o->sandbox = true;
            break;
        case OPT_FLAG:
            take_flag(o, LONG[index].name);
            break;
        case 'v':
            o->verbose = true;
            break;
        case 'e':
            o->code = optarg;
            break;
        case OPT_VALUE:
            *place_of(o, LONG[index].name) = optarg;
            break;
        case OPT_NO_TOKEN_CACHE:
            o->no_token_cache = true;
            break;
        case OPT_VERSION:
            puts("halo " HALO_VERSION);
            return 0;
        case 'h':
            argv[--optind] = "help";
            return -1;
        case ':':
            return usage("%s needs a value", argv[optind - 1]);
        default:
            return unknown_option(argv[optind - 1]);
        }
    }
    return -1;
}

/* ---- running ---- */

static int start(halo_host *h, const struct options *o, char **words, halo_run **run)
{
    const char *const *rest = (const char *const *)words + 1;
    if (o->code)
        return halo_start_string(h, "=-e", o->code, NULL, run);
    if (strcmp(words[0], "run") == 0) /* a path without a slash is still a path */
        return halo_start(h, words[1], (const char *const *)words + 2, run);
    return halo_start(h, words[0], rest, run);
}

static int run_script(struct options *o, char **words)
{
    halo_config cfg = HALO_CONFIG_INIT;
    cfg.stdlib_dir = o->stdlib_dir;
    cfg.scripts_dir = o->scripts_dir;
    cfg.dry_run = o->dry_run;
    cfg.profile = o->profile;
    cfg.ca_file = o->ca_file;
    cfg.no_profiles = o->sandbox; /* also those that the script names */
    cfg.token_cache = !o->no_token_cache && !o->sandbox; /* that one ends with us */
    cfg.ud = o;
    cfg.log = on_log;
    cfg.event = on_event;
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
    struct options o = { .stdlib_dir = getenv("HALO_STDLIB"),
                         .scripts_dir = getenv("HALO_SCRIPTS") };
    static char *help[] = { "help", NULL };
    int code = read_options(&o, argc, argv);
    if (code >= 0)
        return code;
    char **words = argv + optind;
    take_flags(&o, argv, optind);
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
