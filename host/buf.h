/* A byte buffer that grows up to a limit given at birth. Its memory is its own; free it
 * with hl_buf_reset, after which it can be filled again. A zeroed struct is an empty
 * buffer that takes nothing (limit 0) and needs no reset. */
#ifndef HL_BUF_H
#define HL_BUF_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes that several owners may use together: a host's Lua state, answers, files read. */
struct hl_budget {
    size_t used, limit; /* limit 0: none */
};

/* Whether so many bytes more are within it. */
static inline bool hl_budget_has(const struct hl_budget *b, size_t bytes)
{
    return b->limit == 0 || (b->used <= b->limit && bytes <= b->limit - b->used);
}

struct hl_buf {
    char *data; /* len bytes and a NUL after them; NULL while nothing was ever appended */
    size_t len; /* bytes in use */
    size_t cap; /* bytes allocated */
    size_t limit; /* most bytes it may ever hold, without the NUL; below SIZE_MAX */
    bool too_big; /* an append was refused because of the limit */
    struct hl_budget *budget; /* what its memory counts against; NULL: nothing */
};

void hl_buf_init(struct hl_buf *b, size_t limit);

/* Appends all len bytes or none. HALO_OK, or HALO_NOMEM: out of memory or budget, or over
 * the limit when too_big is set (it stays set until the reset). */
int hl_buf_append(struct hl_buf *b, const void *data, size_t len);

/* The bytes with a NUL after them, never NULL. Valid until the next append or reset. */
const char *hl_buf_text(const struct hl_buf *b);

/* Empties it and frees the memory; limit and budget stay. May be called twice. */
void hl_buf_reset(struct hl_buf *b);

#endif
