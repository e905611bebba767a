/* Every endpoint of API v1 that halo knows, in one table: the Lua functions, their
 * argument checks, effects and waits are all made from it. */
#ifndef HL_ENDPOINTS_H
#define HL_ENDPOINTS_H

#include <stdbool.h>
#include <stddef.h>

#include "retry.h"

struct endpoint {
    const char *name; /* as scripts call it: "snapshot.create" */
    enum hl_method method;
    const char *path;      /* each {} is one id, given in order as the first arguments */
    int effect;            /* enum halo_effect */
    const char *transient; /* status the instance goes through once this is accepted */
    const char
        *required; /* names of the fields of the request's body, or NULL: no body */
    const char *optional;
    const char *query;   /* "field=queryName ..." */
    bool answer_matters; /* the answer says something that cannot be asked for again */
    bool refuses_with_500;
};

extern const struct endpoint hl_endpoints[]; /* ends with a NULL name */

/* What a field of a body or query must look like. */
enum field_type {
    FIELD_TEXT,
    FIELD_NAME,
    FIELD_SIZE,
    FIELD_ID,
    FIELD_BOOLEAN,
    FIELD_INTEGER,
    FIELD_TEXTS,
    FIELD_DATE
};

struct field {
    const char *name;
    enum field_type type;
    int min, max; /* FIELD_INTEGER */
};

/* NULL when no endpoint has such a field. */
const struct field *hl_field(const char *name, size_t len);

/* The endpoint that a method and a path belong to, or NULL. */
const struct endpoint *hl_endpoint_of(enum hl_method method, const char *path);

/* The next word of a blank-separated list: returns its start and length, moves *list
 * behind it; NULL at the end. */
const char *hl_word(const char **list, size_t *len);

#endif
