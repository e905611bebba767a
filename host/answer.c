#include "answer.h"

#include <ctype.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <jansson.h>

#include "secret.h"

/* An answer that C reads is small; larger ones are only decoded in Lua, within its
 * limits. */
enum { MAX_READ = 1024 * 1024 };

void hl_answer_show(char *to, size_t room, const char *text, size_t len)
{
    size_t n = len < room - 1 ? len : room - 1;
    while (n < len && n > 0 && ((unsigned char)text[n] & 0xC0) == 0x80)
        n--; /* never cut inside a UTF-8 sequence */
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];
        bool c1 =
            c == 0xC2 && i + 1 < n && (unsigned char)text[i + 1] < 0xA0; /* U+0080.. */
        to[i] = c < ' ' || c == 127 || c1 ? '?' : (char)c;
        if (c1)
            to[++i] = '?';
    }
    to[n] = '\0';
}

static void show_member(char *to, size_t room, const json_t *object, const char *name)
{
    const json_t *v = json_object_get(object, name);
    if (json_is_string(v))
        hl_answer_show(to, room, json_string_value(v), json_string_length(v));
}

static json_t *load(const char *body, size_t len)
{
    return json_loadb(body, len, JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, NULL);
}

/* NULL for what is no JSON, and when out of memory. jansson calls both a syntax error:
 * whether there is memory shows when it is asked for some. */
static json_t *parse(const char *body, size_t len, bool *no_memory)
{
    *no_memory = false;
    if (len == 0 || len > MAX_READ)
        return NULL;
    json_t *root = load(body, len);
    if (root)
        return root;
    json_t *probe = json_object();
    *no_memory = !probe;
    json_decref(probe);
    return probe ? load(body, len) : NULL;
}

/* Several errors: the first gives reason and field, all give their message. */
static void read_errors(const json_t *list, struct hl_failure *f)
{
    size_t at = 0;
    const json_t *one = json_is_array(list) ? json_array_get(list, 0) : NULL;
    show_member(f->reason, sizeof f->reason, one, "reason");
    show_member(f->field, sizeof f->field, one, "field");
    for (size_t i = 0; i < json_array_size(list) && at + 4 < sizeof f->message; i++) {
        char text[sizeof f->message] = "";
        show_member(text, sizeof text, json_array_get(list, i), "message");
        if (at > 0 && *text)
            at += (size_t)sprintf(f->message + at, "; ");
        hl_answer_show(f->message + at, sizeof f->message - at, text, strlen(text));
        at += strlen(f->message + at);
    }
}

static void read_plain(const char *body, size_t len, struct hl_failure *f)
{
    while (len > 0 && isspace((unsigned char)*body)) {
        body++;
        len--;
    }
    if (len == 0)
        snprintf(f->message, sizeof f->message, "empty answer");
    else if (*body == '<')
        snprintf(f->message, sizeof f->message,
                 "an HTML page instead of JSON (a proxy or gateway answered?)");
    else if (*body == '{' || *body == '[')
        snprintf(f->message, sizeof f->message, "JSON that is cut off or broken");
    else
        hl_answer_show(f->message, 200 < sizeof f->message ? 200 : sizeof f->message,
                       body, len);
}

void hl_answer_error(const char *body, size_t len, struct hl_failure *f)
{
    bool no_memory;
    json_t *root = parse(body, len, &no_memory);
    if (!json_is_object(root)) {
        json_decref(root);
        if (no_memory)
            snprintf(f->message, sizeof f->message, "no memory to read the answer");
        else
            read_plain(body, len, f);
        hl_secret_blank_places(f->message, strlen(f->message));
        return;
    }
    const json_t *errors = json_object_get(root, "errors");
    if (json_is_array(errors)) {
        read_errors(errors, f);
    } else if (json_is_object(errors)) { /* keyed by field (v2beta1) */
        const char *key =
            json_object_iter_key(json_object_iter(json_object_get(root, "errors")));
        if (key)
            hl_answer_show(f->field, sizeof f->field, key, strlen(key));
    } else if (json_is_string(json_object_get(root, "error"))) {
        char description[sizeof f->message / 2] = "",
                                             error[sizeof f->message / 2 - 8] = "";
        show_member(error, sizeof error, root, "error");
        show_member(description, sizeof description, root, "error_description");
        snprintf(f->message, sizeof f->message, "%s%s%s", error,
                 description[0] ? ": " : "", description);
    }
    if (!f->message[0])
        show_member(f->message, sizeof f->message, root, "message");
    if (!f->reason[0])
        show_member(f->reason, sizeof f->reason, root, "reason");
    hl_secret_blank_places(f->message, strlen(f->message));
    json_decref(root);
}

int hl_answer_status(const char *body, size_t len, char *status, size_t room)
{
    bool no_memory;
    json_t *root = parse(body, len, &no_memory);
    const json_t *data = json_object_get(root, "data");
    bool is = json_is_object(data);
    status[0] = '\0';
    if (is)
        show_member(status, room, data, "status");
    json_decref(root);
    return is ? HALO_OK : no_memory ? HALO_NOMEM : HALO_API;
}

void hl_answer_field(const char *body, size_t len, const char *name, char *to,
                     size_t room)
{
    bool no_memory;
    json_t *root = parse(body, len, &no_memory);
    *to = '\0';
    show_member(to, room, json_object_get(root, "data"), name);
    json_decref(root);
}

int hl_answer_token(const char *body, size_t len, char **token, int *expires_in)
{
    bool no_memory;
    json_t *root = parse(body, len, &no_memory);
    const json_t *value = json_object_get(root, "access_token");
    const json_t *expires = json_object_get(root, "expires_in");
    *token = NULL;
    *expires_in = 60;
    const char *text = json_string_value(value);
    bool usable = text && *text && json_string_length(value) == strlen(text);
    for (const char *c = text; usable && *c; c++)
        usable = (unsigned char)*c > ' ' &&
                 (unsigned char)*c < 127; /* it goes into a header */
    if (usable)
        *token = strdup(text);
    if (json_is_number(expires) && json_number_value(expires) >= 1 &&
        json_number_value(expires) < 1e8)
        *expires_in = (int)json_number_value(expires);
    json_decref(root);
    if (*token)
        return HALO_OK;
    return usable || no_memory ? HALO_NOMEM : HALO_API;
}
