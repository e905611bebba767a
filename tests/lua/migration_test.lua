local here = arg[0]:match("^(.*)/") or "."
package.path = here .. "/?.lua;" .. here .. "/../../stdlib/?.lua;" .. (package.path or "")

local lu = require "luaunit"
require "standins"
local audit = require "audit"
local dump = require "dump"
local migration = require "migration"

local function captured(changes)
    local config = { id = "3fa29c1e", name = "orders", status = "running", tenant_id = "t-1", cloud_provider = "aws",
        connection_url = "neo4j+s://3fa29c1e", region = "us-east-1", type = "professional-db", memory = "8GB",
        storage = "16GB", created_at = "2026-01-01T00:00:00Z", vector_optimized = false,
        graph_analytics_plugin = true, secondaries_count = 0, cdc_enrichment_mode = "OFF" }
    for key, value in pairs(changes or {}) do
        config[key] = value ~= "NONE" and value or nil
    end
    return config
end

local OFFERED = {}
for _, kind in ipairs { "professional-db", "enterprise-db" } do
    for _, gb in ipairs { 2, 4, 8, 16 } do
        for _, version in ipairs { "4", "5" } do
            table.insert(OFFERED, { type = kind, cloud_provider = "aws", region = "us-east-1", memory = gb .. "GB",
                storage = 2 * gb .. "GB", version = version })
        end
    end
end
table.insert(OFFERED, { type = "free-db", cloud_provider = "gcp", region = "europe-west1", memory = "1GB",
    version = "5" })

local function plan(config, asked, extension, offered)
    return migration.plan(config, asked or {}, function() return offered or OFFERED end, extension)
end

TestPlan = {}

