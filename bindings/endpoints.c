#include "endpoints.h"

#include <limits.h>
#include <string.h>

#include <halo.h>

#define INSTANCE "/v1/instances/{}"
#define SIZING "node_count relationship_count instance_type"
#define KEY "key_id name cloud_provider instance_type region tenant_id"
#define CREATE_OPTIONS                                                                 \
    "version storage customer_managed_key_id vector_optimized graph_analytics_plugin " \
    "source_instance_id source_snapshot_id"
#define PATCH_OPTIONS                                                                \
    "name memory storage vector_optimized graph_analytics_plugin secondaries_count " \
    "cdc_enrichment_mode"

/* clang-format off */
const struct endpoint hl_endpoints[] = {
    { "list",   HL_GET,    "/v1/instances", HALO_READ, .query = "tenant_id=tenantId" },
    { "get",    HL_GET,    INSTANCE,        HALO_READ, .transient = NULL },
    { "create", HL_POST,   "/v1/instances", HALO_CHANGE, .transient = "creating",
      .required = "name type region cloud_provider memory tenant_id", .optional = CREATE_OPTIONS,
      .answer_matters = true },
    { "patch",  HL_PATCH,  INSTANCE,        HALO_CHANGE, .transient = "updating", .required = "", .optional = PATCH_OPTIONS },
    { "delete", HL_DELETE, INSTANCE,        HALO_DESTROY, .transient = "destroying" },
    { "pause",  HL_POST,   INSTANCE "/pause",  HALO_CHANGE, .transient = "pausing" },
    { "resume", HL_POST,   INSTANCE "/resume", HALO_CHANGE, .transient = "resuming" },
    { "overwrite", HL_POST, INSTANCE "/overwrite", HALO_DESTROY, .transient = "overwriting",
      .required = "source_instance_id", .optional = "source_snapshot_id", .refuses_with_500 = true },
    { "upgrade", HL_POST,  INSTANCE "/upgrade", HALO_CHANGE, .transient = "updating", .required = "", .optional = "memory storage" },
    { "sizing", HL_POST,   "/v1/instances/sizing", HALO_READ, .required = SIZING, .optional = "algorithm_categories" },

    { "snapshot.list",    HL_GET,  INSTANCE "/snapshots", HALO_READ, .query = "date=date" },
    { "snapshot.get",     HL_GET,  INSTANCE "/snapshots/{}", HALO_READ, .transient = NULL },
    { "snapshot.create",  HL_POST, INSTANCE "/snapshots", HALO_CHANGE, .answer_matters = true },
    { "snapshot.restore", HL_POST, INSTANCE "/snapshots/{}/restore", HALO_DESTROY, .transient = "restoring" },

    { "tenant.list",    HL_GET, "/v1/tenants", HALO_READ, .transient = NULL },
    { "tenant.get",     HL_GET, "/v1/tenants/{}", HALO_READ, .transient = NULL },
    { "tenant.metrics", HL_GET, "/v1/tenants/{}/metrics-integration", HALO_READ, .transient = NULL },

    { "key.list",   HL_GET,    "/v1/customer-managed-keys", HALO_READ, .query = "tenant_id=tenantId" },
    { "key.get",    HL_GET,    "/v1/customer-managed-keys/{}", HALO_READ, .transient = NULL },
    { "key.create", HL_POST,   "/v1/customer-managed-keys", HALO_CHANGE, .required = KEY, .answer_matters = true },
    { "key.delete", HL_DELETE, "/v1/customer-managed-keys/{}", HALO_DESTROY, .transient = NULL },
    { 0 }
};

static const struct field FIELDS[] = {
    { "name", FIELD_NAME, 0, 0 },
    { "type", FIELD_TEXT, 0, 0 },
    { "region", FIELD_TEXT, 0, 0 },
    { "cloud_provider", FIELD_TEXT, 0, 0 },
    { "memory", FIELD_SIZE, 0, 0 },
    { "storage", FIELD_SIZE, 0, 0 },
    { "tenant_id", FIELD_ID, 0, 0 },
    { "version", FIELD_TEXT, 0, 0 },
    { "customer_managed_key_id", FIELD_ID, 0, 0 },
    { "vector_optimized", FIELD_BOOLEAN, 0, 0 },
    { "graph_analytics_plugin", FIELD_BOOLEAN, 0, 0 },
    { "source_instance_id", FIELD_ID, 0, 0 },
    { "source_snapshot_id", FIELD_ID, 0, 0 },
    { "secondaries_count", FIELD_INTEGER, 0, 15 },
    { "cdc_enrichment_mode", FIELD_TEXT, 0, 0 },
    { "node_count", FIELD_INTEGER, 0, INT_MAX },
    { "relationship_count", FIELD_INTEGER, 0, INT_MAX },
    { "instance_type", FIELD_TEXT, 0, 0 },
    { "algorithm_categories", FIELD_TEXTS, 0, 0 },
    { "key_id", FIELD_TEXT, 0, 0 },
    { "date", FIELD_DATE, 0, 0 },
};
/* clang-format on */

const struct field *hl_field(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof FIELDS / sizeof *FIELDS; i++)
        if (strlen(FIELDS[i].name) == len && memcmp(FIELDS[i].name, name, len) == 0)
            return &FIELDS[i];
    return NULL;
}

static bool matches(const char *pattern, const char *path)
{
    while (*pattern && *path && *path != '?') {
        if (pattern[0] == '{') {
            pattern += 2;
            path += strcspn(path, "/?");
        } else if (*pattern++ != *path++) {
            return false;
        }
    }
    return !*pattern && (!*path || *path == '?');
}

const struct endpoint *hl_endpoint_of(enum hl_method method, const char *path)
{
    for (const struct endpoint *e = hl_endpoints; e->name; e++)
        if (e->method == method && matches(e->path, path))
            return e;
    return NULL;
}

const char *hl_word(const char **list, size_t *len)
{
    const char *at = *list ? *list + strspn(*list, " ") : "";
    *len = strcspn(at, " ");
    *list = at + *len;
    return *len ? at : NULL;
}
