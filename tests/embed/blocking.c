/* Example: runs one bundled script to its end, as in
 *     blocking pause '{"instance":"3fa29c1e"}'
 * Credentials come from the environment. */
#include <halo.h>

#include <stdio.h>
#include <string.h>

/* Progress and warnings; what the script prints would come by here, too. */
static void on_log(void *ud, int level, const char *text, size_t len)
{
    (void)ud;
    (void)len;
    if (level > HALO_LOG_RESULT && level < HALO_LOG_DEBUG)
        fprintf(stderr, "%s\n", text);
}

static int on_confirm(void *ud, halo_run *run, const char *question)
{
    char line[8] = "";
    (void)ud;
    (void)run;
    fprintf(stderr, "%s Type YES to go on: ", question);
    return fgets(line, sizeof line, stdin) && strcmp(line, "YES\n") == 0 ? HALO_YES
                                                                         : HALO_NO;
}

int main(int argc, char **argv)
{
    halo_config cfg = HALO_CONFIG_INIT;
    cfg.log = on_log;
    cfg.confirm = on_confirm;
    halo_host *host = NULL;
    halo_run *run = NULL;
    const char *json = NULL;
    int err = argc > 1 ? halo_open(&host, &cfg) : HALO_USAGE;
    if (err == HALO_OK)
        err = halo_start_string(host, argv[1], NULL, argv[2], &run);
    if (err == HALO_OK)
        err = halo_wait(run);
    if (run && err != HALO_OK)
        halo_error(run, &json, NULL); /* for programs; halo_message is for people */
    else if (run)
        halo_result(run, &json, NULL);
    puts(json ? json : halo_strerror(err));
    halo_close(host); /* and its runs, with their json */
    return halo_exit_code(err);
}
