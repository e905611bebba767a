#include "pattern.h"

#include <ctype.h>
#include <string.h>

#include <lauxlib.h>

#include "runtime.h"

enum { MAX_DEPTH = 200, LOOK_EVERY = 100000 /* characters compared, about 1 ms */ };
enum { OPEN = -1, POSITION = -2 }; /* lengths of captures: not closed; "()" */

struct hl_item {
    enum {
        LITERAL,
        ANY,
        CLASS,
        SET,
        GROUP,
        PLACE,
        CLOSE,
        BALANCE,
        FRONTIER,
        AGAIN,
        END
    } kind;
    char repeat; /* '*', '+', '-', '?' or 0 */
    char a, b;   /* the character, the class, the two of %b, the number of %1 */
    const char *set, *set_end; /* between the brackets, with the '^' */
};

/* ---- reading ---- */

struct reader {
    lua_State *L;
    const char *p, *end;
    int groups, open; /* captures begun, and not yet closed */
};

static char next(struct reader *r, const char *what)
{
    if (r->p >= r->end)
        luaL_error(r->L, "malformed pattern (%s)", what);
    return *r->p++;
}

/* r->p is behind the '['. */
static void read_set(struct reader *r, struct hl_item *item)
{
    item->set = r->p;
    if (r->p < r->end && *r->p == '^')
        r->p++;
    do { /* a ']' at the beginning is one of the set */
        if (next(r, "missing ']'") == '%')
            next(r, "missing ']'");
    } while (r->p < r->end && *r->p != ']');
    next(r, "missing ']'");
    item->set_end = r->p - 1;
}

static void read_escape(struct reader *r, struct hl_item *item)
{
    char c = next(r, "ends with '%'");
    item->a = c;
    if (c == 'b') {
        item->kind = BALANCE;
        item->a = next(r, "missing arguments to '%b'");
        item->b = next(r, "missing arguments to '%b'");
    } else if (c == 'f') {
        item->kind = FRONTIER;
        if (r->p >= r->end || *r->p++ != '[')
            luaL_error(r->L, "missing '[' after '%%f' in pattern");
        read_set(r, item);
    } else if (isdigit((unsigned char)c)) {
        item->kind = AGAIN;
        item->a = (char)(c - '1');
        if (item->a < 0 || item->a >= r->groups)
            luaL_error(r->L, "invalid capture index %%%d", item->a + 1);
    } else {
        item->kind = CLASS;
    }
}

static void read_item(struct reader *r, struct hl_item *item)
{
    char c = *r->p++;
    static const char NONE[] = "";
    *item = (struct hl_item){ .a = c, .set = NONE, .set_end = NONE };
    if (c == '(') {
        bool place = r->p < r->end && *r->p == ')';
        r->p += place;
        item->kind = place ? PLACE : GROUP;
        if (r->groups++ >= HL_CAPTURES)
            luaL_error(r->L, "too many captures");
        r->open += !place;
        return;
    }
    if (c == ')') {
        item->kind = CLOSE;
        if (r->open-- <= 0)
            luaL_error(r->L, "invalid pattern capture");
        return;
    }
    if (c == '$' && r->p == r->end) {
        item->kind = END;
        return;
    }
    item->kind = c == '.' ? ANY : c == '[' ? SET : LITERAL;
    if (c == '[')
        read_set(r, item);
    else if (c == '%')
        read_escape(r, item);
    if (item->kind <= SET && r->p < r->end && *r->p && strchr("*+-?", *r->p))
        item->repeat = *r->p++;
}

void hl_pattern_read(lua_State *L, struct hl_match *m, const char *pattern, size_t len,
                     bool *anchored)
{
    struct reader r = { .L = L, .p = pattern, .end = pattern + len };
    if (anchored) {
        *anchored = len > 0 && *pattern == '^';
        r.p += *anchored;
    }
    struct hl_item *items = lua_newuserdatauv(L, (len + 1) * sizeof *items, 0);
    m->L = L;
    m->items = items;
    m->count = 0;
    m->work = 0;
    while (r.p < r.end)
        read_item(&r, &items[m->count++]);
}

/* ---- matching ---- */

static bool in_class(unsigned char c, char class)
{
    bool is;
    switch (tolower((unsigned char)class)) {
    case 'a':
        is = isalpha(c);
        break;
    case 'c':
        is = iscntrl(c);
        break;
    case 'd':
        is = isdigit(c);
        break;
    case 'g':
        is = isgraph(c);
        break;
    case 'l':
        is = islower(c);
        break;
    case 'p':
        is = ispunct(c);
        break;
    case 's':
        is = isspace(c);
        break;
    case 'u':
        is = isupper(c);
        break;
    case 'w':
        is = isalnum(c);
        break;
    case 'x':
        is = isxdigit(c);
        break;
    default:
        return c == (unsigned char)class; /* an escaped character */
    }
    return is != (isupper((unsigned char)class) != 0);
}

static bool in_set(unsigned char c, const char *p, const char *end)
{
    bool negated = p < end && *p == '^';
    for (p += negated; p < end; p++) {
        if (*p == '%' && p + 1 < end) {
            if (in_class(c, *++p))
                return !negated;
        } else if (end - p > 2 && p[1] == '-') {
            if ((unsigned char)p[0] <= c && c <= (unsigned char)p[2])
                return !negated;
            p += 2;
        } else if ((unsigned char)*p == c) {
            return !negated;
        }
    }
    return negated;
}

