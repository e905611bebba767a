local aura = require "aura"
local clock = require "clock"
local creation = require "creation"
local fail = require "fail"
local fs = require "fs"
local json = require "json"
local progress = require "progress"
local run = require "run"
local ui = require "ui"
local workdir = require "workdir"

local FIELDS = { "name", "type", "cloud_provider", "region", "memory", "storage", "version", "tenant_id",
    "vector_optimized", "graph_analytics_plugin", "customer_managed_key_id", "source_instance_id",
    "source_snapshot_id" }
local STEM = "./aura-create-"                -- of work directories
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
    if not dir or not fs.stat(dir .. "journal.jsonl") or fs.stat(dir .. "create-response.json") then
        return nil
    elseif run.busy(dir) then
        fail("io", dir .. " is being used by another halo, which creates the instance itself", { op = "create",
            hint = "wait until that one has ended; nothing was changed" })
    end
    return dir .. "create-response.json"
end

---Where the answer goes. Decided once in a run, as the file may be there when it is continued.
local function place(job, from)
    return job:step("place", function()
        local path = beside(from) or job.dir .. "/create-response.json"
        if fs.stat(path) then
            local old = creation.answer(path)
            fail("usage", path .. " exists: not overwritten (choose another --work-dir)", { op = "create", hint = old
                and ("it holds the answer for instance %s: `halo wait %s running` if that one is meant"):format(
                    old.id, old.id) })
        end
        return path
    end)
end

---The ids of all instances of the project, none of which may have the name unless that is wanted.
local function others(payload, duplicate)
    local known = {}
    for i, other in ipairs(aura.list { tenant_id = payload.tenant_id }) do
        known[i] = other.id
        if other.name == payload.name and not duplicate then
            fail("conflict", ("the project has an instance named %s already: %s"):format(other.name, other.id),
                { op = "create", hint = "nothing was created; --duplicate creates another one. A creation that was cut "
                    .. "off goes on where its ./aura-create-* is" })
        end
    end
    return json.array(known)
end

---Removes what a run leaves that has created nothing.
local function discard(job, default)
    fs.remove(job.dir .. "/journal.jsonl")
    if default then
        fs.remove(job.dir)
    end
end

---Creates it, or goes on with that. Nil in a dry run.
local function create(job, payload, args)
    local path, known = place(job, args.from), nil
    if not job:begun "create" then
        known = others(payload, args.duplicate)
    end
    if progress.dry(job.continued and "go on with " .. job.dir or "create " .. payload.name, "change", payload) then
        return nil
    end
    if not job:done "create" then
        ui.say("create " .. json.encode(payload))
    end
    local made = creation.step(job, "create", { payload = payload, path = path, timeout = args.timeout, known = known,
        ask = true })
    local saved = made.saved or path
    ui.say(("%s created; password saved in %s (mode 0600)"):format(made.id, saved))
    local broken = creation.running_step(job, "running", made.id, { timeout = args.timeout }).broken
    local inst = broken and { id = made.id, broken = broken } or aura.get(made.id)
    inst.password_file = saved
    return job:finish(inst)
end

---@type halo.Script
return {
    summary = "Create an instance, save its password in a file, and wait until it runs.",
    effect  = "destroy",
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
        { "work_dir",                "string",  "directory for its journal and the API's answer, which holds the "
            .. "password; default ./aura-create-TIME", optional = true },
        { "duplicate",               "boolean", "create it also when the project has one of this name" },
        { "timeout",                 "seconds",  "how long to wait until it runs", default = 1800 },
    },
    details = [[
The API tells the password once. It is written to create-response.json in the work directory, mode 0600,
and shown nowhere; with the --from of a migration it is written beside that file, where the migration finds it.

Cut off at any moment, the same command goes on where it was: without --work-dir, an unfinished run of it in
./aura-create-* is continued. An instance whose creation was never answered has a password that nobody knows: it is
empty, so it is deleted, after a YES, and created again. Nothing else is ever deleted.
Asked for again once it has ended, it is refused: the project has an instance of that name.]],
    examples = {
        "halo create --name orders --type enterprise-db --cloud-provider aws --region us-east-1 \\",
        "      --memory 8GB --storage 16GB --version 5 --tenant-id 6b1f0c52-8d0a-4c7e-9a53-0f7c1d2e3b44",
        "halo create --from ./aura-migration-20260226-150713/create-payload.json",
    },
    run = function(args, origin)
        local payload = payload_of(args, origin)
        local input = { payload = payload, from = args.from, duplicate = args.duplicate }
        local dir = args.work_dir and args.work_dir:gsub("(.)/+$", "%1") or run.unfinished(STEM, "create", input)
            or workdir.free_name(STEM .. clock.stamp(), "")
        local job <close> = run.open(dir, { name = "create", input = input, command = false })
        if job.continued then
            ui.say(("%s holds this creation: %s"):format(dir, job.finished and "it is finished, nothing is done"
                or "it was cut off, going on with it"))
        end
        local ok, result = pcall(function() return job.finished and job.result or create(job, payload, args) end)
        if ok and result and result.broken then
            fail("failed", result.broken, { op = "create", hint = ("delete it (halo delete %s) and create another; its "
                .. "password is in %s"):format(result.id, result.password_file) })
        elseif ok then
            return result
        elseif not job.dry and (not job:begun "create" or job:noted("create", "refused")) then
            pcall(discard, job, not args.work_dir)
        elseif not job.dry and type(result) == "table" then
            result.hint = ("%snothing is lost: to continue, run the same command again (journal in %s)"):format(
                result.hint and result.hint .. "\n  " or "", dir)
        end
        error(result, 0)
    end,
}
