#include "secret.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/evp.h>

void hl_secret_forget(char **secret)
{
    if (*secret)
        explicit_bzero(*secret, strlen(*secret));
    free(*secret);
    *secret = NULL;
}

char *hl_secret_basic(const char *user, const char *password)
{
    size_t len = strlen(user) + 1 + strlen(password);
    char *plain = malloc(len + 1), *coded = malloc(4 * (len / 3 + 1) + 1);
    if (plain && coded) {
        snprintf(plain, len + 1, "%s:%s", user, password);
        EVP_EncodeBlock((unsigned char *)coded, (const unsigned char *)plain, (int)len);
    } else {
        free(coded);
        coded = NULL;
    }
    if (plain)
        explicit_bzero(plain, len);
    free(plain);
    return coded;
}

/* ---- writing over ---- */

/* A text that is read and, never further on, written. */
struct pass {
    char *to;
    const char *from, *end;
};

static void keep(struct pass *p, size_t n)
{
    if (p->to != p->from)
        memmove(p->to, p->from, n);
    p->to += n;
    p->from += n;
}

static void blank(struct pass *p, size_t n)
{
    size_t stars = n < 3 ? n : 3;
    memset(p->to, '*', stars);
    p->to += stars;
    p->from += n;
}

static size_t finish(const struct pass *p, const char *text)
{
    *p->to = '\0';
    return (size_t)(p->to - text);
}

/* What tokens, keys and Base64 are made of. */
static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("-._~+/=", c));
}

static size_t word(const char *at, const char *end)
{
    const char *from = at;
    while (at < end && is_word(*at))
        at++;
    return (size_t)(at - from);
}

/* ---- by value ---- */

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : 256;
}

static bool is_hex_of(const char *at, char c)
{
    return hex_digit(at[0]) * 16 + hex_digit(at[1]) == (unsigned char)c;
}

/* How many bytes at `at` stand for c; 0: they do not. */
static size_t stands_for(const char *at, const char *end, char c)
{
    size_t room = (size_t)(end - at);
    if (room >= 6 && memcmp(at, "\\u00", 4) == 0 && is_hex_of(at + 4, c))
        return 6;
    if (room >= 3 && *at == '%' && is_hex_of(at + 1, c))
        return 3;
    size_t escapes = 0; /* JSON in a string of JSON has more than one */
    while (escapes < room && at[escapes] == '\\' && (c != '\\' || escapes == 0))
        escapes++;
    if (escapes < room && at[escapes] == c)
        return escapes + 1;
    return room > 0 && *at == c;
}

/* How many bytes at `at` are the secret or its beginning; 0: none. */
static size_t length_of(const char *at, const char *end, const char *secret)
{
    const char *from = at, *s = secret;
    if (*at == *s && at + 1 < end && at[1] != s[1] && at[1] != '\\' && at[1] != '%')
        return 0; /* as mostly */
    for (size_t n; *s && (n = stands_for(at, end, *s)) > 0; s++)
        at += n;
    if (!*s)
        return (size_t)(at - from);
    bool part = s - secret >= HL_SECRET_PART && strlen(secret) >= HL_SECRET_LONG;
    return part ? (size_t)(at - from) + word(at, end) : 0;
}

/* How many bytes at `at` are one of the secrets or its beginning: the most that are. */
static size_t longest_of(const char *at, const char *end, const char *const *secrets)
{
    size_t most = 0;
    for (; *secrets; secrets++) {
        size_t n = length_of(at, end, *secrets);
        if (n > most && strlen(*secrets) >= HL_SECRET_MIN)
            most = n;
    }
    return most;
}

/* By which two bytes a secret may begin. */
struct beginnings {
    bool first[256], second[256];
};

static bool may_begin(const struct beginnings *b, const char *at, const char *end)
{
    unsigned char first = (unsigned char)*at;
    return first == '\\' || first == '%' || /* written in another way */
           (b->first[first] && (at + 1 == end || b->second[(unsigned char)at[1]]));
}

