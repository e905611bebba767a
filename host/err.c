#include "err.h"

const char *halo_strerror(int err)
{
    switch (err) {
#define HALO_X(name, number, kind, exit_code, text) \
    case number:                                    \
        return text;
        HALO_ERRORS(HALO_X)
#undef HALO_X
    }
    return "unknown error";
}

int halo_exit_code(int err)
{
    switch (err) {
#define HALO_X(name, number, kind, exit_code, text) \
    case number:                                    \
        return exit_code;
        HALO_ERRORS(HALO_X)
#undef HALO_X
    }
    return 1;
}

const char *hl_err_kind(int err)
{
    switch (err) {
#define HALO_X(name, number, kind, exit_code, text) \
    case number:                                    \
        return kind;
        HALO_ERRORS(HALO_X)
#undef HALO_X
    }
    return "script";
}
