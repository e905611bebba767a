#include <halo.h>

#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>

#include "../bindings/modules.h"
#include "client.h"
#include "runtime.h"
#include "secret.h"
#include "task.h"

unsigned halo_version(void)
{
    return HALO_VERSION_HEX;
}

/* ---- opening and closing ---- */

static void free_strings(halo_config *cfg)
{
    free((char *)cfg->base_url);
    free((char *)cfg->client_id);
    hl_secret_forget((char **)&cfg->client_secret);
    free((char *)cfg->profile);
    free((char *)cfg->stdlib_dir);
    free((char *)cfg->scripts_dir);
    free((char *)cfg->work_dir);
    free((char *)cfg->ca_file);
}

/* Replaces each string by a copy of the host's own. */
static int copy_strings(halo_config *cfg)
{
    const char **all[] = { &cfg->base_url,   &cfg->client_id,   &cfg->client_secret,
                           &cfg->stdlib_dir, &cfg->scripts_dir, &cfg->work_dir,
                           &cfg->profile,    &cfg->ca_file };
    bool ok = true;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        const char *given = *all[i];
        *all[i] = given ? strdup(given) : NULL;
        ok = ok && (*all[i] || !given);
    }
    return ok ? HALO_OK : HALO_NOMEM;
}

static void set_defaults(halo_config *cfg)
{
    if (cfg->effect == 0)
        cfg->effect = HALO_DESTROY;
    if (!cfg->restricted)
        return;
    if (cfg->memory_bytes == 0)
        cfg->memory_bytes = (size_t)64 * 1024 * 1024;
    if (cfg->compute_ms == 0)
        cfg->compute_ms = 2000;
    if (cfg->max_tasks == 0)
        cfg->max_tasks = 10000;
    if (cfg->max_files == 0)
        cfg->max_files = 64;
}

/* Takes over the fields that both the caller's halo.h and ours know. */
static int read_config(halo_config *cfg, const halo_config *given)
{
    enum { LARGEST = 4096 }; /* more is no size, but memory that nobody has set */
    size_t size = given ? given->size : sizeof *cfg;
    if (size < sizeof cfg->size || size > LARGEST)
        return HALO_USAGE;
    for (size_t i = sizeof *cfg; i < size; i++)
        if (((const char *)given)[i]) /* of a later version, and it is used */
            return HALO_USAGE;
    *cfg = (halo_config){ 0 };
    if (given)
        memcpy(cfg, given, size < sizeof *cfg ? size : sizeof *cfg);
    cfg->size = sizeof *cfg;
    set_defaults(cfg);
    bool good = cfg->effect >= HALO_READ && cfg->effect <= HALO_DESTROY &&
                cfg->compute_ms >= 0 && cfg->run_ms >= 0 && cfg->max_tasks >= 0 &&
                cfg->max_files >= 0 &&
                !(cfg->profile && (cfg->client_id || cfg->client_secret));
    return good ? HALO_OK : HALO_USAGE;
}

int halo_open(halo_host **out, const halo_config *given)
{
    halo_config cfg;
    *out = NULL;
    int err = read_config(&cfg, given);
    if (err != HALO_OK)
        return err;
    halo_host *h = calloc(1, sizeof *h);
    if (!h)
        return HALO_NOMEM;
    h->cfg = cfg;
    err = copy_strings(&h->cfg);
    h->budget.limit = h->cfg.memory_bytes;
    h->root.fd = -1;
    h->loop = hl_loop_new(NULL);
    h->sched = hl_sched_new(h);
    if (!h->loop || !h->sched)
        err = HALO_NOMEM;
    if (err == HALO_OK)
        err = hl_runtime_open(h);
    if (err != HALO_OK) {
        halo_close(h);
        return err;
    }
    *out = h;
    return HALO_OK;
}

/* Called from inside a callback, or from a native module that a script has called. */
static bool busy(const halo_host *h)
{
    return h->in_callback || (h->sched && h->sched->current);
}

void halo_close(halo_host *h)
{
    if (!h || busy(h))
        return;
    while (h->sched && h->sched->runs)
        halo_release(h->sched->runs);
    hl_runtime_close(h); /* before what its userdata hold on to */
    hl_client_unref(h->client);
    hl_sched_free(h->sched);
    hl_loop_free(h->loop);
    free_strings(&h->cfg);
    hl_root_close(&h->root);
    free(h);
}

static int set_preload(lua_State *L)
{
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
    lua_pushvalue(L, 2);
    lua_setfield(L, -2, lua_touserdata(L, 1));
    return 0;
}

int halo_module(halo_host *h, const char *name, int (*open)(struct lua_State *))
{
    if (busy(h))
        return HALO_BUSY;
    lua_pushcfunction(h->L, set_preload);
    lua_pushlightuserdata(h->L, (void *)name);
    lua_pushcfunction(h->L, open);
    int status = lua_pcall(h->L, 2, 0, 0);
    if (status != LUA_OK)
        lua_pop(h->L, 1);
    return status == LUA_OK ? HALO_OK : HALO_NOMEM;
}

/* ---- callbacks ---- */

void hl_log(struct halo_host *h, int level, const char *text, size_t len)
{
    bool was = h->in_callback;
    h->in_callback = true;
    if (h->cfg.log)
        h->cfg.log(h->cfg.ud, level, text, len);
    h->in_callback = was;
}

void hl_event(struct halo_host *h, const char *json, size_t len)
{
    bool was = h->in_callback;
    h->in_callback = true;
    if (h->cfg.event)
        h->cfg.event(h->cfg.ud, json, len);
    h->in_callback = was;
}

