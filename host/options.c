#include "options.h"

#include <getopt.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

int usage(const char *text, const char *what)
{
    fprintf(stderr, "halo: ");
    fprintf(stderr, text, what);
    fprintf(stderr, "\n  hint: `halo help` lists options and commands\n");
    return 2;
}

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

enum {
    OPT_SANDBOX = 256,
    OPT_FLAG,
    OPT_TEXT,
    OPT_LIMIT,
    OPT_EFFECT,
    OPT_RESTRICT,
    OPT_NO_TOKEN_CACHE,
    OPT_VERSION
};

static const struct option LONG[] = {
    { "sandbox", no_argument, NULL, OPT_SANDBOX },
    { "yes", no_argument, NULL, OPT_FLAG },
    { "dry-run", no_argument, NULL, OPT_FLAG },
    { "json", no_argument, NULL, OPT_FLAG },
    { "quiet", no_argument, NULL, OPT_FLAG },
    { "log", required_argument, NULL, OPT_TEXT },
    { "stdlib", required_argument, NULL, OPT_TEXT },
    { "scripts", required_argument, NULL, OPT_TEXT },
    { "profile", required_argument, NULL, OPT_TEXT },
    { "cacert", required_argument, NULL, OPT_TEXT },
    { "restrict", no_argument, NULL, OPT_RESTRICT },
    { "effect", required_argument, NULL, OPT_EFFECT },
    { "memory", required_argument, NULL, OPT_LIMIT },
    { "compute", required_argument, NULL, OPT_LIMIT },
    { "max-time", required_argument, NULL, OPT_LIMIT },
    { "max-tasks", required_argument, NULL, OPT_LIMIT },
    { "max-files", required_argument, NULL, OPT_LIMIT },
    { "max-response", required_argument, NULL, OPT_LIMIT },
    { "no-token-cache", no_argument, NULL, OPT_NO_TOKEN_CACHE },
    { "version", no_argument, NULL, OPT_VERSION },
    { "help", no_argument, NULL, 'h' },
    { NULL, 0, NULL, 0 }
};

/* Where the text of an OPT_TEXT goes. */
static const char **place_of(struct options *o, const char *name)
{
    return strcmp(name, "log") == 0       ? &o->log_path
           : strcmp(name, "stdlib") == 0  ? &o->cfg.stdlib_dir
           : strcmp(name, "scripts") == 0 ? &o->cfg.scripts_dir
           : strcmp(name, "profile") == 0 ? &o->cfg.profile
                                          : &o->cfg.ca_file;
}

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

/* The limits that are numbers: the option's unit in the field's units, and its range. */
static const struct {
    const char *name;
    size_t field, size; /* of halo_config */
    double unit, least, most;
} LIMITS[] = {
#define FIELD(field) offsetof(halo_config, field), sizeof((halo_config *)0)->field
    { "memory", FIELD(memory_bytes), 1024 * 1024, 4, 1e6 }, /* MB */
    { "compute", FIELD(compute_ms), 1000, 0.001, 1e6 },     /* seconds */
    { "max-time", FIELD(run_ms), 1000, 0.001, 2e6 },
    { "max-tasks", FIELD(max_tasks), 1, 1, 1e9 },
    { "max-files", FIELD(max_files), 1, 1, 1e6 },
    { "max-response", FIELD(max_response), 1024 * 1024, 0.001, 1e6 }
#undef FIELD
};

static bool take_limit(halo_config *cfg, const char *name, const char *text)
{
    char *end;
    double n = strtod(text, &end);
    size_t i = 0;
    while (strcmp(LIMITS[i].name, name) != 0)
        i++;
    bool digits = strspn(text, "0123456789.") == strlen(text) && end != text && !*end;
    bool whole = LIMITS[i].unit > 1 || !strchr(text, '.');
    if (!digits || !whole || n < LIMITS[i].least || n > LIMITS[i].most)
        return false;
    char *field = (char *)cfg + LIMITS[i].field;
    size_t bytes = (size_t)(n * LIMITS[i].unit);
    int number = (int)bytes;
    if (LIMITS[i].size == sizeof bytes)
        memcpy(field, &bytes, sizeof bytes);
    else
        memcpy(field, &number, sizeof number);
    return true;
}

static bool take_effect(halo_config *cfg, const char *name)
{
    static const char *const NAMES[] = { NULL, "read", "change", "destroy" };
    for (int effect = HALO_READ; effect <= HALO_DESTROY; effect++)
        if (strcmp(name, NAMES[effect]) == 0)
            cfg->effect = effect;
    return cfg->effect != 0;
}

/* The only directory in which a restricted script has files: what --work-dir, an option of
 * the script's, says, or WORK_DIR; NULL: none. */
static const char *work_dir_of(char **words)
{
    static const char OPTION[] = "--work-dir";
    const char *env = getenv("WORK_DIR");
    for (; *words && strcmp(*words, "--") != 0; words++) {
        if (strcmp(*words, OPTION) == 0 && words[1])
            return words[1];
        if (strncmp(*words, OPTION, sizeof OPTION - 1) == 0 &&
            words[0][sizeof OPTION - 1] == '=')
            return *words + sizeof OPTION;
    }
    return env && *env ? env : NULL;
}

int read_options(struct options *o, int argc, char **argv)
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
        case OPT_TEXT:
            *place_of(o, LONG[index].name) = optarg;
            break;
        case OPT_RESTRICT:
            o->cfg.restricted = 1;
            break;
        case OPT_EFFECT:
            if (!take_effect(&o->cfg, optarg))
                return usage("--effect: expected read, change or destroy, not %s",
                             optarg);
            break;
        case OPT_LIMIT:
            if (!take_limit(&o->cfg, LONG[index].name, optarg)) {
                char text[64];
                snprintf(text, sizeof text, "--%s: not a number in its range: %%s",
                         LONG[index].name);
                return usage(text, optarg);
            }
            break;
        case 'v':
            o->verbose = true;
            break;
        case 'e':
            o->code = optarg;
            break;
        case OPT_NO_TOKEN_CACHE:
            o->cfg.token_cache = 0;
            break;
        case OPT_VERSION:
            puts("halo " HALO_VERSION);
            return 0;
        case 'h':
            argv[--optind] = "help";
            o->words = argv + optind;
            return -1;
        case ':':
            return usage("%s needs a value", argv[optind - 1]);
        default:
            return unknown_option(argv[optind - 1]);
        }
    }
    o->words = argv + optind;
    take_flags(o, argv, optind);
    if (o->cfg.restricted)
        o->cfg.work_dir = work_dir_of(o->words);
    return -1;
}
