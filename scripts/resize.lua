local aura = require "aura"
local fail = require "fail"
local instance = require "instance"
local progress = require "progress"
local report = require "report"
local settle = require "settle"
local size = require "size"
local ui = require "ui"

---Whether an instance has this size already.
local function is(have, want)
    return not want or (size.valid(have) and size.normalise(have) == want)
end

---@type halo.Script
return {
    summary = "Change an instance's memory, storage or both, and wait until it runs with them.",
    effect  = "change",
    args    = {
        { "instance", "id",      "id of the instance", env = "INSTANCE_ID" },
        { "memory",   "size",    "memory it shall have", optional = true },
        { "storage",  "size",    "storage it shall have", optional = true },
        { "timeout",  "seconds", "how long to wait", default = 1800 },
    },
    details = [[
Storage follows memory: when only the memory changes, Aura moves the storage along with it.
A size smaller than what the database uses is refused by the API, and nothing changes.]],
    examples = { "halo resize 3fa29c1e --memory 16GB --storage 32GB" },
    run = function(args)
        if not (args.memory or args.storage) then
            fail("usage", "resize: give --memory, --storage or both")
        end
        local before = aura.get(args.instance)
        local id = before.id
        if instance.status(before) == "updating" then          -- perhaps by this very command, cut off
            ui.say(id .. " is being updated already: waiting for that")
            progress.wait(id, "running", { timeout = args.timeout })
            local now = aura.get(id)
            if is(now.memory, args.memory) and is(now.storage, args.storage) then
                return { before = before, after = now }
            end
            before = now
        end
        if is(before.memory, args.memory) and is(before.storage, args.storage) then
            fail("usage", ("%s has memory %s and storage %s already: nothing to change"):format(id,
                report.clean(before.memory), report.clean(before.storage)))
        end
        ui.say(("%s: memory %s -> %s, storage %s -> %s"):format(id, report.clean(before.memory),
            args.memory or "unchanged", report.clean(before.storage),
            args.storage or (args.memory and "follows memory" or "unchanged")))
        if args.memory and not args.storage then
            ui.warn("storage follows memory: give --storage as well to choose it yourself")
        end
        local fields = { memory = args.memory, storage = args.storage }
        if progress.dry("resize " .. id, "change", fields) then
            return { before = before, after = before }
        end
        settle.surely("the resize of " .. id, settle.patch(id, fields, { timeout = args.timeout }), function()
            return aura.patch(id, fields)
        end)
        progress.wait(id, "running", { timeout = args.timeout })
        local after = aura.get(id)
        if not (is(after.memory, args.memory) and is(after.storage, args.storage)) then
            fail("mismatch", ("%s runs with memory %s and storage %s, not with what was asked for"):format(id,
                report.clean(after.memory), report.clean(after.storage)))
        end
        return { before = before, after = after }
    end,
    show = function(result)
        local rows = {}
        for i, field in ipairs { "memory", "storage", "status" } do
            rows[i] = { field, result.before[field], result.after[field] }
        end
        return report.columns({ "FIELD", "BEFORE", "AFTER" }, rows)
    end,
}
