/* Hosts in several threads, each with scripts under way, while other threads wake and
 * interrupt them and a signal does: meant for the thread sanitizer. */
#include <halo.h>

#include <pthread.h>
#include <stdatomic.h>

#include "answers.h"

enum { THREADS = 8, ROUNDS = 6, RUNS = 4 };

static const char CODE[] =
    "local aura, task, run = require 'aura', require 'task', require 'run'\n"
    "local dir = os.getenv 'HALO_DIR' .. '/' .. arg.name\n"
    "do local job <close> = run.open(dir, { name = 'n', command = false })\n"
    "  job:step('one', function() return aura.get('3fa29c1e').name end) end\n"
    "local got = task.all({ '3fa29c1e', 'paused01', '00000000' }, function(id)\n"
    "  local inst, err = aura.try.get(id) return inst and inst.status or err.kind end)\n"
    "aura.wait_for_status('paused01', 'paused') task.sleep(0.001)\n"
    "require 'process'.run { 'true' }\n"
    "return os.date('%c') .. table.concat(got, ' ')";

static struct place {
    pthread_t thread;
    pthread_mutex_t lock; /* of host: it is made and closed while others look at it */
    halo_host *host;
    int done, cancelled;
} places[THREADS];

static atomic_bool over;
static _Atomic(halo_host *) signalled; /* whom the signal handler interrupts */

static void on_signal(int number)
{
    halo_host *h = atomic_load(&signalled);
    (void)number;
    if (h)
        halo_interrupt(h);
}

static void set_host(struct place *p, halo_host *h)
{
    pthread_mutex_lock(&p->lock);
    p->host = h;
    pthread_mutex_unlock(&p->lock);
}

static void round_of(struct place *p, int round)
{
    halo_config cfg = HALO_CONFIG_INIT;
    halo_run *runs[RUNS];
    char args[64];
    cfg.token_cache = 1;
    halo_host *h = NULL;
    if (halo_open(&h, &cfg) != HALO_OK)
        abort();
    if (p == places)
        atomic_store(&signalled, h);
    set_host(p, h);
    for (int i = 0; i < RUNS; i++) {
        snprintf(args, sizeof args, "{\"name\":\"%d-%d-%d\"}", (int)(p - places), round,
                 i);
        if (halo_start_string(h, "code", CODE, args, &runs[i]) != HALO_OK)
            abort();
    }
    for (int i = 0; i < RUNS; i++) {
        int err = halo_wait(runs[i]);
        p->done += err == HALO_OK;
        p->cancelled += err == HALO_CANCELLED;
        if (err != HALO_OK && err != HALO_CANCELLED)
            fprintf(stderr, "%s\n", halo_message(runs[i]));
    }
    set_host(p, NULL);
    if (p == places)
        atomic_store(&signalled, NULL); /* the handler runs in this thread */
    halo_close(h);
}

static void *run_host(void *ud)
{
    struct place *p = ud;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(p == places ? SIG_UNBLOCK : SIG_BLOCK, &set, NULL);
    for (int round = 0; round < ROUNDS; round++)
        round_of(p, round);
    return NULL;
}

/* Wakes all, and now and then interrupts one. */
static void *disturb(void *ud)
{
    unsigned seed = *(unsigned *)ud;
    while (!atomic_load(&over)) {
        for (int i = 0; i < THREADS; i++) {
            struct place *p = &places[i];
            pthread_mutex_lock(&p->lock);
            if (p->host)
                halo_wakeup(p->host);
            if (p->host && i % 4 == 1 && rand_r(&seed) % 64 == 0)
                halo_interrupt(p->host);
            pthread_mutex_unlock(&p->lock);
        }
        usleep(500);
    }
    return NULL;
}

int main(void)
{
    char directory[] = "/tmp/halo-threads-XXXXXX", command[64];
    pthread_t others[2];
    unsigned seeds[2] = { 1, 2 };
    int done = 0, cancelled = 0;
    if (!mkdtemp(directory))
        return 1;
    setenv("HALO_DIR", directory, 1);
    setenv("XDG_CACHE_HOME", directory, 1);
    answers_start();
    sigaction(SIGUSR1, &(struct sigaction){ .sa_handler = on_signal }, NULL);
    for (int i = 0; i < THREADS; i++) {
        pthread_mutex_init(&places[i].lock, NULL);
        pthread_create(&places[i].thread, NULL, run_host, &places[i]);
    }
    for (int i = 0; i < 2; i++)
        pthread_create(&others[i], NULL, disturb, &seeds[i]);
    for (int i = 0; i < 20; i++) {
        usleep(5000);
        pthread_kill(places[0].thread, SIGUSR1);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(places[i].thread, NULL);
        done += places[i].done;
        cancelled += places[i].cancelled;
    }
    atomic_store(&over, true);
    for (int i = 0; i < 2; i++)
        pthread_join(others[i], NULL);
    snprintf(command, sizeof command, "rm -rf '%s'", directory);
    int removed = system(command);
    printf("%d runs done, %d cancelled\n", done, cancelled);
    bool right = done > 0 && done + cancelled == THREADS * ROUNDS * RUNS && removed == 0;
    for (int i = 2; i < THREADS; i += 4) /* these nobody interrupts */
        right = right && places[i].cancelled == 0;
    return !right;
}
