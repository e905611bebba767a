/* What a host costs: the time to open and close one, and the memory of one that is idle
 * and of one with a thousand tasks that wait. */
#include <halo.h>

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ROUNDS = 200, TASKS = 1000 };

static double now_us(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double used_kb(void)
{
    return (double)mallinfo2().uordblks / 1024;
}

int main(void)
{
    static double took[ROUNDS];
    char code[160];
    halo_host *host;
    halo_run *run;
    for (int i = 0; i < ROUNDS; i++) {
        double begun = now_us();
        if (halo_open(&host, NULL) != HALO_OK)
            return 1;
        halo_close(host);
        took[i] = now_us() - begun;
    }
    qsort(took, ROUNDS, sizeof *took, by_size);
    double before = used_kb();
    if (halo_open(&host, NULL) != HALO_OK)
        return 1;
    double idle = used_kb() - before;
    snprintf(
        code, sizeof code,
        "local task = require 'task' for i = 1, %d do task.spawn(task.sleep, 60) end "
        "task.sleep(60)",
        TASKS);
    if (halo_start_string(host, "tasks", code, NULL, &run) != HALO_OK ||
        halo_step(host, 0) < 1 || halo_step(host, 0) < 1)
        return 1;
    double waiting = used_kb() - before;
    halo_close(host);
    printf("\nA host: open and close %.0f us (%.0f .. %.0f), idle %.0f KB, with %d tasks "
           "that "
           "wait %.0f KB, after its end %.0f KB\n",
           took[ROUNDS / 2], took[0], took[ROUNDS - 1], idle, TASKS, waiting,
           used_kb() - before);
    return 0;
}
