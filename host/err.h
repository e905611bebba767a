/* What went wrong with one call: filled in below Lua, raised above it. The error numbers
 * and their names come from the one list in halo.h. */
#ifndef HL_ERR_H
#define HL_ERR_H

#include <halo.h>

/* The kind of an error, as err.kind says it: "not_found". Static, never NULL. */
const char *hl_err_kind(int err);

/* A failed call. Texts are owned by whoever fills the struct in (bounded, NUL-terminated,
 * free of control characters and of secrets); "" means not known. */
struct hl_failure {
    int err;             /* HALO_* */
    int status;          /* HTTP status; 0 when nothing answered */
    int attempts;        /* requests sent for this call */
    char message[512];   /* what the API or the network said */
    char reason[64];     /* the API's reason code: "db-not-found" */
    char field[64];      /* the request property the API complained about */
    char request_id[96]; /* X-Request-Id, for support tickets */
};

#endif
