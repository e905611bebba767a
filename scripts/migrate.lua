-- The migration of the Aura API runbook, steps 0 to 7: capture an instance, keep its dump, delete it
-- and create it again. Nothing is deleted before the recreation has been shown to be possible.
local audit = require "audit"
local aura = require "aura"
local clock = require "clock"
local creation = require "creation"
local dump = require "dump"
local fail = require "fail"
local fs = require "fs"
local halo = require "halo"
local instance = require "instance"
local json = require "json"
local migration = require "migration"
local process = require "process"
local progress = require "progress"
local report = require "report"
local ui = require "ui"
local workdir = require "workdir"

---What can be told wrong before the first request. m is this migration: what it knows and how far it is.
local function open(args, origin)
    local dir = args.work_dir and args.work_dir:gsub("(.)/+$", "%1")
        or workdir.free_name("./aura-migration-" .. clock.stamp(), "")
    local m = { id = args.instance, dir = dir, timeout = args.timeout, s3 = args.s3, phase = "checking",
        dry = halo.options().dry_run, summary = dir .. "/migration-summary.txt", asked = { type = args.target_type } }
    for _, field in ipairs { "name", "region", "cloud_provider", "memory", "storage", "version" } do
        m.asked[field] = args[field]
    end
    if args.no_dump and (origin.dump == "option" or args.s3) then
        fail("usage", "migrate: --no-dump leaves nothing for --dump or --s3")
    elseif not args.no_dump and not args.dump then
        fail("usage", "migrate: give the exported snapshot with --dump FILE, or say --no-dump")
    elseif m.s3 and not m.s3:match("^s3://[^/%s]+") then
        fail("usage", ("migrate: --s3 %s: expected s3://BUCKET or s3://BUCKET/PREFIX"):format(m.s3))
    end
    workdir.check_free(dir)
    if not args.no_dump then
        local extension, bytes = dump.check(args.dump)
        local name = m.id .. "." .. extension
        m.dump = { given = args.dump, extension = extension, size = bytes, name = name, path = dir .. "/" .. name }
        dump.check_place(args.dump, m.dump.path)
    end
    return m
end

local function step_0_prepare(m)
    local step = progress.step(0, "Prepare", "a work directory for everything this migration writes")
    if not m.dry then
        workdir.prepare(m.dir)
    end
    step:done(m.dry and "dry run: nothing is written" or m.dir .. " is writable and synced")
end

