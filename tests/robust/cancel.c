/* Stops scripts after every step: by cancelling, interrupting once or twice, releasing and
 * closing. Each time the run must end as cancelled or done, every closer must have run
 * once and in order, and the host must run the next script. */
#include <halo.h>

#include "answers.h"

/* guard(NAME) returns a value whose closing waits; NAME begins with that of its task. What
 * is said of it is checked by check_order. */
static const char PRELUDE[] =
    "local task, ui, aura = require 'task', require 'ui', require 'aura'\n"
    "local function guard(name) ui.say('+' .. name)\n"
    "  return setmetatable({}, { __close = function() ui.say('-' .. name)\n"
    "    pcall(task.sleep, 0.0005) ui.say('.' .. name) end }) end\n";

static const struct scenario {
    const char *name, *code;
} SCENARIOS[] = {
    { "sleep", "local a <close> = guard 'm1' local b <close> = guard 'm2'\n"
               "task.sleep(0.001) do local c <close> = guard 'm3' task.sleep(0.001) end "
               "task.sleep(0)" },
    { "pcall",
      "local a <close> = guard 'm1' pcall(function() local b <close> = guard 'm2'\n"
      "  pcall(task.sleep, 0.001) task.sleep(0.001) end) task.sleep(0.001)" },
    { "all",
      "local a <close> = guard 'm1' task.all({ 'a', 'b', 'c' }, function(name)\n"
      "  local b <close> = guard(name .. '1') task.sleep(0.001)\n"
      "  local c <close> = guard(name .. '2') task.sleep(0.001) end, { limit = 2 })" },
    { "wrap", "local function inner() local c <close> = guard 'm3' task.sleep(0.001)\n"
              "  coroutine.yield(1) task.sleep(0.001) return 2 end\n"
              "local outer = coroutine.wrap(function() local b <close> = guard 'm2'\n"
              "  local i = coroutine.wrap(inner) i() i() end)\n"
              "local a <close> = guard 'm1' outer()" },
    { "wait_for_status",
      "local a <close> = guard 'm1' aura.wait_for_status('paused01', 'paused', {\n"
      "  on_change = function() local b <close> = guard 'm2' task.sleep(0.001) end })" },
    { "call", "local a <close> = guard 'm1' local inst = aura.get '3fa29c1e'\n"
              "do local b <close> = guard 'm2' aura.pause(inst.id) end\n"
              "assert(aura.try.get '00000000' == nil)" },
    { "confirm", "local a <close> = guard 'm1' local yes = ui.confirm 'Now?'\n"
                 "do local b <close> = guard 'm2' ui.confirm 'And now?' end return yes" },
    { "process", "local process = require 'process' local a <close> = guard 'm1'\n"
                 "assert(process.run { 'cat', stdin = 'x' }.stdout == 'x')\n"
                 "local b <close> = guard 'm2' process.run { 'true' }" },
    { "httpd",
      "local server <close> = require 'httpd'.listen()\n"
      "local function serve() local a <close> = guard 's1'\n"
      "  for _, text in ipairs { '{\"access_token\":\"t\"}', '{\"data\":[]}' } do\n"
      "    local r = server:next() task.sleep(0.001) r:reply(200, {}, text) end end\n"
      "local function ask() local a <close> = guard 'c1'\n"
      "  aura.auth { client_id = 'i', client_secret = 's',\n"
      "    base_url = 'http://127.0.0.1:' .. server.port }:list() end\n"
      "task.all({ serve, ask }, function(f) f() end)" },
    { "timeout", "local a <close> = guard 'm1' pcall(task.timeout, 0.003, function()\n"
                 "  local b <close> = guard 't1' task.sleep(5) end)" },
    { "spawn",
      "local a <close> = guard 'm1' local t = task.spawn(function()\n"
      "  local b <close> = guard 't1' task.sleep(0.001)\n"
      "  task.spawn(function() local c <close> = guard 'u1' task.sleep(0.001) end)\n"
      "  end) t:wait()" },
};

/* AGAIN: twice, with a step between. */
enum way { CANCEL, INTERRUPT, TWICE, AGAIN, RELEASE, CLOSE, WAYS };
static const char *const WAY_NAMES[] = { "cancel", "interrupt", "twice",
                                         "again",  "release",   "close" };

static int failures;
static char said[4096]; /* names of guards, each with its mark, in order */

static void complain(const char *name, enum way way, int step, const char *what,
                     const char *text)
{
    if (++failures <= 20)
        fprintf(stderr, "%s, %s after step %d: %s: %s\n", name, WAY_NAMES[way], step,
                what, text);
}

