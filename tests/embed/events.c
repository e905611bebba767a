/* Example: follows a script by its events, as in
 *     events migrate '{"instance":"3fa29c1e"}'
 * Each is one JSON object, printed as a line; halo.h lists what they hold. */
#include <halo.h>

#include <stdio.h>

static void on_event(void *ud, const char *json, size_t len)
{
    FILE *to = ud;
    fprintf(to, "%.*s\n", (int)len, json);
    fflush(to);
}

/* Whoever runs this has decided already. */
static int on_confirm(void *ud, halo_run *run, const char *question)
{
    (void)ud;
    (void)run;
    (void)question;
    return HALO_YES;
}

int main(int argc, char **argv)
{
    halo_config cfg = HALO_CONFIG_INIT;
    cfg.ud = stdout;
    cfg.event = on_event;
    cfg.confirm = on_confirm;
    halo_host *host = NULL;
    halo_run *run = NULL;
    int err = argc > 1 ? halo_open(&host, &cfg) : HALO_USAGE;
    if (err == HALO_OK)
        err = halo_start_string(host, argv[1], NULL, argv[2], &run);
    if (err == HALO_OK)
        err = halo_wait(run);
    if (err != HALO_OK)
        fprintf(stderr, "%s\n", run ? halo_message(run) : halo_strerror(err));
    halo_close(host);
    return halo_exit_code(err);
}
