/* halo.h in the language of the day: compiled as C99, C11, C++11 and C++17, with every
 * warning an error. */
#include <halo.h>

int use_halo(halo_host **host);

int use_halo(halo_host **host)
{
    halo_config cfg = HALO_CONFIG_INIT;
    halo_config other = HALO_CONFIG_INIT;
    cfg.effect = HALO_READ;
    other = cfg;
    return halo_open(host, &other);
}