static void on_log(void *ud, int level, const char *text, size_t len)
{
    size_t at = strlen(said);
    (void)ud;
    if (level == HALO_LOG_INFO && at + len < sizeof said)
        memcpy(said + at, text, len + 1);
}

static int on_confirm(void *ud, halo_run *run, const char *question)
{
    (void)ud;
    (void)run;
    (void)question;
    return HALO_LATER;
}

/* Whether every guard was closed once, the younger ones of a task first. */
static bool in_order(void)
{
    char open[256] = "";
    for (const char *at = said; at[0]; at += 3) {
        size_t len = strlen(open);
        char *place = open;
        if (at[0] == '+' && len + 3 < sizeof open) {
            memcpy(open + len, at + 1, 2);
            open[len + 2] = '\0';
        } else if (at[0] == '-') {
            while (place[0] && memcmp(place, at + 1, 2) != 0)
                place += 2;
            if (!place[0])
                return false; /* twice, or never opened */
            for (const char *later = place + 2; later[0]; later += 2)
                if (later[0] == place[0])
                    return false;
            memmove(place, place + 2, strlen(place + 2) + 1);
        }
    }
    return !open[0];
}

static halo_host *open_host(void)
{
    halo_config cfg = HALO_CONFIG_INIT;
    halo_host *h = NULL;
    cfg.log = on_log;
    cfg.confirm = on_confirm;
    if (halo_open(&h, &cfg) != HALO_OK)
        abort();
    return h;
}

static halo_run *start(halo_host *h, const struct scenario *s)
{
    char code[4096];
    halo_run *r = NULL;
    snprintf(code, sizeof code, "%s%s", PRELUDE, s->code);
    if (halo_start_string(h, s->name, code, NULL, &r) != HALO_OK)
        abort();
    return r;
}

/* One step, and an answer to what it has asked. Returns whether the run has ended. */
static bool step(halo_host *h, halo_run *r)
{
    const char *json;
    halo_step(h, 100);
    halo_answer(r, 1);
    return halo_result(r, &json, NULL) != HALO_USAGE;
}

/* Stops a run after so many steps. Returns whether it had not ended by itself before. */
static bool attempt(halo_host **h, const struct scenario *s, enum way way, int steps)
{
    bool ended = false;
    said[0] = '\0';
    halo_run *r = start(*h, s);
    for (int i = 0; i < steps && !ended; i++)
        ended = step(*h, r);
    bool stopped = !ended;
    if (way == CANCEL)
        halo_cancel(r);
    else if (way < RELEASE)
        halo_interrupt(*h);
    if (way == AGAIN)
        step(*h, r);
    if (way == TWICE || way == AGAIN)
        halo_interrupt(*h);
    for (int i = 0; i < 1000 && way < RELEASE && !ended; i++)
        ended = step(*h, r);
    if (way < RELEASE) {
        const char *json;
        int err = halo_result(r, &json, NULL);
        if (err != HALO_OK && err != HALO_CANCELLED)
            complain(s->name, way, steps, halo_strerror(err), halo_message(r));
        bool rest = strcmp(s->name, "spawn") == 0; /* may be done but for its tasks */
        if (way == TWICE && stopped && err != HALO_CANCELLED && !rest)
            complain(s->name, way, steps, "goes on", halo_strerror(err));
    }
    if (way == CLOSE) {
        halo_close(*h);
        *h = open_host();
    } else {
        halo_release(r);
    }
    if (!in_order())
        complain(s->name, way, steps, "closers ran out of order", said);
    said[0] = '\0';
    r = start(*h, &(struct scenario){ "next", "task.sleep(0) return 'next'" });
    int err = halo_wait(r);
    if (err != HALO_OK)
        complain(s->name, way, steps, "the next script", halo_message(r));
    halo_release(r);
    return stopped;
}

int main(void)
{
    answers_start();
    halo_host *h = open_host();
    for (size_t i = 0; i < sizeof SCENARIOS / sizeof *SCENARIOS; i++)
        for (enum way way = CANCEL; way < WAYS; way++) {
            int steps = 0;
            while (attempt(&h, &SCENARIOS[i], way, steps) && steps < 500)
                steps++;
            printf("%-16s%-16s%4d steps\n", SCENARIOS[i].name, WAY_NAMES[way], steps);
        }
    halo_close(h);
    if (failures)
        fprintf(stderr, "%d failures\n", failures);
    return failures != 0;
}
