/* Lua's patterns, with a limit: matching stops when the time of the script is over, which the
 * matcher of Lua's library cannot (no hook runs inside it). The same patterns mean the same;
 * a malformed one is refused before anything is matched. */
#ifndef HL_PATTERN_H
#define HL_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

#include <lua.h>

enum { HL_CAPTURES = 32 };

struct hl_item; /* one element of a pattern */

struct hl_match {
    lua_State *L;
    const char *text, *end; /* what is searched */
    const struct hl_item *items;
    int count, level, depth;
    unsigned work; /* since the last look at the clock */
    struct {
        const char *at;
        ptrdiff_t len; /* or below 0: see pattern.c */
    } captures[HL_CAPTURES];
};

/* Reads a pattern. Pushes a userdata that holds its items, which point into the pattern.
 * anchored: may be NULL where '^' has no meaning.                             [-0, +1, v] */
void hl_pattern_read(lua_State *L, struct hl_match *m, const char *pattern, size_t len,
                     bool *anchored);

/* Where a match that begins at `at` ends; NULL: there is none.                [-0, +0, v] */
const char *hl_pattern_match(struct hl_match *m, const char *at);

/* Pushes the i-th capture of the match from..to (0: the first, or all of it). [-0, +1, v] */
void hl_pattern_push(struct hl_match *m, int i, const char *from, const char *to);

#endif
