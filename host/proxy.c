#include "proxy.h"

#include <stdio.h>
#include <stdlib.h>

#include <curl/curl.h>

bool hl_proxy_name(char *host, size_t room, char port[8])
{
    static const char *const NAMES[] = { "https_proxy", "HTTPS_PROXY", "all_proxy",
                                         "ALL_PROXY" };
    const char *proxy = NULL;
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES && (!proxy || !*proxy); i++)
        proxy = getenv(NAMES[i]);
    *host = *port = '\0';
    if (!proxy || !*proxy)
        return false;
    char *name = NULL, *number = NULL;
    CURLU *url = curl_url();
    if (url &&
        curl_url_set(url, CURLUPART_URL, proxy,
                     CURLU_NON_SUPPORT_SCHEME | CURLU_GUESS_SCHEME) == CURLUE_OK &&
        curl_url_get(url, CURLUPART_HOST, &name, 0) == CURLUE_OK) {
        bool given = curl_url_get(url, CURLUPART_PORT, &number, 0) == CURLUE_OK;
        snprintf(host, room, "%s", name);
        snprintf(port, 8, "%.5s", given ? number : "1080");
    }
    curl_free(name);
    curl_free(number);
    curl_url_cleanup(url);
    return true;
}
