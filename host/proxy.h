/* The proxy that curl takes from the environment for https, named for messages. */
#ifndef HL_PROXY_H
#define HL_PROXY_H

#include <stdbool.h>
#include <stddef.h>

/* Its host and port, without the user and password that it may have. False when none is
 * set; host is "" when curl could not read it either. no_proxy is not looked at. */
bool hl_proxy_name(char *host, size_t room, char port[8]);

#endif