static bool fits(const struct hl_match *m, const char *s, const struct hl_item *item)
{
    if (s >= m->end)
        return false;
    unsigned char c = (unsigned char)*s;
    switch (item->kind) {
    case ANY:
        return true;
    case CLASS:
        return in_class(c, item->a);
    case SET:
        return in_set(c, item->set, item->set_end);
    default:
        return c == (unsigned char)item->a;
    }
}

static void count_work(struct hl_match *m, size_t n)
{
    m->work += n < LOOK_EVERY ? (unsigned)n + 1 : LOOK_EVERY;
    if (m->work >= LOOK_EVERY) {
        m->work = 0;
        hl_runtime_check(m->L);
    }
}

static const char *match(struct hl_match *m, const char *s, const struct hl_item *item);

/* The longest run first, or the shortest. */
static const char *match_repeated(struct hl_match *m, const char *s,
                                  const struct hl_item *item)
{
    size_t work = (size_t)(item->set_end - item->set) + 1;
    ptrdiff_t n = 0, least = item->repeat == '+';
    if (item->repeat == '-') {
        for (;; s++) {
            const char *end = match(m, s, item + 1);
            if (end || !fits(m, s, item))
                return end;
            count_work(m, work);
        }
    }
    while ((item->repeat != '?' || n == 0) && fits(m, s + n, item)) {
        n++;
        count_work(m, work);
    }
    for (; n >= least; n--) {
        const char *end = match(m, s + n, item + 1);
        if (end)
            return end;
    }
    return NULL;
}

static const char *match_balance(struct hl_match *m, const char *s,
                                 const struct hl_item *item)
{
    if (s >= m->end || *s != item->a)
        return NULL;
    const char *from = s;
    for (int open = 1; ++s < m->end;) {
        if (*s == item->b) {
            if (--open == 0)
                break;
        } else if (*s == item->a) {
            open++;
        }
    }
    count_work(m, (size_t)(s - from));
    return s < m->end ? s + 1 : NULL;
}

static const char *match_again(struct hl_match *m, const char *s, int i)
{
    if (i >= m->level || m->captures[i].len == OPEN)
        luaL_error(m->L, "invalid capture index %%%d", i + 1);
    if (m->captures[i].len == POSITION)
        return NULL; /* as in Lua: it is no text */
    size_t len = (size_t)m->captures[i].len;
    count_work(m, len);
    if ((size_t)(m->end - s) < len || memcmp(m->captures[i].at, s, len) != 0)
        return NULL;
    return s + len;
}

/* The rest of the pattern, inside a capture that begins or ends here. */
static const char *match_capture(struct hl_match *m, const char *s,
                                 const struct hl_item *item)
{
    int i = m->level;
    if (item->kind == CLOSE) {
        do
            i--;
        while (m->captures[i].len != OPEN); /* there is one: the reader has counted */
        m->captures[i].len = s - m->captures[i].at;
    } else {
        m->captures[i].at = s;
        m->captures[i].len = item->kind == PLACE ? POSITION : OPEN;
        m->level++;
    }
    const char *end = match(m, s, item + 1);
    if (!end && item->kind == CLOSE)
        m->captures[i].len = OPEN;
    else if (!end)
        m->level--;
    return end;
}

static bool at_frontier(const struct hl_match *m, const char *s,
                        const struct hl_item *item)
{
    unsigned char before = s == m->text ? 0 : (unsigned char)s[-1];
    unsigned char here = s < m->end ? (unsigned char)*s : 0;
    return !in_set(before, item->set, item->set_end) &&
           in_set(here, item->set, item->set_end);
}

static const char *match_items(struct hl_match *m, const char *s,
                               const struct hl_item *item)
{
    for (; s && item < m->items + m->count; item++) {
        count_work(m, (size_t)(item->set_end - item->set));
        switch (item->kind) {
        case GROUP:
        case PLACE:
        case CLOSE:
            return match_capture(m, s, item);
        case BALANCE:
            s = match_balance(m, s, item);
            break;
        case AGAIN:
            s = match_again(m, s, item->a);
            break;
        case FRONTIER:
            s = at_frontier(m, s, item) ? s : NULL;
            break;
        case END:
            s = s == m->end ? s : NULL;
            break;
        default:
            if (item->repeat)
                return match_repeated(m, s, item);
            s = fits(m, s, item) ? s + 1 : NULL;
        }
    }
    return s;
}

static const char *match(struct hl_match *m, const char *s, const struct hl_item *item)
{
    if (++m->depth > MAX_DEPTH)
        luaL_error(m->L, "pattern too complex");
    const char *end = match_items(m, s, item);
    m->depth--;
    return end;
}

const char *hl_pattern_match(struct hl_match *m, const char *at)
{
    m->level = m->depth = 0;
    return match(m, at, m->items);
}

void hl_pattern_push(struct hl_match *m, int i, const char *from, const char *to)
{
    if (i >= m->level && i > 0)
        luaL_error(m->L, "invalid capture index %%%d", i + 1);
    ptrdiff_t len = i < m->level ? m->captures[i].len : to - from;
    const char *at = i < m->level ? m->captures[i].at : from;
    if (len == OPEN)
        luaL_error(m->L, "unfinished capture");
    if (len == POSITION)
        lua_pushinteger(m->L, (lua_Integer)(at - m->text) + 1);
    else
        lua_pushlstring(m->L, at, (size_t)len);
}
