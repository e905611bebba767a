#include "buf.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <halo.h>

void hl_buf_init(struct hl_buf *b, size_t limit)
{
    *b = (struct hl_buf){ .limit = limit };
}

/* Room for `need` bytes and the NUL; doubles, so that n appends cost n. */
static int grow(struct hl_buf *b, size_t need)
{
    size_t cap = b->cap ? b->cap : 256;
    while (cap <= need)
        cap = cap > SIZE_MAX / 2 ? SIZE_MAX : cap * 2;
    if (cap > b->limit)
        cap = b->limit + 1;
    if (b->budget && !hl_budget_has(b->budget, cap - b->cap))
        return HALO_NOMEM;
    char *data = realloc(b->data, cap);
    if (!data)
        return HALO_NOMEM;
    if (b->budget)
        b->budget->used += cap - b->cap;
    b->data = data;
    b->cap = cap;
    return HALO_OK;
}

int hl_buf_append(struct hl_buf *b, const void *data, size_t len)
{
    if (len > b->limit - b->len || b->limit == SIZE_MAX) {
        b->too_big = true;
        return HALO_NOMEM;
    }
    if (b->len + len >= b->cap && grow(b, b->len + len) != HALO_OK)
        return HALO_NOMEM;
    if (len > 0)
        memcpy(b->data + b->len, data, len);
    b->len += len;
    b->data[b->len] = '\0';
    return HALO_OK;
}

const char *hl_buf_text(const struct hl_buf *b)
{
    return b->data ? b->data : "";
}

void hl_buf_reset(struct hl_buf *b)
{
    free(b->data);
    if (b->budget)
        b->budget->used -= b->cap;
    *b = (struct hl_buf){ .limit = b->limit, .budget = b->budget };
}