function TestPlan.test_the_same_again()
    local p = plan(captured(), {}, "backup")
    lu.assertEquals(p.payload, { name = "orders", type = "professional-db", cloud_provider = "aws",
        region = "us-east-1", memory = "8GB", storage = "16GB", tenant_id = "t-1", vector_optimized = false,
        graph_analytics_plugin = true, version = "5" })
    lu.assertEquals(p.later, {})
    lu.assertEquals(#p.lost, 3)
end

function TestPlan.test_sizes_are_read_in_every_spelling()
    lu.assertEquals(plan(captured { memory = "8G", storage = "16Gi" }, {}).payload.storage, "16GB")
end

function TestPlan.test_versions()
    for _, case in ipairs {
        { "5", "dump",   "5", "as asked for" },
        { nil, "dump",   "4", "as the dump ends in .dump" },
        { nil, "backup", "5", "as the dump ends in .backup" },
        { nil, nil,      "5", "the newest offered" },
    } do
        local p = plan(captured(), { version = case[1] }, case[2])
        lu.assertEquals({ p.payload.version, p.why }, { case[3], case[4] })
    end
    local only = { { type = "professional-db", cloud_provider = "aws", region = "us-east-1", memory = "8GB",
        storage = "16GB", version = "5" } }
    lu.assertEquals(plan(captured(), {}, "dump", only).payload.version, "5")
end

function TestPlan.test_spelling_follows_the_offer()
    local p = plan(captured { cloud_provider = "AWS", region = "US-EAST-1" }, { type = "VDC" })
    lu.assertEquals({ p.payload.type, p.payload.cloud_provider, p.payload.region },
        { "enterprise-db", "aws", "us-east-1" })
end

function TestPlan.test_project_id_is_understood()
    lu.assertEquals(plan(captured { tenant_id = "NONE", project_id = "t-2" }).payload.tenant_id, "t-2")
end

function TestPlan.test_what_can_only_be_set_later()
    local p = plan(captured { secondaries_count = 2, cdc_enrichment_mode = "FULL" }, { type = "enterprise-db" })
    lu.assertEquals(p.later, { secondaries_count = 2, cdc_enrichment_mode = "FULL" })
    lu.assertNil(p.payload.secondaries_count)
end

function TestPlan.test_what_cannot_be_carried_over_is_named()
    local p = plan(captured { type = "enterprise-db", secondaries_count = 2, cdc_enrichment_mode = "FULL",
        novelty = "x", customer_managed_key_id = "k-1" }, { type = "professional-db" })
    local text = table.concat(p.lost, "\n")
    for _, part in ipairs { "secondaries_count 2", "cdc_enrichment_mode FULL", "your own key k-1", "novelty = x" } do
        lu.assertStrContains(text, part)
    end
    lu.assertEquals(p.lost_fields, { secondaries_count = true, cdc_enrichment_mode = true,
        customer_managed_key_id = true })
    lu.assertNil(p.payload.customer_managed_key_id)
    lu.assertEquals(plan(captured { type = "enterprise-db", customer_managed_key_id = "k-1" }).payload
        .customer_managed_key_id, "k-1")
end

function TestPlan.test_a_move_to_free()
    local p = plan(captured(), { type = "free", cloud_provider = "gcp", region = "europe-west1", memory = "1GB" })
    lu.assertEquals(p.payload, { name = "orders", type = "free-db", cloud_provider = "gcp", region = "europe-west1",
        memory = "1GB", tenant_id = "t-1", version = "5" })
end

function TestPlan.test_there_is_no_plan()
    for _, case in ipairs {
        { "memory is not in the captured configuration: supply it with --memory", { memory = "NONE" } },
        { "storage is not in the captured configuration",          { storage = "" } },
        { "neither tenant_id nor project_id",                      { tenant_id = "NONE" } },
        { "region is not in the captured",                         { region = "NONE" } },
        { "type is not in the captured",                           { type = "NONE" } },
        { 'memory "lots" is not a size',                           { memory = "lots" } },
        { "supply one with --name",                                { name = ("x"):rep(31) } },
        { "supply one with --name",                                { name = " x" } },
        { "vector_optimized needs 4GB",                            { vector_optimized = true, memory = "2GB" } },
        { "type enterprise-ds is not offered to this project",     {}, { type = "enterprise-ds" } },
        { "Choose with --target-type",                             {}, { type = "enterprise-ds" } },
        { "region us-east-2 is not offered to this project for professional-db aws; offered: us-east-1. Choose with"
            .. " --region",                                        {}, { region = "us-east-2" } },
        { "memory 7GB is not offered to this project for professional-db aws us-east-1; offered: 8GB, 4GB, 2GB, 16GB",
            {}, { memory = "7GB" } },
        { "storage 16GB is not offered to this project for professional-db aws us-east-1 16GB; offered: 32GB. Choose"
            .. " with --storage",                                  {}, { memory = "16GB" } },
        { "version 6 is not offered",                              {}, { version = "6" } },
    } do
        local p, problem = plan(captured(case[2]), case[3])
        lu.assertNil(p, case[1])
        lu.assertStrContains(problem, case[1])
    end
    local p, problem = plan(captured(), {}, nil, {})
    lu.assertNil(p)
    lu.assertStrContains(problem, "names no instance_configurations")
    lu.assertNotNil(plan(captured { memory = "NONE", storage = "NONE", status = "paused" },
        { memory = "8GB", storage = "16GB" }))
end

TestCompare = {}

local function remarks(before, after, asked, lost)
    local rows, mismatches = migration.compare(before, after, asked or {}, lost or {})
    local by_field = {}
    for _, row in ipairs(rows) do
        by_field[row[1]] = row[4]
    end
    return by_field, mismatches
end

function TestCompare.test_equal()
    local of, mismatches = remarks(captured(), captured { id = "new", connection_url = "u", created_at = "later" })
    lu.assertEquals(mismatches, {})
    lu.assertEquals(of.id, "its own, as expected")
    lu.assertEquals(of.memory, "")
end

function TestCompare.test_cases()
    for _, case in ipairs {
        { "memory",  {}, { memory = "16GB" }, nil, "MISMATCH" },
        { "memory",  {}, { memory = "8G" }, nil, "" },
        { "memory",  {}, { memory = "16GB" }, { memory = "16GB" }, "changed, as asked for" },
        { "memory",  {}, { memory = "4GB" }, { memory = "16GB" }, "MISMATCH" },
        { "memory",  { memory = "NONE" }, { memory = "4GB" }, { memory = "16GB" }, "MISMATCH" },
        { "memory",  { memory = "NONE" }, { memory = "16GB" }, { memory = "16GB" }, "as asked for" },
        { "storage", {}, { storage = "NONE" }, nil, "MISMATCH" },
        { "name",    {}, { name = "Orders" }, nil, "MISMATCH" },
        { "status",  { status = "paused" }, {}, nil, "was not running when captured" },
        { "status",  {}, { status = "updating" }, nil, "MISMATCH" },
        { "connection_url", {}, { connection_url = "NONE" }, nil, "MISMATCH" },
        { "vector_optimized", {}, { vector_optimized = "NONE" }, nil, "" },
        { "graph_analytics_plugin", {}, { graph_analytics_plugin = "NONE" }, nil, "MISMATCH" },
        { "novelty", { novelty = { 1 } }, { novelty = { 1 } }, nil, "" },
        { "novelty", { novelty = { 1 } }, { novelty = { 2 } }, nil, "MISMATCH" },
        { "novelty", {}, { novelty = "x" }, nil, "only in the new one" },
        { "tenant_id", {}, { tenant_id = "t-9" }, nil, "MISMATCH" },
        { "tenant_id", {}, { tenant_id = "NONE", project_id = "t-1" }, nil, "" },
    } do
        local of, mismatches = remarks(captured(case[2]), captured(case[3]), case[4])
        local name = case[1] .. " " .. tostring(case[3][case[1]])
        lu.assertEquals(of[case[1]], case[5], name)
        lu.assertEquals(#mismatches, case[5] == "MISMATCH" and 1 or 0, name)
    end
end

function TestCompare.test_announced_losses_are_no_mismatch()
    local of, mismatches = remarks(captured { secondaries_count = 3 }, captured { secondaries_count = "NONE" }, {},
        { secondaries_count = true })
    lu.assertEquals(of.secondaries_count, "not carried over, as announced")
    lu.assertEquals(mismatches, {})
end

function TestCompare.test_long_values_are_shortened_in_the_middle()
    local shorten = require "report".shorten
    lu.assertEquals(shorten("0123456789", 10), "0123456789")
    lu.assertEquals(shorten("0123456789a", 10), "012...789a")
    lu.assertEquals(shorten("äöüäöüäöüäöü", 9), "äöü...äöü")
    lu.assertEquals(shorten(5, 1), 5)
end

TestDump = {}

function TestDump.test_names_and_first_bytes()
    lu.assertEquals(dump.extension("/a.b/x.DUMP"), "dump")
    lu.assertEquals(dump.extension("x.backup"), "backup")
    for _, path in ipairs { "x", "x.zip", "/a.dump/x", "x.dump.part" } do
        lu.assertNil(dump.extension(path), path)
    end
    for _, head in ipairs { "DZV1\0\1\2", "\x1F\x8B\8", "DGV1", "PK\3\4", "\xEF\xBB\xBFDZV1" } do
        lu.assertNil(dump.suspect(head))
    end
    for _, head in ipairs { "<!DOCTYPE html>", "  \n<Error>", '\xEF\xBB\xBF{"errors":[]}', "[1]", "\n\n", "" } do
        lu.assertNotNil(dump.suspect(head), head)
    end
end

function TestDump.test_s3_key()
    lu.assertEquals(dump.s3_key("s3://b/", "3fa29c1e", "20260226-150713", "3fa29c1e.dump"),
        "s3://b/neo4j-backups/3fa29c1e/20260226-150713-3fa29c1e.dump")
end

TestAudit = {}

local function migrated(changes)
    local m = { id = "3fa29c1e", dir = "/w d", phase = "deleted", config = captured(), payload = { name = "orders" },
        lost = { "snapshots" }, create_began = "2026-02-26T15:07:13Z",
        dump = { path = "/w d/3fa29c1e.dump", name = "3fa29c1e.dump", given = "x.dump", size = 7, sha256 = "ab" } }
    for key, value in pairs(changes or {}) do
        m[key] = value
    end
    return m
end

function TestAudit.test_the_summary_has_every_line_of_the_runbook()
    local text = audit.before_deletion(migrated(), "2026-02-26T15:07:13Z", "op")
    for line in ([[
Neo4j Aura Migration: Pre-Deletion Summary
Date:              2026-02-26T15:07:13Z
Operator:          op
Source Instance
Instance ID:       3fa29c1e
Name:              orders
Type/Tier:         professional-db
Cloud Provider:    aws
AWS Region:        us-east-1
Memory (GB):       8GB
Storage (GB):      16GB
Project ID:        t-1
Dump File
Local path:        /w d/3fa29c1e.dump
Source:            Hourly automatic snapshot exported from Aura Console
SHA-256:           ab
Dump verified:     YES
Config saved:      /w d/instance-config.json]]):gmatch("[^\n]+") do
        lu.assertStrContains(text, line)
    end
    local without = migrated()
    without.dump = nil
    lu.assertStrContains(audit.before_deletion(without, "now", "op"), "NO DUMP (--no-dump)")
end

function TestAudit.test_values_from_the_server_cannot_drive_the_terminal()
    local m = migrated()
    m.config.name = "a\27[2Jb\nc"
    lu.assertStrContains(audit.before_deletion(m, "now", "op"), "Name:              a?[2Jb?c\n")
end

function TestAudit.test_how_to_go_on_after_a_failure()
    local command = "halo create --from '/w d/create-payload.json'"
    for _, case in ipairs {
        { "deleting", false, { "was not deleted", "Nothing was created" } },
        { "deleting", true,  { "is not known", "halo get 3fa29c1e", command } },
        { "leaving",  false, { "is being deleted", "halo wait 3fa29c1e deleted", command } },
        { "deleted",  false, { "IS DELETED", "NOTHING IS IN ITS PLACE YET", command, "instance-config.json",
            "3fa29c1e.dump" } },
        { "creating", false, { "NOTHING IS IN ITS PLACE YET", command } },
        { "creating", true,  { "NOT KNOWN", "named orders created after 2026-02-26T15:07:13Z", "halo list", command,
            "only once" } },
        { "created",  true,  { "the new instance is n-1", "/w d/create-response.json", "halo wait n-1 running" } },
    } do
        local m = migrated { phase = case[1] }
        if case[1] == "created" then
            m.new_id, m.saved = "n-1", "/w d/create-response.json"
        end
        local text = audit.stranded(m, case[2], {})
        for _, part in ipairs(case[3]) do
            lu.assertStrContains(text, part)
        end
    end
    lu.assertStrContains(audit.stranded(migrated { phase = "creating" }, true, { { id = "n-2", name = "orders" } }),
        "Instance n-2 (orders, created nil) is new")
end

if arg[-1] then                              -- under plain Lua; inside halo, run.lua does it
    os.exit(lu.LuaUnit.run())
end
