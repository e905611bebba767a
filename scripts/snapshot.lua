local aura = require "aura"
local clock = require "clock"
local fail = require "fail"
local progress = require "progress"
local report = require "report"
local settle = require "settle"
local task = require "task"
local ui = require "ui"

---@type halo.Script
return {
    summary = "Take a snapshot of an instance and wait until it is completed.",
    effect  = "change",
    args    = {
        { "instance", "id",      "id of the instance", env = "INSTANCE_ID" },
        { "timeout",  "seconds", "how long to wait", default = 1800 },
        { "interval", "seconds", "between two looks", default = 5 },
    },
    run = function(args)
        local id = args.instance
        if progress.dry("take a snapshot of " .. aura.get(id).id, "change") then
            return nil
        end
        local began = clock.monotonic()
        local snapshot = settle.surely("the snapshot of " .. id, settle.snapshot(id), function()
            return (aura.snapshot.create(id))
        end)
        local seen, since = nil, began
        while true do
            local now = aura.snapshot.get(id, snapshot.snapshot_id)
            local status = tostring(now.status)
            if status ~= seen then
                ui.say(("snapshot %s: %s after %s"):format(report.clean(snapshot.snapshot_id), report.clean(status),
                    report.duration(clock.monotonic() - since)))
                seen, since = status, clock.monotonic()
            end
            if status:lower() == "completed" then
                return now
            elseif status:lower() == "failed" or status:lower() == "cancelled" then
                fail("failed", ("snapshot %s ended as %s"):format(snapshot.snapshot_id, status),
                    { op = "snapshot " .. id })
            elseif clock.monotonic() - began > args.timeout then
                fail("timeout", ("snapshot %s is still %s after %s"):format(snapshot.snapshot_id, status,
                    report.duration(args.timeout)), { op = "snapshot " .. id,
                    hint = "a large database can take 30 minutes; the snapshot goes on without halo" })
            end
            task.sleep(args.interval)
        end
    end,
}