size_t hl_secret_blank(char *text, size_t len, const char *const *secrets)
{
    struct beginnings b = { .second = { ['\\'] = true, ['%'] = true } };
    struct pass p = { .to = text, .from = text, .end = text + len };
    for (const char *const *s = secrets; *s; s++) {
        if (strlen(*s) < HL_SECRET_MIN)
            continue;
        b.first[(unsigned char)(*s)[0]] = true;
        b.second[(unsigned char)(*s)[1]] = true;
    }
    while (p.from < p.end) {
        const char *at = p.from;
        while (at < p.end && !may_begin(&b, at, p.end))
            at++;
        keep(&p, (size_t)(at - p.from));
        size_t n = at < p.end ? longest_of(at, p.end, secrets) : 0;
        if (n > 0)
            blank(&p, n);
        else
            keep(&p, at < p.end);
    }
    return finish(&p, text);
}

/* ---- by place ---- */

static bool begins(const char *at, const char *end, const char *with)
{
    size_t len = strlen(with);
    return (size_t)(end - at) >= len && strncasecmp(at, with, len) == 0;
}

static size_t span(const char *at, const char *end, const char *of)
{
    const char *from = at;
    while (at < end && *at && strchr(of, *at))
        at++;
    return (size_t)(at - from);
}

/* The value in `="x`, `: x` or `":"x` behind a name; *before: what stands before it. */
static size_t value_of(const char *at, const char *end, bool colon, size_t *before)
{
    const char *from = at;
    size_t quotes = span(at, end, "\\\"'");
    at += quotes;
    if (at == end || (*at != '=' && (*at != ':' || !(colon || quotes))))
        return 0;
    at++;
    at += span(at, end, " ");
    size_t opening = span(at, end, "\\\"'");
    at += opening;
    *before = (size_t)(at - from);
    if (quotes && !opening) /* JSON, and no string */
        return 0;
    const char *value = at;
    while (at < end && (unsigned char)*at > ' ' && !strchr("\"'\\,;&<}", *at))
        at++;
    return (size_t)(at - value);
}

/* What is to be blanked `*before` bytes further on; 0: nothing. */
static size_t place(const char *at, const char *end, size_t *before)
{
    static const struct {
        const char *name;
        bool colon; /* a colon alone makes it one: "password: x", not "token: x" */
    } NAMES[] = { { "password", true }, { "secret", true }, { "token", false } };
    static const char *const SCHEMES[] = { "Bearer ", "Basic ", "" };
    if (!*at || !strchr("bBeEpPsStT:", *at))
        return 0; /* none of them begins so */
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        size_t name = strlen(NAMES[i].name), n;
        if (begins(at, end, NAMES[i].name) &&
            (n = value_of(at + name, end, NAMES[i].colon, before)) > 0) {
            *before += name;
            return n;
        }
    }
    if (begins(at, end, "://")) {
        size_t n = 0;
        while (at + 3 + n < end && (unsigned char)at[3 + n] > ' ' &&
               !strchr("/?#\"'<>@", at[3 + n]))
            n++;
        *before = 3;
        return at + 3 + n < end && at[3 + n] == '@' ? n : 0;
    }
    for (size_t i = 0; i < sizeof SCHEMES / sizeof *SCHEMES; i++) {
        if (!begins(at, end, *SCHEMES[i] ? SCHEMES[i] : "eyJ"))
            continue;
        *before = strlen(SCHEMES[i]);
        size_t n = word(at + *before, end);
        return n >= HL_SECRET_PART ? n : 0; /* not "Basic authentication" */
    }
    return 0;
}

size_t hl_secret_blank_places(char *text, size_t len)
{
    struct pass p = { .to = text, .from = text, .end = text + len };
    while (p.from < p.end) {
        size_t before = 0, n = place(p.from, p.end, &before);
        if (n > 0) {
            keep(&p, before);
            blank(&p, n);
        } else {
            *p.to++ = *p.from++;
        }
    }
    return finish(&p, text);
}
