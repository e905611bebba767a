#include "profile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <halo.h>

#include "secret.h"

enum { MAX_FILE = 64 * 1024, MAX_RATE = 1000000 };
enum { CLIENT_ID, CLIENT_SECRET, SECRET_COMMAND, BASE_URL, RATE, KEYS };

static const char *const NAMES[KEYS] = { "client_id", "client_secret", "secret_command",
                                         "base_url", "rate" };

void hl_profile_free(struct hl_profile *p)
{
    free(p->client_id);
    hl_secret_forget(&p->client_secret);
    free(p->base_url);
    memset(p, 0, sizeof *p);
}

static bool good_name(const char *name)
{
    static const char ALLOWED[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    size_t len = strlen(name);
    return len > 0 && len <= 64 && strspn(name, ALLOWED) == len && name[0] != '.';
}

static bool path_of(const char *name, char *path, size_t room)
{
    const char *base = getenv("XDG_CONFIG_HOME"), *rest = "";
    if (!base || *base != '/') { /* a relative one is void, says its specification */
        base = getenv("HOME");
        rest = "/.config";
    }
    if (!base || *base != '/')
        return false;
    int n = snprintf(path, room, "%s%s/halo/profiles/%s", base, rest, name);
    return n > 0 && (size_t)n < room;
}

/* Gives the file's text, malloc'ed; otherwise why not. */
static int read_file(const char *name, const char *path, char **out, char *why,
                     size_t room)
{
    struct stat st;
    char *text = NULL;
    int err = HALO_USAGE;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) != 0) {
        snprintf(why, room, "profile %s: cannot read %s: %s", name, path,
                 strerror(errno));
    } else if (!S_ISREG(st.st_mode) || st.st_size > MAX_FILE) {
        snprintf(why, room, "profile %s: %s is not a small file", name, path);
    } else if (st.st_uid != geteuid()) {
        snprintf(why, room, "profile %s: %s belongs to another user", name, path);
    } else if (st.st_mode & 077) {
        snprintf(why, room, "profile %s: others have rights to %s: chmod 600 '%s'", name,
                 path, path);
    } else if ((text = calloc(1, MAX_FILE + 1)) == NULL) {
        err = HALO_NOMEM;
    } else {
        ssize_t n = read(fd, text, MAX_FILE);
        if (n < 0 || strlen(text) != (size_t)n) {
            snprintf(why, room, "profile %s: %s is not text", name, path);
            hl_secret_forget(&text);
        }
    }
    if (fd >= 0)
        close(fd);
    *out = text;
    return text ? HALO_OK : err;
}

/* Undoes quotes and backslashes in place. NULL, or what is wrong. */
static const char *unquote(char *at, char **value)
{
    char *to = at + 1;
    *value = to;
    if (*at++ != '"')
        return "the value must stand in double quotes";
    for (; *at != '"'; at++) {
        if (*at == '\\' && (at[1] == '"' || at[1] == '\\'))
            at++;
        else if (*at == '\\')
            return "only \\\" and \\\\ may follow a backslash";
        if (*at == '\0')
            return "the closing quote is missing";
        if ((unsigned char)*at < ' ' || *at == 127)
            return "the value holds a control character";
        *to++ = *at;
    }
    at++;
    at += strspn(at, " \t\r");
    *to = '\0';
    if (*at != '\0' && *at != '#')
        return "something follows the value";
    return **value ? NULL : "the value is empty";
}

/* One line into values, which point into it. NULL, or what is wrong. */
static const char *parse_line(char *line, char *values[KEYS])
{
    line += strspn(line, " \t\r");
    if (*line == '\0' || *line == '#')
        return NULL;
    size_t len = strcspn(line, " \t=");
    char *at = line + len + strspn(line + len, " \t");
    if (*at != '=')
        return "expected key = \"value\"";
    at++;
    for (int i = 0; i < KEYS; i++) {
        if (strlen(NAMES[i]) != len || strncmp(line, NAMES[i], len) != 0)
            continue;
        return values[i] ? "the key is given twice"
                         : unquote(at + strspn(at, " \t"), &values[i]);
    }
    return "unknown key; known are: client_id client_secret secret_command base_url rate";
}

/* Takes the text apart, which is changed. */
static bool parse(const char *name, char *text, char *values[KEYS], char *why,
                  size_t room)
{
    int number = 1;
    for (char *line = text, *next; line; line = next, number++) {
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        const char *wrong = parse_line(line, values);
        if (wrong) {
            snprintf(why, room, "profile %s, line %d: %s", name, number, wrong);
            return false;
        }
    }
    if (!values[CLIENT_ID])
        snprintf(why, room, "profile %s has no client_id", name);
    else if (!values[CLIENT_SECRET] == !values[SECRET_COMMAND])
        snprintf(why, room, "profile %s needs either client_secret or secret_command",
                 name);
    else
        return true;
    return false;
}

/* From the values to the profile; runs the command. */
static int fill(struct hl_profile *p, const char *name, char *values[KEYS], char *why,
                size_t room)
{
    char *end = NULL, reason[128];
    long rate = values[RATE] ? strtol(values[RATE], &end, 10) : -1;
    if (end && (*end != '\0' || values[RATE][0] < '0' || values[RATE][0] > '9' ||
                rate > MAX_RATE)) {
        snprintf(why, room, "profile %s: rate must be a number of requests a minute",
                 name);
        return HALO_USAGE;
    }
    p->rate = (int)rate;
    p->client_id = strdup(values[CLIENT_ID]);
    p->base_url = values[BASE_URL] ? strdup(values[BASE_URL]) : NULL;
    if (!p->client_id || (values[BASE_URL] && !p->base_url))
        return HALO_NOMEM;
    if (values[CLIENT_SECRET]) {
        p->client_secret = strdup(values[CLIENT_SECRET]);
        return p->client_secret ? HALO_OK : HALO_NOMEM;
    }
    p->client_secret = hl_profile_command(values[SECRET_COMMAND], HL_PROFILE_COMMAND_MS,
                                          reason, sizeof reason);
    if (!p->client_secret)
        snprintf(why, room, "profile %s: secret_command %s", name, reason);
    return p->client_secret ? HALO_OK : HALO_USAGE;
}

int hl_profile_read(struct hl_profile *p, const char *name, char *why, size_t room)
{
    char path[4096], *values[KEYS] = { 0 };
    memset(p, 0, sizeof *p);
    *why = '\0';
    if (!good_name(name)) {
        snprintf(why, room, "a profile's name has letters, digits and . _ - only");
        return HALO_USAGE;
    }
    if (!path_of(name, path, sizeof path)) {
        snprintf(why, room, "profile %s: HOME is not set", name);
        return HALO_USAGE;
    }
    char *text;
    int err = read_file(name, path, &text, why, room);
    if (err != HALO_OK)
        return err;
    err = parse(name, text, values, why, room) ? fill(p, name, values, why, room)
                                               : HALO_USAGE;
    explicit_bzero(text, MAX_FILE);
    free(text);
    if (err != HALO_OK)
        hl_profile_free(p);
    return err;
}
