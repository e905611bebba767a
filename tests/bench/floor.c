/* What libcurl alone needs for the same: one handle, one connection, no more checks than
 * a program must have. Settings: AURA_BASE_URL, AURA_CLIENT_ID, AURA_CLIENT_SECRET,
 * AURA_CA_FILE, and AURA_TOKEN where a token is there already.
 *
 *   floor gets ID N      gets an instance N times, one after another
 *   floor pause N S      pauses the instances 00000001 to N (hexadecimal), waits S
 *                        seconds and looks every 50 ms until all are paused */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <curl/curl.h>

struct answer {
    char text[65536];
    size_t len;
};

static CURL *easy;
static struct answer answer;

static void give_up(const char *what)
{
    fprintf(stderr, "floor: %s\n", what);
    exit(1); /* NOLINT */
}

static const char *setting(const char *name)
{
    const char *value = getenv(name);
    if (!value)
        give_up(name);
    return value;
}

static size_t on_body(char *data, size_t one, size_t len, void *ud)
{
    struct answer *a = ud;
    (void)one;
    if (a->len + len >= sizeof a->text)
        return 0;
    memcpy(a->text + a->len, data, len);
    a->text[a->len += len] = '\0';
    return len;
}

static void request(const char *path, const char *body)
{
    char url[1024];
    long status = 0;
    snprintf(url, sizeof url, "%s%s", setting("AURA_BASE_URL"), path);
    answer.len = 0;
    curl_easy_setopt(easy, CURLOPT_URL, url);
    if (body)
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
    else
        curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
    CURLcode result = curl_easy_perform(easy);
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    if (result != CURLE_OK || status / 100 != 2)
        give_up(result != CURLE_OK ? curl_easy_strerror(result) : answer.text);
}

/* Leaves the handle with the token and the headers that all further requests have. */
static struct curl_slist *log_in(void)
{
    char header[2048];
    const char *token = getenv("AURA_TOKEN");
    if (!token) {
        curl_easy_setopt(easy, CURLOPT_USERNAME, setting("AURA_CLIENT_ID"));
        curl_easy_setopt(easy, CURLOPT_PASSWORD, setting("AURA_CLIENT_SECRET"));
        request("/oauth/token", "grant_type=client_credentials");
        curl_easy_setopt(easy, CURLOPT_USERNAME, NULL);
        token = strstr(answer.text, "\"access_token\":\"");
        if (!token)
            give_up("no token");
        token += strlen("\"access_token\":\"");
    }
    snprintf(header, sizeof header, "Authorization: Bearer %.*s",
             (int)strcspn(token, "\""), token);
    struct curl_slist *headers = curl_slist_append(NULL, header);
    headers = curl_slist_append(headers, "Content-Type: application/json");
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    return headers;
}

static bool paused(int n)
{
    char path[64];
    for (int i = 1; i <= n; i++) {
        snprintf(path, sizeof path, "/v1/instances/%08x", (unsigned)i);
        request(path, NULL);
        if (!strstr(answer.text, "\"status\":\"paused\""))
            return false;
    }
    return true;
}

static void rest(double seconds)
{
    struct timespec ts = { (time_t)seconds,
                           (long)((seconds - (double)(time_t)seconds) * 1e9) };
    nanosleep(&ts, NULL);
}

static void pause_all(int n, double seconds)
{
    char path[64];
    for (int i = 1; i <= n; i++) {
        snprintf(path, sizeof path, "/v1/instances/%08x/pause", (unsigned)i);
        request(path, "{}");
    }
    rest(seconds);
    while (!paused(n))
        rest(0.05);
}

int main(int argc, char **argv)
{
    if (argc != 4)
        give_up("usage: floor gets ID N | floor pause N SECONDS");
    curl_global_init(CURL_GLOBAL_DEFAULT);
    easy = curl_easy_init();
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &answer);
    curl_easy_setopt(easy, CURLOPT_CAINFO, getenv("AURA_CA_FILE"));
    struct curl_slist *headers = log_in();
    char path[128];
    snprintf(path, sizeof path, "/v1/instances/%s", argv[2]);
    if (strcmp(argv[1], "pause") == 0)
        pause_all(atoi(argv[2]), atof(argv[3]));
    else
        for (int i = atoi(argv[3]); i > 0; i--)
            request(path, NULL);
    curl_slist_free_all(headers);
    curl_easy_cleanup(easy);
    return 0;
}