int hl_confirm(struct halo_run *run, const char *question)
{
    halo_host *h = run->host;
    bool was = h->in_callback;
    h->in_callback = true;
    int answer = h->cfg.confirm ? h->cfg.confirm(h->cfg.ud, run, question) : HALO_NO;
    h->in_callback = was;
    return answer;
}

/* ---- runs ---- */

static int start(halo_host *h, const struct hl_start *s, halo_run **out)
{
    *out = NULL;
    if (busy(h))
        return HALO_BUSY;
    if (!h->sched->runs)
        h->interrupts = h->interrupts_seen = 0;
    return hl_run_new(out, h, s);
}

int halo_start(halo_host *h, const char *script, const char *const *argv, halo_run **out)
{
    return start(h, &(struct hl_start){ .target = script, .argv = argv }, out);
}

int halo_start_string(halo_host *h, const char *name, const char *code,
                      const char *json_args, halo_run **out)
{
    struct hl_start s = { .target = code ? code : name,
                          .name = code && !name ? "code" : name,
                          .json = json_args ? json_args : "{}",
                          .is_code = code != NULL };
    *out = NULL;
    return s.target ? start(h, &s, out) : HALO_USAGE;
}

int halo_limit(halo_run *run, int effect)
{
    if (effect < HALO_READ || effect > HALO_DESTROY || run->ended)
        return HALO_USAGE;
    if (effect < run->effect)
        run->effect = effect;
    return HALO_OK;
}

void halo_release(halo_run *run)
{
    if (run && !busy(run->host))
        hl_run_free(run);
}

/* ---- driving ---- */

static void handle_interrupts(halo_host *h)
{
    for (struct halo_run *run = h->sched->runs; run; run = run->next)
        hl_run_check_time(run);
    while (h->interrupts_seen < h->interrupts) {
        h->interrupts_seen++;
        for (struct halo_run *run = h->sched->runs; run; run = run->next)
            hl_run_interrupt(run);
    }
}

/* Whether a run cannot go on: its main task has failed, or another one died of a lack of
 * memory and may have left undone what the rest waits for. */
static bool lost(const struct halo_run *run)
{
    if (run->main->ended && run->main->err != HALO_OK)
        return true;
    for (const struct hl_task *t = run->tasks; t; t = t->next)
        if (t->ended && !t->observed && t->err == HALO_NOMEM)
            return true;
    return false;
}

/* Ends the runs whose tasks have all ended, and cancels what is left of a lost one. */
static int reap(halo_host *h)
{
    int alive = 0;
    for (struct halo_run *run = h->sched->runs; run; run = run->next) {
        if (run->ended)
            continue;
        if (run->alive == 0)
            hl_run_end(run);
        else if (run->interrupts == 0 && lost(run))
            hl_run_interrupt(run);
        alive += run->ended ? 0 : 1;
    }
    return alive;
}

static bool due(const halo_host *h)
{
    if (h->sched->ready_first || h->interrupts != h->interrupts_seen)
        return true;
    for (const struct halo_run *run = h->sched->runs; run; run = run->next)
        if (!run->ended && run->alive == 0) /* killed: to be reaped */
            return true;
    return false;
}

int halo_step(halo_host *h, int max_wait_ms)
{
    if (busy(h))
        return HALO_BUSY;
    handle_interrupts(h);
    hl_loop_turn(h->loop, due(h) ? 0 : max_wait_ms);
    handle_interrupts(h);
    hl_sched_run(h->sched);
    return reap(h);
}

int halo_timeout(const halo_host *h)
{
    if (due(h))
        return 0;
    return hl_loop_timeout(h->loop);
}

int halo_fds(const halo_host *h, int *fds, int room)
{
    if (room > 0)
        fds[0] = hl_loop_fd(h->loop);
    return 1;
}

int halo_wait(halo_run *run)
{
    while (!run->ended) {
        int alive = halo_step(run->host, -1);
        if (alive < 0)
            return alive;
    }
    return run->err;
}

void halo_wakeup(halo_host *h)
{
    hl_loop_wakeup(h->loop);
}

void halo_interrupt(halo_host *h)
{
    h->interrupts++;
    hl_loop_wakeup(h->loop);
}

int halo_cancel(halo_run *run)
{
    if (busy(run->host))
        return HALO_BUSY;
    hl_run_interrupt(run);
    return HALO_OK;
}

int halo_answer(halo_run *run, int yes)
{
    if (!run->question || run->question->done) /* done: cancelled */
        return HALO_USAGE;
    struct hl_wait *w = run->question;
    run->question = NULL;
    hl_wake(w, yes ? HALO_OK : HALO_DENIED);
    return HALO_OK;
}

int halo_result(const halo_run *run, const char **json, size_t *len)
{
    *json = run->ended ? run->result : NULL;
    if (len)
        *len = *json ? run->result_len : 0;
    return run->ended ? run->err : HALO_USAGE;
}

/* What halo_error says of a run that ended with too little memory to describe it. */
static const char *plain_error(int err)
{
    switch (err) {
#define HALO_X(name, number, kind, exit_code, text) \
    case number:                                    \
        return "{\"kind\":\"" kind "\",\"message\":\"" text "\"}";
        HALO_ERRORS(HALO_X)
#undef HALO_X
    }
    return "{}";
}

int halo_error(const halo_run *run, const char **json, size_t *len)
{
    bool failed = run->ended && run->err != HALO_OK;
    *json = !failed ? NULL : run->error ? run->error : plain_error(run->err);
    if (len)
        *len = *json ? strlen(*json) : 0;
    return run->ended ? run->err : HALO_USAGE;
}

const char *halo_message(const halo_run *run)
{
    if (run->ended && run->err != HALO_OK)
        return run->message ? run->message : halo_strerror(run->err);
    return "";
}
