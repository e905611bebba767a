#include "client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "baseurl.h"

/* Whether it is a file that can be read; curl would say so only when it has connected. */
static bool readable(const char *path, char *why, size_t room)
{
    FILE *f = fopen(path, "re");
    bool ok = f && fgetc(f) != EOF;
    if (!ok)
        snprintf(why, room, "cannot read the CA file %s: %s", path,
                 !f || ferror(f) ? strerror(errno) : "it is empty");
    if (f)
        fclose(f);
    return ok;
}

int hl_client_new(struct hl_client **out, struct hl_loop *loop, const char *base_url,
                  const char *client_id, const char *client_secret, const char *ca_file,
                  int per_minute, char *why, size_t room)
{
    *out = NULL;
    int err = hl_base_url_check(base_url, why, room);
    if (err == HALO_OK && ca_file && !readable(ca_file, why, room))
        err = HALO_USAGE;
    if (err != HALO_OK)
        return err;
    struct hl_client *c = calloc(1, sizeof *c);
    if (!c)
        return HALO_NOMEM;
    c->refs = 1;
    c->max_body = HL_MAX_BODY;
    c->loop = loop;
    hl_http_pool_init(&c->pool, loop);
    hl_turns_init(&c->turns, loop, per_minute);
    size_t len = strlen(base_url);
    c->base_url = strndup(base_url, len > 0 && base_url[len - 1] == '/' ? len - 1 : len);
    c->ca_file = ca_file ? strdup(ca_file) : NULL;
    if (!c->base_url || (ca_file && !c->ca_file) ||
        hl_token_init(&c->token, &c->pool, c->base_url, client_id, client_secret,
                      c->ca_file) != HALO_OK) {
        hl_client_unref(c);
        return HALO_NOMEM;
    }
    *out = c;
    return HALO_OK;
}

void hl_client_share(struct hl_client *c, char *why, size_t room)
{
    if (hl_userdir_open(&c->state, HL_USERDIR_STATE, NULL, why, room))
        hl_durations_open(&c->durations, &c->state, c->base_url);
    if (!hl_userdir_open(&c->cache, HL_USERDIR_CACHE, NULL, why, room))
        return;
    hl_token_share(&c->token, &c->cache, why, room);
    hl_turns_share(&c->turns, &c->cache, c->base_url, c->token.client_id);
}

void hl_client_ref(struct hl_client *c)
{
    c->refs++;
}

void hl_client_unref(struct hl_client *c)
{
    if (!c || --c->refs > 0)
        return;
    if (c->budget)
        c->budget->used -= sizeof *c;
    hl_turns_stop(&c->turns);
    hl_token_free(&c->token);
    hl_durations_free(&c->durations);
    hl_userdir_close(&c->cache);
    hl_userdir_close(&c->state);
    hl_http_pool_free(&c->pool);
    free(c->base_url);
    free(c->ca_file);
    free(c);
}

const struct hl_accepted *hl_client_accepted(const struct hl_client *c, const char *id)
{
    for (unsigned i = 0; i < HL_REMEMBERED; i++)
        if (c->accepted[i].id[0] && strcmp(c->accepted[i].id, id) == 0)
            return &c->accepted[i];
    return NULL;
}

void hl_client_remember(struct hl_client *c, const char *id, const char *transient)
{
    struct hl_accepted *a = (struct hl_accepted *)hl_client_accepted(c, id);
    if (!a)
        a = &c->accepted[c->accepted_next++ % HL_REMEMBERED];
    snprintf(a->id, sizeof a->id, "%s", id);
    a->transient = transient;
    a->at_ms = hl_loop_now(c->loop);
}
