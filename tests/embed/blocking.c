/* A C program that includes only halo.h and runs scripts to their end. */
#include <halo.h>

#include <stdio.h>
#include <string.h>

static int failures;

static void check(const char *what, int ok, const char *got)
{
    if (!ok) {
        fprintf(stderr, "%s: got %s\n", what, got);
        failures++;
    }
}

/* Runs code and checks its error and, where it succeeds, its result. */
static void run(halo_host *h, const char *code, const char *args, int want_err,
                const char *want_json)
{
    halo_run *r = NULL;
    int err = halo_start_string(h, "embedded", code, args, &r);
    if (err == HALO_OK)
        err = halo_wait(r);
    check(code, err == want_err, halo_strerror(err));

    const char *json = "";
    size_t len = 0;
    if (want_json) {
        check(code, halo_result(r, &json, &len) == HALO_OK, halo_message(r));
        check(code, len == strlen(want_json) && memcmp(json, want_json, len) == 0, json);
        check(code, halo_message(r)[0] == '\0', halo_message(r));
    } else {
        check(code, r != NULL && halo_message(r)[0] != '\0', "no message");
    }
    halo_release(r);
}

int main(void)
{
    halo_config cfg = HALO_CONFIG_INIT;
    halo_host *h;
    int err = halo_open(&h, &cfg);
    if (err != HALO_OK) {
        fprintf(stderr, "halo_open: %s\n", halo_strerror(err));
        return 1;
    }
    run(h, "return { answer = 6 * 7 }", NULL, HALO_OK, "{\"answer\":42}");
    run(h, "", NULL, HALO_OK, "null");
    run(h, "return arg.name", "{\"name\":\"moon\"}", HALO_OK, "\"moon\"");
    run(h, "require('task').sleep(0.01) return true", NULL, HALO_OK, "true");
    run(h, "error('on purpose')", NULL, HALO_SCRIPT, NULL);
    run(h, "return (", NULL, HALO_SCRIPT, NULL);
    halo_close(h);

    cfg.client_id = "id";
    cfg.client_secret = "secret";
    cfg.base_url = "https://127.0.0.1:1";
    cfg.ca_file = "/missing/ca.pem";
    if (halo_open(&h, &cfg) != HALO_OK)
        return 1;
    run(h, "require('aura').list()", NULL, HALO_USAGE, NULL);
    halo_close(h);
    halo_close(NULL);
    halo_release(NULL);
    check("version", halo_version() == HALO_VERSION_HEX, "another version");
    return failures != 0;
}
