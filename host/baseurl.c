#include "baseurl.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <halo.h>

static bool is_loopback(const char *host)
{
    struct in_addr v4;
    return strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
           (inet_pton(AF_INET, host, &v4) == 1 && (ntohl(v4.s_addr) >> 24) == 127);
}

int hl_base_url_check(const char *url, char *why, size_t room)
{
    bool plain = strncasecmp(url, "http://", 7) == 0;
    if (!plain && strncasecmp(url, "https://", 8) != 0) {
        snprintf(why, room,
                 "the base URL must begin with https:// (or http:// for loopback)");
        return HALO_USAGE;
    }
    const char *authority = url + (plain ? 7 : 8);
    size_t len = strcspn(authority, "/?#");
    const char *end = authority + len;
    for (const char *p = url; *p; p++)
        if ((unsigned char)*p <= ' ' || (unsigned char)*p == 127 || *p == '\\') {
            snprintf(why, room,
                     "the base URL holds a blank, a control character or a backslash");
            return HALO_USAGE;
        }
    if (len == 0 || memchr(authority, '@', len)) {
        snprintf(why, room, "the base URL must name a host, without a user");
        return HALO_USAGE;
    }
    if (*end && strcmp(end, "/") != 0) {
        snprintf(why, room, "the base URL must not have a path (halo adds /v1 itself)");
        return HALO_USAGE;
    }
    char host[256];
    size_t host_len =
        *authority == '[' ? strcspn(authority, "]") + 1 : strcspn(authority, ":/?#");
    snprintf(host, sizeof host, "%.*s", (int)(host_len < 255 ? host_len : 255),
             authority);
    if (plain && !is_loopback(host)) {
        snprintf(why, room, "plain http is only allowed to loopback: use https for %s",
                 host);
        return HALO_USAGE;
    }
    return HALO_OK;
}
