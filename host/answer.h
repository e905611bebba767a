/* What C itself reads in the API's answers: errors, the status of an instance, a token.
 * All other decoding happens in Lua. Bodies may be anything: empty, HTML, truncated,
 * hostile. */
#ifndef HL_ANSWER_H
#define HL_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

#include "err.h"

/* Copies text for showing: control characters become '?', the end is cut to fit. */
void hl_answer_show(char *to, size_t room, const char *text, size_t len);

/* Fills in message, reason and field of f from an error body, in any of the shapes the
 * API uses: errors[], {"error"}, {"error","error_description"}, {"message","reason"},
 * text, HTML, nothing. What stands in the message where secrets stand is blanked, as the
 * body may be that of a success. */
void hl_answer_error(const char *body, size_t len, struct hl_failure *f);

/* The status in {"data":{"status":"..."}}; "" when it has none. HALO_OK, HALO_NOMEM, or
 * HALO_API when it is not such JSON. */
int hl_answer_status(const char *body, size_t len, char *status, size_t room);

/* Another text of it: "type". Empty when it has none, or there is no memory. */
void hl_answer_field(const char *body, size_t len, const char *name, char *to,
                     size_t room);

/* The token in {"access_token","expires_in"}. *token is malloc'ed and the caller's. HALO_OK,
 * HALO_NOMEM, or HALO_API when there is none. expires_in of 0, or missing, is taken as 60
 * seconds. */
int hl_answer_token(const char *body, size_t len, char **token, int *expires_in);

#endif
