/* The Lua files that are compiled in: stdlib/ and scripts/, made by embed.cmake. */
#ifndef HL_EMBEDDED_H
#define HL_EMBEDDED_H

#include <stddef.h>

struct hl_embedded {
    const char *name; /* from the top of the source tree: "stdlib/size.lua" */
    const char *text; /* followed by a NUL that len does not count */
    size_t len;
};

extern const struct hl_embedded hl_embedded_files[]; /* in strcmp order of their names */
extern const size_t hl_embedded_count;

#endif
