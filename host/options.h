/* The options of the program. */
#ifndef HL_OPTIONS_H
#define HL_OPTIONS_H

#include <stdbool.h>
#include <stdio.h>

#include <halo.h>

struct options {
    bool sandbox, yes, dry_run, json, quiet, verbose, no_token_cache;
    const char *code, *log_path, *stdlib_dir, *scripts_dir, *profile;
    FILE *log;
    halo_config limits; /* what limits the script is given; the rest is as initialised */
    char **words;       /* name and arguments of the script; ends with NULL */
};

/* Says what is wrong with the command line. Returns the exit code. */
int usage(const char *text, const char *what);

/* Returns the exit code for an immediate end, or -1. */
int read_options(struct options *o, int argc, char **argv);

#endif
