local aura = require "aura"
local clock = require "clock"
local creation = require "creation"
local fail = require "fail"
local fs = require "fs"
local json = require "json"
local progress = require "progress"
local ui = require "ui"
local workdir = require "workdir"

local FIELDS = { "name", "type", "cloud_provider", "region", "memory", "storage", "version", "tenant_id",
    "vector_optimized", "graph_analytics_plugin", "customer_managed_key_id", "source_instance_id",
    "source_snapshot_id" }
local REQUIRED = { "name", "type", "cloud_provider", "region", "memory", "tenant_id" }

---The request: what --from says, overridden by the options that were given.
local function payload_of(args, origin)
    local payload = {}
    if args.from then
        local saved = json.read(fs.read(args.from))
        if type(saved) ~= "table" then
            fail("usage", ("create: %s holds no JSON object"):format(args.from))
        end
        for _, field in ipairs(FIELDS) do
            payload[field] = saved[field]
        end
    end
    for _, field in ipairs(FIELDS) do
        if origin[field] == "option" then
            payload[field] = args[field]
        end
    end
    for _, field in ipairs(REQUIRED) do
        if payload[field] == nil then
            fail("usage", ("create: --%s is missing"):format((field:gsub("_", "-"))))
        end
    end
    return payload
end

---The place of the answer to the request of a migration: there it finds the answer when it is continued.
local function beside(from)
    local dir = from and from:match("^(.*/)create%-payload%.json$")
    if dir and fs.stat(dir .. "journal.jsonl") and not fs.stat(dir .. "create-response.json") then
        return dir .. "create-response.json"
    end
    return nil
end

---@type halo.Script
return {
    summary = "Create an instance, save its password in a file, and wait until it runs.",
    effect  = "change",
    args    = {
        { "from",                    "file",    "JSON file with the fields below, as migrate writes it",
            optional = true },
        { "name",                    "string",  "name, 1 to 30 characters", optional = true },
        { "type",                    "string",  "professional-db, business-critical, enterprise-db, free-db, ...",
            optional = true },
        { "cloud_provider",          "string",  "aws, azure or gcp", optional = true },
        { "region",                  "string",  "region of the cloud", optional = true },
        { "memory",                  "size",    "memory", optional = true },
        { "storage",                 "size",    "storage", optional = true },
        { "version",                 "string",  "Neo4j version", optional = true },
        { "tenant_id",               "id",      "project (tenant) it belongs to", optional = true },
        { "vector_optimized",        "boolean", "optimise for vectors" },
        { "graph_analytics_plugin",  "boolean", "with the graph analytics plugin" },
        { "customer_managed_key_id", "string",  "encryption key of your own", optional = true },
        { "source_instance_id",      "id",      "instance to clone", optional = true },
        { "source_snapshot_id",      "string",  "snapshot of it to clone", optional = true },
        { "save",                    "string",  "file for the API's answer, which holds the password; "
            .. "default ./create-response-TIME.json", optional = true },
        { "duplicate",               "boolean", "create it also when the project has one of this name" },
        { "timeout",                 "seconds",  "how long to wait until it runs", default = 1800 },
    },
    details = [[
The API tells the password once. It is written to a file with mode 0600 and shown nowhere.
Asked for twice, the second time is refused: the project has an instance of that name.]],
    examples = {
        "halo create --name orders --type enterprise-db --cloud-provider aws --region us-east-1 \\",
        "      --memory 8GB --storage 16GB --version 5 --tenant-id 6b1f0c52-8d0a-4c7e-9a53-0f7c1d2e3b44",
        "halo create --from ./aura-migration-20260226-150713/create-payload.json",
    },
    run = function(args, origin)
        local payload = payload_of(args, origin)
        local path = args.save or beside(args.from)
            or workdir.free_name("./create-response-" .. clock.stamp(), ".json")
        local info = fs.stat(path)
        if info and not (info.type == "file" and info.size == 0) then      -- empty: cut off before the answer
            local old = info.type == "file" and creation.answer(path) or nil
            fail("usage", path .. " exists: not overwritten (choose with --save)", old and { hint =
                ("it holds the answer for instance %s: `halo wait %s running` if that one is meant"):format(
                    old.id, old.id) })
        end
        local known = {}
        for i, other in ipairs(aura.list { tenant_id = payload.tenant_id }) do
            known[i] = other.id
            if other.name == payload.name and not args.duplicate then
                fail("conflict", ("the project has an instance named %s already: %s"):format(other.name, other.id),
                    { op = "create", hint = "nothing was created; --duplicate creates another one. If this command, "
                        .. "cut off, has created it and its password is in no file: delete it and start again" })
            end
        end
        ui.say("create " .. json.encode(payload))
        if progress.dry("create it") then
            return nil
        end
        fs.write(path, "")                   -- no instance without a place for its password
        local ok, inst, saved = pcall(creation.surely, payload, path, known)
        if not ok then
            info = fs.stat(path)
            if info and info.size == 0 then
                fs.remove(path)
            end
            error(inst, 0)
        end
        ui.say(("%s created; password saved in %s (mode 0600)"):format(inst.id, saved))
        local running = progress.wait(inst.id, "running", { timeout = args.timeout })
        running.password_file = saved
        return running
    end,
}
