/* A client of the Aura API: base URL, credentials, token, request rate, and what it knows
 * of operations. A call of it: call.h. */
#ifndef HL_CLIENT_H
#define HL_CLIENT_H

#include "durations.h"
#include "token.h"
#include "turns.h"

enum {
    HL_MAX_BODY = 16 * 1024 * 1024,
    HL_REMEMBERED = 1024 /* accepted operations remembered, for waits that follow them */
};

/* An operation the API accepted a moment ago. */
struct hl_accepted {
    char id[64];
    const char *transient; /* the status it goes through; static */
    int64_t at_ms;
};

/* What is reported of each request, for logs. Never holds a secret. */
struct hl_sent {
    const char *method, *path;
    int status; /* 0: no answer */
    int64_t took_ms;
    const char *request_id, *error; /* "" where there is none */
    int attempt;
};

struct hl_client {
    int refs;
    struct hl_loop *loop;
    struct hl_http_pool pool;
    struct hl_token token;
    struct hl_turns turns;
    struct hl_userdir cache, state; /* closed unless shared */
    struct hl_durations durations;
    char *base_url, *ca_file;
    struct hl_accepted accepted[HL_REMEMBERED];
    unsigned accepted_next;
    unsigned forbidden; /* generation of a token that is known to be good and meets 403 */
    bool told_deprecated;
    size_t max_body; /* bytes of an answer; HL_MAX_BODY unless set */
    struct hl_budget
        *budget; /* what answers, and the client itself, count against, or NULL */
    void (*sent)(void *ud, const struct hl_sent *s); /* may be NULL */
    void (*warn)(void *ud, const char *text);        /* may be NULL */
    void *ud;
};

/* Strings are copied. ca_file: NULL: the system's store. Errors: HALO_NOMEM, HALO_USAGE
 * with a reason in why. */
int hl_client_new(struct hl_client **out, struct hl_loop *loop, const char *base_url,
                  const char *client_id, const char *client_secret, const char *ca_file,
                  int per_minute, char *why, size_t room);
/* Shares token, request rate and what is known of durations with the user's other
 * processes. why: what the user should know, or "". */
void hl_client_share(struct hl_client *c, char *why, size_t room);
void hl_client_ref(struct hl_client *c);
static inline void hl_client_charge(struct hl_client *c, struct hl_budget *budget)
{
    c->budget = budget; /* once */
    budget->used += sizeof *c;
}
void hl_client_unref(
    struct hl_client *c); /* with the last one gone no call may be under way */

/* The last accepted operation on an instance, or NULL. */
const struct hl_accepted *hl_client_accepted(const struct hl_client *c, const char *id);
/* One has just been accepted. */
void hl_client_remember(struct hl_client *c, const char *id, const char *transient);

#endif
