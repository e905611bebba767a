---How a migration begins: what is asked for, and how far an earlier process came with it.
local clock = require "clock"
local dump = require "dump"
local fail = require "fail"
local halo = require "halo"
local run = require "run"
local ui = require "ui"
local workdir = require "workdir"

local M = {}

local INPUT = { "instance", "dump", "no_dump", "s3", "target_type", "name", "region", "cloud_provider", "memory",
    "storage", "version" }
local LEFT = { authenticate = "authenticate", capture = "capture the configuration", dump = "move the dump in",
    s3 = "copy the dump to S3", audit = "record what is to be deleted", delete = "delete the source",
    deleted = "wait until the source is gone", create = "create the new instance",
    running = "wait until the new instance runs", verify = "verify the new instance" }

---What is asked for. Of a migration that is continued, what is not said again is as it was.
local function input_of(args, origin, old)
    local input = {}
    for _, key in ipairs(INPUT) do
        local again = old and key ~= "instance" and origin[key] ~= "option"
        input[key] = args[key]
        if again then
            input[key] = old.input[key]
        end
    end
    if input.no_dump and origin.dump ~= "option" then
        input.dump = nil
    end
    return input
end

---What can be told wrong before the first request. m is this migration: what it knows and how far it is.
---@return halo.Migration
function M.open(args, origin)
    local dir = args.work_dir and args.work_dir:gsub("(.)/+$", "%1")
        or workdir.free_name("./aura-migration-" .. clock.stamp(), "")
    local old, damaged = run.peek(dir)
    old = old and old.name == "migrate" and old or nil
    local input = input_of(args, origin, old)
    local m = { id = args.instance, dir = dir, timeout = args.timeout, s3 = input.s3, input = input,
        phase = (damaged or old and old:begun "delete") and "continuing" or "checking", dry = halo.options().dry_run,
        summary = dir .. "/migration-summary.txt", asked = { type = input.target_type } }
    for _, field in ipairs { "name", "region", "cloud_provider", "memory", "storage", "version" } do
        m.asked[field] = input[field]
    end
    if input.no_dump and (input.dump or input.s3) then
        fail("usage", "migrate: --no-dump leaves nothing for --dump or --s3")
    elseif not input.no_dump and not input.dump then
        fail("usage", "migrate: give the exported snapshot with --dump FILE, or say --no-dump")
    elseif m.s3 and not m.s3:match("^s3://[^/%s]+") then
        fail("usage", ("migrate: --s3 %s: expected s3://BUCKET or s3://BUCKET/PREFIX"):format(m.s3))
    elseif not old then
        workdir.check_free(dir)
    end
    if input.dump then
        local moving = old and old:noted("dump", "bytes")      -- from here on it may be in either place
        local extension, bytes = dump.extension(input.dump), moving
        if not moving then
            extension, bytes = dump.check(input.dump)
        end
        local name = ("%s.%s"):format(m.id, extension)
        m.dump = { given = input.dump, extension = extension, size = bytes, name = name, path = dir .. "/" .. name }
        if old and old.input.dump and dump.same(input.dump, m.dump.path) then    -- it lies there by now
            m.dump.given, input.dump = old.input.dump, old.input.dump
        elseif not moving then
            dump.check_place(input.dump, m.dump.path)
        end
    end
    return m
end

---Says how far a migration that was cut off is, and asks whether to go on with it.
function M.ask_to_continue(m)
    local did, left = {}, nil
    for _, key in ipairs { "authenticate", "capture", "dump", "s3", "audit", "delete", "deleted", "create", "running",
        "verify" } do
        if m.job:done(key) then
            did[#did + 1] = key
        elseif not left and (m.dump or key ~= "dump") and (m.s3 or key ~= "s3") then
            left = key
        end
    end
    ui.say(("%s holds an unfinished migration of %s. Done: %s. Next: %s."):format(m.dir, m.id,
        #did > 0 and table.concat(did, ", ") or "nothing", left and LEFT[left] or "end it"))
    if not m.dry and not ui.confirm(("Go on with the migration of %s?"):format(m.id)) then
        fail("denied", "not confirmed: nothing was changed", { op = "migrate" })
    end
end

return M
