local aura = require "aura"
local clock = require "clock"
local fail = require "fail"
local fleet = require "fleet"
local progress = require "progress"
local report = require "report"
local settle = require "settle"
local task = require "task"
local ui = require "ui"

---Waits until a snapshot is completed.
local function complete(id, snapshot_id, args)
    local began = clock.monotonic()
    local seen, since = nil, began
    while true do
        local now = aura.snapshot.get(id, snapshot_id)
        local status = tostring(now.status)
        if status ~= seen then
            ui.say(("snapshot %s: %s after %s"):format(report.clean(snapshot_id), report.clean(status),
                report.duration(clock.monotonic() - since)))
            seen, since = status, clock.monotonic()
        end
        if status:lower() == "completed" then
            return now
        elseif status:lower() == "failed" or status:lower() == "cancelled" then
            fail("failed", ("snapshot %s ended as %s"):format(snapshot_id, status), { op = "snapshot " .. id })
        elseif clock.monotonic() - began > args.timeout then
            fail("timeout", ("snapshot %s is still %s after %s"):format(snapshot_id, status,
                report.duration(args.timeout)), { op = "snapshot " .. id,
                hint = "a large database can take 30 minutes; the snapshot goes on without halo" })
        end
        task.sleep(args.interval)
    end
end

---@type halo.Script
return {
    summary = "Take a snapshot of an instance, or several, and wait until it is completed.",
    effect  = "change",
    fleet   = true,
    args    = {
        { "instance", "instance", "id or name; several may be given", env = "INSTANCE_ID", list = true,
            positional = true, unless = "select" },
        { "timeout",  "seconds",  "how long to wait", default = 1800 },
        { "interval", "seconds",  "between two looks", default = 5 },
    },
    details = [[
Of several instances a journal is kept also without --work-dir, in ./aura-snapshot-TIME: cut off at any moment, the
same command takes the snapshots that are left, and none twice.]],
    run = function(args)
        return fleet.run("snapshot", args, {
            one = function(id)
                if progress.dry("take a snapshot of " .. aura.get(id).id, "change") then
                    return nil
                end
                local snapshot = settle.surely("the snapshot of " .. id, settle.snapshot(id), function()
                    return (aura.snapshot.create(id))
                end)
                return complete(id, snapshot.snapshot_id, args)
            end,
            stem = "./aura-snapshot-",
            plan = function() return "change" end,
            settle = settle.snapshot,
            change = function(inst) return (aura.snapshot.create(inst.id)) end,
            finish = function(inst, sent)
                local done = complete(inst.id, sent.snapshot_id, args)
                return { snapshot_id = sent.snapshot_id, snapshot = done.status,
                    detail = ("snapshot %s"):format(sent.snapshot_id) }
            end,
        })
    end,
    show = function(result)
        return fleet.show(result) or report.show(result)
    end,
}
