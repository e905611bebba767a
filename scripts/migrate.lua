-- The migration of the Aura API runbook, steps 0 to 7: capture an instance, keep its dump, delete it
-- and create it again. Nothing is deleted before the recreation has been shown to be possible.
local audit = require "audit"
local aura = require "aura"
local beginning = require "beginning"
local change = require "change"
local clock = require "clock"
local creation = require "creation"
local dump = require "dump"
local fail = require "fail"
local fs = require "fs"
local instance = require "instance"
local json = require "json"
local migration = require "migration"
local process = require "process"
local progress = require "progress"
local report = require "report"
local run = require "run"
local secret = require "secret"
local settle = require "settle"
local ui = require "ui"
local workdir = require "workdir"

---Announces a step; one whose last part is done already only says so. effect: shown in a dry run.
local function announce(m, number, name, last, effect, what)
    local at = m.job:done(last)
    if at then
        return progress.recorded(number, name, at)
    end
    return progress.step(number, name, what .. (m.dry and (" [%s]"):format(effect) or ""))
end

local function step_0_prepare(m)
    m.job = run.open(m.dir, { name = "migrate", input = m.input, command = false })
    if m.job.finished then
        return
    end
    local step = progress.step(0, "Prepare", "a work directory for everything this migration writes"
        .. (m.dry and " [read]" or ""))
    if not m.dry then
        workdir.prepare(m.dir)
    end
    step:done(m.dry and "dry run: nothing is written" or m.dir .. " is writable and synced")
    if m.job.continued then
        beginning.ask_to_continue(m)
    end
end

