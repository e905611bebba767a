/* The base URL of the API, checked before any secret is sent to it. Pure. */
#ifndef HL_BASEURL_H
#define HL_BASEURL_H

#include <stddef.h>

/* Checks a base URL: https, or http to loopback; no path beyond a trailing slash. Returns
 * HALO_OK, or HALO_USAGE with a reason in why. */
int hl_base_url_check(const char *url, char *why, size_t room);

#endif