local function step_1_authenticate(m)
    local step = progress.step(1, "Authenticate", "get a token and see what it can see")
    m.before = aura.list()
    step:done(("credentials accepted, %d instances visible"):format(#m.before))
end

local function step_2_capture(m)
    local step = progress.step(2, "Capture", ("save the configuration of %s, check that it can be created again")
        :format(m.id))
    local config, response = aura.get(m.id)
    m.config = config
    if tostring(config.id) ~= m.id then
        fail("api", ("asked for %s, the API answered with %s"):format(m.id, report.clean(config.id)))
    elseif not m.dry then
        fs.write(m.dir .. "/instance-config.json", json.pretty(response.body) .. "\n")
    end
    step:found(report.fields { { "Name", config.name }, { "Type/Tier", config.type }, { "Region", config.region },
        { "Cloud", config.cloud_provider }, { "Memory", config.memory }, { "Storage", config.storage },
        { "Status", config.status }, { "Project ID", migration.project(config) } })
    local status = instance.status(config)
    if status ~= "running" and status ~= "paused" then
        fail("conflict", ("%s is %s, not running or paused"):format(m.id, report.clean(config.status)),
            { op = "migrate", hint = ("nothing was changed; `halo wait %s running` first"):format(m.id) })
    end
    local plan, problem = migration.plan(config, m.asked, function(tenant)
        return aura.tenant.get(tenant).instance_configurations
    end, m.dump and m.dump.extension)
    local key = plan and plan.payload.customer_managed_key_id
    if key and tostring(aura.key.get(key).status):lower() ~= "ready" then
        plan, problem = nil, ("its encryption key %s is not ready"):format(key)
    end
    if not plan then
        fail("usage", ("%s could not be created again: %s"):format(m.id, problem), { op = "migrate",
            hint = "nothing was changed" .. (m.asked.type and "; VDC needs an active contract on the project" or "") })
    end
    local p = plan.payload
    m.payload, m.later, m.lost, m.lost_fields, m.asked.type = p, plan.later, plan.lost, plan.lost_fields, p.type
    step:found(("On offer:    %s on %s in %s, memory %s, storage %s, version %s (%s)"):format(p.type,
        p.cloud_provider, p.region, p.memory, p.storage or "-", p.version or "-", plan.why))
    step:done("everything needed to create it again is there" .. (status == "paused" and "; it is paused" or ""))
end

local function step_3_dump(m)
    local step = progress.step(3, "Dump", m.dump and ("check %s, move it in as %s"):format(m.dump.given, m.dump.name)
        or "none, as --no-dump was given")
    if not m.dump then
        return step:done("NO DUMP: the data will be gone")
    elseif m.dry then
        return step:done(("a .%s of %s, left where it is"):format(m.dump.extension, report.bytes(m.dump.size)))
    end
    dump.keep(m.dump.given, m.dump.path)
    m.dump.moved = true
    m.dump.size, m.dump.sha256 = dump.measure(m.dump.path)
    step:found(("%s, %s\nSHA-256 %s"):format(m.dump.path, report.bytes(m.dump.size), m.dump.sha256))
    if m.s3 then
        local url = dump.s3_key(m.s3, m.id, clock.stamp(), m.dump.name)
        dump.copy_to_s3(m.dump.path, url)
        m.dump.s3 = url
        step:found("copied to " .. url)
    end
    step:done("present, not empty, not an error page")
end

local function step_4_audit(m)
    local step = progress.step(4, "Audit", "record what is about to be deleted, look once more")
    local _, changed = migration.compare(m.config, (aura.get(m.id)), {}, {})
    if #changed > 0 then
        fail("conflict", ("%s has changed since it was captured: %s"):format(m.id, table.concat(changed, ", ")),
            { op = "migrate" })
    end
    if not m.dry then
        fs.write(m.dir .. "/create-payload.json", json.encode(m.payload, { pretty = true }) .. "\n")
        fs.write(m.summary, audit.before_deletion(m, clock.utc(), process.user()) .. audit.plan(m))
        fs.sync(m.dir)
    end
    step:found("Will create: " .. json.encode(m.payload))
    for _, field in ipairs(report.keys(m.later)) do
        step:found(("Will set:    %s = %s, once it runs"):format(field, report.clean(m.later[field])))
    end
    for _, text in ipairs(m.lost) do
        step:found("Not kept:    " .. report.clean(text))
    end
    step:done(m.dry and "dry run ends here: nothing was written, moved or deleted" or "recorded in " .. m.summary)
end

local function step_5_delete(m)
    local step = progress.step(5, "Delete", ("delete %s and wait until it is gone"):format(m.id))
    instance.confirm_delete(m.config)
    m.phase = "deleting"
    local body, status = instance.send_delete(m.id)
    m.phase = "leaving"
    workdir.record(fs.write, m.dir .. "/delete-response.json", body)
    step:found(status and status < 300 and ("deletion accepted (HTTP %d)"):format(status) or "gone, or going")
    progress.wait(m.id, "deleted", { timeout = m.timeout, step = true })
    m.phase = "deleted"
    step:done(m.id .. " is deleted")
end

local function step_6_create(m)
    -- The runbook fetches a fresh token here; the host renews its own a minute before it ends.
    local step = progress.step(6, "Create", ("create %s again and wait until it runs"):format(m.payload.name))
    m.phase, m.create_began = "creating", clock.utc()
    local running = creation.running(m.payload, m.dir .. "/create-response.json", m.before, m.timeout,
        function(id, saved)
            m.new_id, m.saved, m.phase = id, saved, "created"
            step:found(("new instance %s; password saved in %s (mode 0600)"):format(id, saved))
            workdir.record(fs.append, m.summary, audit.new_instance(id, clock.utc(), saved))
        end)
    for _, field in ipairs(report.keys(m.later)) do
        if running[field] ~= m.later[field] then
            local ok, problem = pcall(aura.patch, m.new_id, { [field] = m.later[field] })
            if ok then
                running = progress.wait(m.new_id, "running", { timeout = m.timeout, step = true })
            elseif type(problem) == "table" and problem.kind == "cancelled" then
                error(problem, 0)
            else                             -- the instance runs: step 7 shows what is missing
                ui.warn(("%s could not be set: %s"):format(field, report.clean(tostring(problem))))
            end
        end
    end
    step:done(m.new_id .. " is running")
end

local function step_7_verify(m)
    local step = progress.step(7, "Verify", "compare every captured field with the new instance's")
    local new, response = aura.get(m.new_id)
    workdir.record(fs.write, m.dir .. "/new-instance-config.json", json.pretty(response.body) .. "\n")
    local rows, mismatches = migration.compare(m.config, new, m.asked, m.lost_fields)
    local text = report.columns({ "FIELD", "CAPTURED", "NEW", "" }, rows)
    local verdict = ("%d fields compared, %s"):format(#rows, #mismatches == 0 and "no mismatch"
        or "MISMATCH in " .. table.concat(mismatches, ", "))
    for _, row in ipairs(rows) do            -- on the screen without the middle of long URLs
        for column = 2, row[4] == "MISMATCH" and 1 or 3 do
            row[column] = report.shorten(row[column], 40)
        end
    end
    step:found(report.columns({ "FIELD", "CAPTURED", "NEW", "" }, rows))
    workdir.record(fs.append, m.summary, ("\nVerification\n------------\n%s\n\n%s: %s\n"):format(text,
        clock.utc(), verdict))
    step:done(verdict)
    return { source = m.id, instance = m.new_id, name = new.name, connection_url = new.connection_url,
        work_dir = m.dir, password_file = m.saved, dump = m.dump and m.dump.path, mismatches = json.array(mismatches) }
end

---@type halo.Script
return {
    summary = "Move an instance: capture it, keep its dump, delete it, create it again, verify it.",
    effect  = "destroy",
    args    = {
        { "instance",       "id",      "id of the instance to migrate", env = "INSTANCE_ID" },
        { "dump",           "file",    "exported snapshot, .dump or .backup; moved into the work directory",
            env = "DUMP_FILE", optional = true },
        { "no_dump",        "boolean", "go on without a dump: the data is lost" },
        { "s3",             "string",  "copy the dump to s3://BUCKET[/PREFIX] with the aws command", optional = true },
        { "work_dir",       "string",  "directory for everything it writes; default ./aura-migration-TIME",
            env = "WORK_DIR", optional = true },
        { "target_type",    "string",  "type of the new instance, such as enterprise-db (vdc)", optional = true },
        { "name",           "string",  "name of the new instance", optional = true },
        { "cloud_provider", "string",  "cloud of the new instance", optional = true },
        { "region",         "string",  "region of the new instance", optional = true },
        { "memory",         "size",    "memory of the new instance", optional = true },
        { "storage",        "size",    "storage of the new instance", optional = true },
        { "version",        "string",  "Neo4j version of the new instance; chosen when left out", optional = true },
        { "timeout",        "seconds", "how long to wait for the deletion and for the creation, each",
            default = 7200 },
    },
    details = [[
Before anything is deleted: the request to create the instance is built and found among what the
project offers, the dump is in place, and a YES is typed. What stays the same is what was captured;
options change it. --dry-run reads, shows what would be created, and writes nothing.]],
    examples = {
        "halo migrate 3fa29c1e --dump ~/Downloads/orders.backup --target-type enterprise-db",
        "halo --dry-run migrate 3fa29c1e --no-dump --memory 16GB --storage 32GB",
    },
    run = function(args, origin)
        local m = open(args, origin)
        step_0_prepare(m)
        step_1_authenticate(m)
        step_2_capture(m)
        local result
        local ok, err = pcall(function()
            step_3_dump(m)
            step_4_audit(m)
            if not m.dry then
                step_5_delete(m)
                step_6_create(m)
                result = step_7_verify(m)
            end
        end)
        if not ok then
            error(audit.explain(m, err), 0)
        elseif m.dry then
            return { dry_run = true, source = m.id, payload = m.payload }
        elseif #result.mismatches > 0 then
            ui.say(audit.next_steps(result))
            fail("mismatch", ("the new instance %s differs in %s"):format(m.new_id,
                table.concat(result.mismatches, ", ")), { op = "migrate", hint = "see " .. m.summary })
        end
        return result
    end,
    show = function(result)
        return result.dry_run and json.encode(result.payload, { pretty = true }) or audit.next_steps(result)
    end,
}
