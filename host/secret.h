/* Secrets: overwritten before they are freed, and blanked in texts that others wrote.
 * Whatever comes from the network goes through here before it is cut, read or shown. */
#ifndef HL_SECRET_H
#define HL_SECRET_H

#include <stddef.h>

enum {
    HL_SECRET_MIN = 8,   /* a shorter one is no secret: it would blank half of a text */
    HL_SECRET_LONG = 24, /* of one as long as this ... */
    HL_SECRET_PART = 16  /* ... so many characters of its beginning are blanked as well */
};

/* Overwrites, frees and sets to NULL. Of NULL: nothing. */
void hl_secret_forget(char **secret);

/* What follows "Basic " in an Authorization header; malloc'ed, NULL: out of memory. */
char *hl_secret_basic(const char *user, const char *password);

/* Blanks each of the secrets (NULL ends them) wherever it stands in the len bytes of
 * text, also as JSON or a URL writes it (\/ \u002f %2F), and what is left of one that
 * somebody has cut off. In place; text[len] must exist, it becomes the NUL. Returns the
 * new length. */
size_t hl_secret_blank(char *text, size_t len, const char *const *secrets);

/* Blanks what stands where secrets stand: behind Bearer and Basic, as the value of
 * anything called password, secret or token, between :// and @, and any JWT. For messages
 * and the like; in data a password may be what was asked for. Otherwise as above. */
size_t hl_secret_blank_places(char *text, size_t len);

#endif
