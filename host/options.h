/* The options of the program. */
#ifndef HL_OPTIONS_H
#define HL_OPTIONS_H

#include <stdbool.h>
#include <stdio.h>

#include <halo.h>

struct options {
    bool sandbox, yes, dry_run, json, quiet, verbose;
    const char *code, *log_path;
    FILE *log;
    halo_config cfg; /* what the options say of it; the rest is as initialised */
    char **words;    /* name and arguments of the script; ends with NULL */
};

/* Says what is wrong with the command line. Returns the exit code. */
int usage(const char *text, const char *what);

/* Returns the exit code for an immediate end, or -1. */
int read_options(struct options *o, int argc, char **argv);

#endif
