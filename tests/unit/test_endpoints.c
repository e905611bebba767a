#include "table.h"

#include <halo.h>

#include "endpoints.h"
#include "status.h"

static void test_endpoint_of(void **state)
{
    static const struct {
        enum hl_method method;
        const char *path, *want; /* want: a name, or "" for none */
    } CASES[] = {
        { HL_GET, "/v1/instances", "list" },
        { HL_GET, "/v1/instances?tenantId=6b1f-x", "list" },
        { HL_POST, "/v1/instances", "create" },
        { HL_GET, "/v1/instances/3fa29c1e", "get" },
        { HL_GET, "/v1/instances/3fa29c1e?x=/y", "get" },
        { HL_PATCH, "/v1/instances/3fa29c1e", "patch" },
        { HL_DELETE, "/v1/instances/3fa29c1e", "delete" },
        { HL_DELETE, "/v1/instances/3fa29c1e?force=1", "delete" },
        { HL_POST, "/v1/instances/3fa29c1e/pause", "pause" },
        { HL_POST, "/v1/instances/3fa29c1e/resume", "resume" },
        { HL_POST, "/v1/instances/3fa29c1e/overwrite", "overwrite" },
        { HL_POST, "/v1/instances/3fa29c1e/overwrite?a=b", "overwrite" },
        { HL_POST, "/v1/instances/3fa29c1e/upgrade", "upgrade" },
        { HL_POST, "/v1/instances/sizing", "sizing" },
        { HL_GET, "/v1/instances/sizing", "get" },
        { HL_GET, "/v1/instances/3fa29c1e/snapshots?date=2026-02-26", "snapshot.list" },
        { HL_POST, "/v1/instances/3fa29c1e/snapshots", "snapshot.create" },
        { HL_GET, "/v1/instances/3fa29c1e/snapshots/s-1", "snapshot.get" },
        { HL_POST, "/v1/instances/3fa29c1e/snapshots/s-1/restore", "snapshot.restore" },
        { HL_GET, "/v1/tenants", "tenant.list" },
        { HL_GET, "/v1/tenants/6b1f-x", "tenant.get" },
        { HL_GET, "/v1/tenants/6b1f-x/metrics-integration", "tenant.metrics" },
        { HL_GET, "/v1/customer-managed-keys", "key.list" },
        { HL_POST, "/v1/customer-managed-keys", "key.create" },
        { HL_GET, "/v1/customer-managed-keys/k-1", "key.get" },
        { HL_DELETE, "/v1/customer-managed-keys/k-1", "key.delete" },
        { HL_DELETE, "/v1/instances", "" },
        { HL_POST, "/v1/instances/3fa29c1e", "" },
        { HL_GET, "/v1/instances/3fa29c1e/pause", "" },
        { HL_GET, "/v1/instance", "" },
        { HL_GET, "/v1/instances2", "" },
        { HL_GET, "/v1/instances/", "" },
        { HL_GET, "/v1/instances?tenantId=x/3fa29c1e", "list" },
        { HL_POST, "/v1/instances/3fa29c1e/snapshots/s-1/restore/x", "" },
        { HL_GET, "/v2/instances", "" },
        { HL_GET, "/", "" },
        { HL_GET, "", "" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(CASES); i++) {
        const struct endpoint *e = hl_endpoint_of(CASES[i].method, CASES[i].path);
        CHECK_STR(CASES[i].path, e ? e->name : "", CASES[i].want);
    }
    CHECK_END();
}

static void test_words(void **state)
{
    static const struct {
        const char *name, *list, *want; /* want: the words, each in brackets */
    } CASES[] = {
        { "none", "", "" },
        { "not even a list", NULL, "" },
        { "blanks only", "   ", "" },
        { "one", "name", "[name]" },
        { "several", "name type region", "[name][type][region]" },
        { "blanks around and between", "  a   b  ", "[a][b]" },
        { "with another name", "tenant_id=tenantId date=date",
          "[tenant_id=tenantId][date=date]" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(CASES); i++) {
        char got[128] = "";
        size_t len, at = 0;
        const char *list = CASES[i].list;
        for (const char *w; (w = hl_word(&list, &len)) != NULL;)
            at += (size_t)snprintf(got + at, sizeof got - at, "[%.*s]", (int)len, w);
        CHECK_STR(CASES[i].name, got, CASES[i].want);
        CHECK_EQ(CASES[i].name, hl_word(&list, &len) == NULL, true);
    }
    CHECK_END();
}

static void test_fields(void **state)
{
    static const struct {
        const char *name;
        int type; /* enum field_type, or -1 for none */
    } CASES[] = {
        { "name", FIELD_NAME },
        { "memory", FIELD_SIZE },
        { "tenant_id", FIELD_ID },
        { "vector_optimized", FIELD_BOOLEAN },
        { "secondaries_count", FIELD_INTEGER },
        { "algorithm_categories", FIELD_TEXTS },
        { "date", FIELD_DATE },
        { "cdc_enrichment_mode", FIELD_TEXT },
        { "memor", -1 },
        { "memory ", -1 },
        { "Memory", -1 },
        { "", -1 },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(CASES); i++) {
        const struct field *f = hl_field(CASES[i].name, strlen(CASES[i].name));
        CHECK_EQ(CASES[i].name, f ? (int)f->type : -1, CASES[i].type);
    }
    const struct field *f = hl_field("secondaries_count=5", strlen("secondaries_count"));
    assert_non_null(f); /* the length counts, not a NUL */
    CHECK_EQ("from", f->min, 0);
    CHECK_EQ("to", f->max, 15);
    CHECK_END();
}

/* Every word of the list names a field; returns how many there are. */
static int known_fields(const struct endpoint *e, const char *list)
{
    int count = 0;
    size_t len;
    for (const char *w; (w = hl_word(&list, &len)) != NULL; count++) {
        const char *sign = memchr(w, '=', len);
        const struct field *f = hl_field(w, sign ? (size_t)(sign - w) : len);
        CHECK_EQ(e->name, f != NULL, true);
        if (f)
            CHECK_EQ(f->name, f->type == FIELD_INTEGER ? f->min < f->max : f->max == 0,
                     true);
    }
    return count;
}

static int ids_in(const char *path)
{
    int ids = 0;
    for (const char *at = path; (at = strstr(at, "{}")) != NULL; at += 2)
        ids++;
    return ids;
}

/* What holds of every row: a row that is added later is checked as well. */
static void test_the_table_is_consistent(void **state)
{
    int rows = 0;
    (void)state;
    for (const struct endpoint *e = hl_endpoints; e->name; e++, rows++) {
        bool writes = e->method == HL_POST || e->method == HL_PATCH;
        CHECK_EQ(e->name, strncmp(e->path, "/v1/", 4), 0);
        CHECK_EQ(e->name, ids_in(e->path) <= 2, true);
        if (e->method == HL_GET)
            CHECK_EQ(e->name, e->effect, HALO_READ);
        if (e->method == HL_DELETE)
            CHECK_EQ(e->name, e->effect, HALO_DESTROY);
        CHECK_EQ(e->name, e->effect >= HALO_READ && e->effect <= HALO_DESTROY, true);
        CHECK_EQ(e->name, e->required && !writes, false); /* a body */
        CHECK_EQ(e->name, e->optional && !e->required,
                 false); /* is looked for by `required` */
        CHECK_EQ(e->name, e->query && e->method != HL_GET, false);
        CHECK_EQ(e->name, e->answer_matters && e->method != HL_POST, false);
        known_fields(e, e->required);
        known_fields(e, e->optional);
        CHECK_EQ(e->name, known_fields(e, e->query) > 0, e->query != NULL);
        if (e->transient) {
            const struct hl_status *s = hl_status_find(e->transient);
            CHECK_EQ(e->name, s && !s->settled && s->leads, true);
            CHECK_EQ(e->name, e->effect > HALO_READ, true);
        }
        for (const struct endpoint *other = hl_endpoints; other != e; other++) {
            CHECK_EQ(e->name, strcmp(e->name, other->name) != 0, true);
            CHECK_EQ(e->name,
                     e->method != other->method || strcmp(e->path, other->path) != 0,
                     true);
        }
    }
    CHECK_EQ("all of API v1 but the sessions", rows, 21);
    CHECK_END();
}

/* Each row is found by its own path, with ids in it: none stands in another's way. */
static void test_every_row_is_found(void **state)
{
    (void)state;
    for (const struct endpoint *e = hl_endpoints; e->name; e++) {
        char path[128];
        size_t at = 0;
        for (const char *p = e->path; *p && at + 9 < sizeof path; p++) {
            if (p[0] == '{')
                at += (size_t)snprintf(path + at, sizeof path - at, "3fa29c1e");
            else if (*p != '}')
                path[at++] = *p;
        }
        path[at] = '\0';
        CHECK_EQ(path, hl_endpoint_of(e->method, path) == e, true);
    }
    CHECK_END();
}

/* The one destroying call that is not a DELETE, and those that only look though they
 * POST. */
static void test_effects(void **state)
{
    static const struct {
        const char *name;
        int effect;
    } CASES[] = {
        { "sizing", HALO_READ },
        { "create", HALO_CHANGE },
        { "patch", HALO_CHANGE },
        { "pause", HALO_CHANGE },
        { "resume", HALO_CHANGE },
        { "upgrade", HALO_CHANGE },
        { "snapshot.create", HALO_CHANGE },
        { "key.create", HALO_CHANGE },
        { "overwrite", HALO_DESTROY },
        { "snapshot.restore", HALO_DESTROY },
        { "delete", HALO_DESTROY },
        { "key.delete", HALO_DESTROY },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(CASES); i++) {
        int effect = -1;
        for (const struct endpoint *e = hl_endpoints; e->name; e++)
            if (strcmp(e->name, CASES[i].name) == 0)
                effect = e->effect;
        CHECK_EQ(CASES[i].name, effect, CASES[i].effect);
    }
    CHECK_END();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_endpoint_of),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_the_table_is_consistent),
        cmocka_unit_test(test_every_row_is_found),
        cmocka_unit_test(test_effects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