local function step_1_authenticate(m)
    local step = announce(m, 1, "Authenticate", "authenticate", "read", "get a token and see what it can see")
    m.known = m.job:step("authenticate", function() return creation.ids() end)
    step:done(("credentials accepted, %d instances visible"):format(#m.known))
end

---Reads the configuration and finds out what is to be created.
local function capture(m, step)
    local config, response = aura.get(m.id)
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
    step:found(("On offer:    %s on %s in %s, memory %s, storage %s, version %s (%s)"):format(p.type,
        p.cloud_provider, p.region, p.memory, p.storage or "-", p.version or "-", plan.why))
    return { config = config, plan = plan }
end

local function step_2_capture(m)
    local step = announce(m, 2, "Capture", "capture", "read",
        ("save the configuration of %s, check that it can be created again"):format(m.id))
    local captured = m.job:step("capture", function() return capture(m, step) end)
    local plan = captured.plan
    m.config, m.payload, m.later, m.lost, m.lost_fields = captured.config, plan.payload, plan.later, plan.lost,
        plan.lost_fields
    m.asked.type = plan.payload.type
    step:done("everything needed to create it again is there"
        .. (instance.status(m.config) == "paused" and "; it is paused" or ""))
end

local function step_3_dump(m)
    local step = announce(m, 3, "Dump", m.s3 and "s3" or "dump", "read", m.dump
        and ("check %s, move it in as %s"):format(m.dump.given, m.dump.name) or "none, as --no-dump was given")
    if not m.dump then
        return step:done("NO DUMP: the data will be gone")
    elseif m.dry and not m.job:done "dump" then
        return step:done(("a .%s, left where it is"):format(m.dump.extension))
    end
    local kept
    kept, m.dump.recorded = m.job:step("dump", function(_, note)
        local bytes = note("bytes") or note("bytes", m.dump.size)
        dump.keep(m.dump.given, m.dump.path)
        m.dump.moved = true
        local size, sha256 = dump.measure(m.dump.path)
        if size ~= bytes then
            fail("mismatch", ("%s has %d bytes, not the %d of %s"):format(m.dump.path, size, bytes, m.dump.given))
        end
        return { size = size, sha256 = sha256 }
    end)
    m.dump.moved, m.dump.size, m.dump.sha256 = true, kept.size, kept.sha256
    step:found(("%s, %s\nSHA-256 %s"):format(m.dump.path, report.bytes(m.dump.size), m.dump.sha256))
    if m.s3 then
        m.dump.s3 = m.job:step("s3", function(_, note)
            local url = note("url") or note("url", dump.s3_key(m.s3, m.id, clock.stamp(), m.dump.name))
            if not m.dry then
                dump.copy_to_s3(m.dump.path, url)
            end
            return url
        end)
        step:found("copied to " .. tostring(m.dump.s3))
    end
    step:done("present, not empty, not an error page")
end

---Once more before the deletion: the source is what was captured, and the dump what was moved in.
local function look_again(m)
    local _, changed = migration.compare(m.config, (aura.get(m.id)), {}, {})
    if #changed > 0 then
        fail("conflict", ("%s has changed since it was captured: %s"):format(m.id, table.concat(changed, ", ")),
            { op = "migrate" })
    elseif m.dump and m.dump.recorded then
        local size, sha256 = dump.measure(m.dump.path)
        if size ~= m.dump.size or sha256 ~= m.dump.sha256 then
            fail("mismatch", m.dump.path .. " is not what was moved in", { op = "migrate" })
        end
    end
end

local function show_plan(m, step)
    step:found("Will create: " .. json.encode(secret.mask(m.payload)))
    for _, field in ipairs(report.keys(m.later)) do
        step:found(("Will set:    %s = %s, once it runs"):format(field, report.clean(m.later[field])))
    end
    for _, text in ipairs(m.lost) do
        step:found("Not kept:    " .. report.clean(text))
    end
end

local function step_4_audit(m)
    local step = announce(m, 4, "Audit", "audit", "read", "record what is about to be deleted, look once more")
    m.job:step("audit", function()
        look_again(m)
        if not m.dry then
            fs.write(m.dir .. "/create-payload.json", json.encode(m.payload, { pretty = true }) .. "\n")
            fs.write(m.summary, audit.before_deletion(m, clock.utc(), process.user()) .. audit.plan(m))
            fs.sync(m.dir)
        end
        show_plan(m, step)
    end)
    step:done(m.dry and "dry run: nothing is written" or "recorded in " .. m.summary)
end

---What became of a deletion that was cut off, or whose answer was lost.
local function settle_delete(m)
    local seen = settle.delete(m.id)()
    if seen.again then
        ui.say(m.id .. " is there: it was not deleted")
        if not m.yes then
            look_again(m)
            instance.confirm_delete(m.config)
        end
    end
    return seen
end

local function step_5_delete(m)
    local step = announce(m, 5, "Delete", "deleted", "destroy", ("delete %s and wait until it is gone"):format(m.id))
    if m.dry then
        return step:done(m.job:done "delete" and "dry run: would wait" or
            ("dry run: would send DELETE /v1/instances/%s, after a typed YES"):format(m.id))
    elseif not m.job:begun "delete" then
        if m.job.continued then              -- it may have been a while
            look_again(m)
            show_plan(m, step)
        end
        instance.confirm_delete(m.config)
        m.yes = true
        local info = m.dump and fs.stat(m.dump.path)      -- the question may have stood for hours
        if m.dump and not (info and info.size == m.dump.size) then
            fail("mismatch", m.dump.path .. " is no longer what was moved in", { op = "migrate" })
        end
    end
    m.phase = "deleting"
    local sent = m.job:step("delete", { settle = function() return settle_delete(m) end }, function()
        m.deletion = change.send_delete(m.id)
        m.phase = "leaving"
        audit.complete(m)
        return { status = m.deletion.status }
    end)
    m.phase, m.deletion = "leaving", m.deletion or sent
    audit.complete(m)
    step:found(sent.status and sent.status < 300 and ("deletion accepted (HTTP %d)"):format(sent.status)
        or "gone, or going")
    m.job:step("deleted", function() progress.wait(m.id, "deleted", { timeout = m.timeout, step = true }) end)
    m.phase = "deleted"
    step:done(m.id .. " is deleted")
end

---Creates the new instance and waits until it runs. broken: the id of one that does not.
local function create(m, step, suffix, broken)
    local path = m.dir .. "/create-response.json"
    m.phase, m.create_began = "creating", clock.utc()
    local made = creation.step(m.job, "create" .. suffix, { payload = m.payload, path = path, timeout = m.timeout,
        broken = broken })
    m.new_id, m.saved, m.phase = made.id, made.saved or path, "created"
    step:found(("new instance %s; password saved in %s (mode 0600)"):format(m.new_id, m.saved))
    m.created_at = m.job:done("create" .. suffix)
    audit.complete(m)
    return creation.running_step(m.job, "running" .. suffix, m.new_id, { timeout = m.timeout, step = true })
end

---Sets what a creation cannot set.
local function set(m, field)
    local want = m.later[field]
    local fields = { [field] = want }
    m.job:step("set " .. field, { settle = settle.patch(m.new_id, fields, { timeout = m.timeout }) }, function()
        local ok, problem = pcall(aura.patch, m.new_id, fields)
        if ok then
            progress.wait(m.new_id, "running", { timeout = m.timeout, step = true })
        elseif type(problem) == "table" and (problem.kind == "cancelled" or problem.kind == "ambiguous") then
            error(problem, 0)
        else                                 -- the instance runs: step 7 shows what is missing
            ui.warn(("%s could not be set: %s"):format(field, report.clean(tostring(problem))))
        end
        return ok
    end)
end

local function step_6_create(m)
    -- The runbook fetches a fresh token here; the host renews its own a minute before it ends.
    local step = announce(m, 6, "Create", "verify", "change", ("create %s again and wait until it runs"):format(
        m.payload.name))
    if m.dry then
        for _, field in ipairs(report.keys(m.later)) do
            step:found(("dry run: would send PATCH %s"):format(json.encode { [field] = m.later[field] }))
        end
        return step:done("dry run: would send POST /v1/instances " .. json.encode(secret.mask(m.payload)))
    elseif m.job.continued and not m.job:begun "create" and not creation.answer(m.dir .. "/create-response.json") then
        local found = creation.fresh(m.payload, m.known)
        if #found > 0 then
            fail("conflict", ("an instance named %s is new since this migration began: %s"):format(
                report.clean(m.payload.name), report.clean(found[1].id)), { op = "migrate", candidates = found,
                hint = "if it is the one wanted, nothing is left to do; otherwise delete or rename it and continue" })
        end
    end
    local broken = create(m, step, "").broken
    if broken then
        ui.warn(("%s: creating another one; delete the broken one afterwards (halo delete %s)"):format(broken,
            m.new_id))
        broken = create(m, step, " again", m.new_id).broken
        if broken then
            fail("failed", broken, { op = "migrate" })
        end
    end
    for _, field in ipairs(report.keys(m.later)) do
        set(m, field)
    end
    step:done(m.new_id .. " is running")
end

---Compares the new instance with the captured one.
local function compare(m, step)
    local new, response = aura.get(m.new_id)
    m.new_config = json.pretty(response.body) .. "\n"
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
    m.verification = ("%s\n\n%s: %s\n"):format(text, clock.utc(), verdict)
    audit.complete(m)
    return { verdict = verdict, mismatches = json.array(mismatches), name = new.name,
        connection_url = new.connection_url }
end

local function step_7_verify(m)
    local step = announce(m, 7, "Verify", "verify", "read", "compare every captured field with the new instance's")
    if m.dry then
        return step:done("dry run ends here: nothing was written, moved or deleted")
    end
    local seen = m.job:step("verify", function() return compare(m, step) end)
    if not audit.is_verified(m) then         -- the disk was full when it was
        pcall(compare, m, step)
    end
    step:done(seen.verdict)
    return m.job:finish { source = m.id, instance = m.new_id, name = seen.name, connection_url = seen.connection_url,
        work_dir = m.dir, password_file = m.saved, dump = m.dump and m.dump.path, mismatches = seen.mismatches }
end

---@type halo.Script
return {
    summary = "Move an instance: capture it, keep its dump, delete it, create it again, verify it.",
    effect  = "destroy",
    args    = {
        { "instance",       "id",      "id of the instance to migrate", env = "INSTANCE_ID" },
        { "dump",           "path",    "exported snapshot, .dump or .backup; moved into the work directory",
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
options change it. --dry-run reads, shows what would be done and created, and writes nothing.

Cut off at any moment, it is continued with the same --work-dir: `halo migrate ID --work-dir DIR`. What is done is
not done again, what is unknown is looked up, and the other options need not be repeated. `halo runs` lists them.]],
    examples = {
        "halo migrate 3fa29c1e --dump ~/Downloads/orders.backup --target-type enterprise-db",
        "halo --dry-run migrate 3fa29c1e --no-dump --memory 16GB --storage 32GB",
    },
    run = function(args, origin)
        local m = beginning.open(args, origin)
        local _job <close> = setmetatable({}, { __close = function()
            if m.job then
                m.job:close()
            end
        end })
        local result
        local ok, err = pcall(function()
            step_0_prepare(m)
            if m.job.finished then
                return
            end
            step_1_authenticate(m)
            step_2_capture(m)
            step_3_dump(m)
            step_4_audit(m)
            step_5_delete(m)
            step_6_create(m)
            result = step_7_verify(m)
        end)
        if not ok then
            error(audit.explain(m, err), 0)
        elseif not result and m.job.finished then
            ui.say(("%s holds a finished migration: nothing is done"):format(m.dir))
            return m.job.result
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
