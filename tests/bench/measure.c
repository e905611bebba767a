/* measure FILE COMMAND...: runs a command and writes what it took to a file: wall and CPU
 * time in ms, and the most memory that one of its processes had, in MB. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static double ms(struct timeval t)
{
    return (double)t.tv_sec * 1e3 + (double)t.tv_usec / 1e3;
}

int main(int argc, char **argv)
{
    int status = 0;
    struct rusage used;
    if (argc < 3)
        return 2;
    double begun = now_ms();
    pid_t pid = vfork();
    if (pid == 0) {
        execvp(argv[2], argv + 2);
        _exit(127);
    }
    if (pid < 0 || wait4(pid, &status, 0, &used) < 0)
        return 2;
    double wall = now_ms() - begun;
    FILE *out = fopen(argv[1], "w");
    if (!out)
        return 2;
    fprintf(out, "%.3f\t%.3f\t%.1f\n", wall, ms(used.ru_utime) + ms(used.ru_stime),
            (double)used.ru_maxrss / 1024);
    fclose(out);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
