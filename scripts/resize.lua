local aura = require "aura"
local fail = require "fail"
local fleet = require "fleet"
local instance = require "instance"
local progress = require "progress"
local report = require "report"
local settle = require "settle"
local size = require "size"
local ui = require "ui"

---Whether an instance has the sizes that are asked for.
local function is_done(inst, fields)
    for field, want in pairs(fields) do
        local have = inst[field]
        if not size.valid(have) or size.normalise(have) ~= want then
            return false
        end
    end
    return true
end

local function settler(id, fields, timeout)
    return settle.patch(id, fields, { timeout = timeout })
end

---Waits until the update is over and looks whether it did what it should.
local function finish(id, fields, timeout)
    progress.wait(id, "running", { timeout = timeout })
    local after = aura.get(id)
    if not is_done(after, fields) then
        fail("mismatch", ("%s runs with memory %s and storage %s, not with what was asked for"):format(id,
            report.clean(after.memory), report.clean(after.storage)))
    end
    return after
end

---`memory 8GB -> 16GB, storage 16GB -> follows memory`
local function change_of(inst, fields)
    return ("memory %s -> %s, storage %s -> %s"):format(report.clean(inst.memory), fields.memory or "unchanged",
        report.clean(inst.storage), fields.storage or (fields.memory and "follows memory" or "unchanged"))
end

local function warn(fields)
    if fields.memory and not fields.storage then
        ui.warn("storage follows memory: give --storage as well to choose it yourself")
    end
end

---An update that was found under way, perhaps by this very command, cut off. Nil when it was for something else.
local function wait_for_another(inst, fields, timeout)
    ui.say(inst.id .. " is being updated already: waiting for that")
    progress.wait(inst.id, "running", { timeout = timeout })
    local now = aura.get(inst.id)
    return is_done(now, fields) and now or nil, now
end

local function resize(id, fields, timeout)
    local before = aura.get(id)
    id = before.id
    if instance.status(before) == "updating" then
        local after, now = wait_for_another(before, fields, timeout)
        if after then
            return { before = before, after = after }
        end
        before = now
    end
    if is_done(before, fields) then
        fail("usage", ("%s has memory %s and storage %s already: nothing to change"):format(id,
            report.clean(before.memory), report.clean(before.storage)))
    end
    ui.say(("%s: %s"):format(id, change_of(before, fields)))
    warn(fields)
    if progress.dry("resize " .. id, "change", fields) then
        return { before = before, after = before }
    end
    settle.surely("the resize of " .. id, settler(id, fields, timeout), function() return aura.patch(id, fields) end)
    return { before = before, after = finish(id, fields, timeout) }
end

---@type halo.Script
return {
    summary = "Change the memory, storage or both of an instance, or several, and wait until it runs with them.",
    effect  = "change",
    fleet   = true,
    args    = {
        { "instance", "instance", "id or name; several may be given", env = "INSTANCE_ID", list = true,
            positional = true, unless = "select" },
        { "memory",   "size",     "memory it shall have", optional = true },
        { "storage",  "size",     "storage it shall have", optional = true },
        { "timeout",  "seconds",  "how long to wait", default = 1800 },
    },
    details = [[
Storage follows memory: when only the memory changes, Aura moves the storage along with it.
A size smaller than what the database uses is refused by the API, and nothing changes.]],
    examples = { "halo resize 3fa29c1e --memory 16GB --storage 32GB",
        "halo resize --select 'name=dev-*,memory=8GB' --memory 4GB --storage 8GB" },
    run = function(args)
        if not (args.memory or args.storage) then
            fail("usage", "resize: give --memory, --storage or both")
        end
        local fields = { memory = args.memory, storage = args.storage }
        return fleet.run("resize", args, {
            one = function(id) return resize(id, fields, args.timeout) end,
            look = true,
            input = fields,
            plan = function(inst)
                if instance.status(inst) == "updating" then
                    return "change", "wait: being updated; then " .. change_of(inst, fields)
                elseif is_done(inst, fields) then
                    return "nothing", ("memory %s and storage %s already"):format(inst.memory, inst.storage)
                end
                return "change", change_of(inst, fields)
            end,
            settle = function(id) return settler(id, fields, args.timeout) end,
            change = function(inst)
                if instance.status(inst) ~= "updating" or not wait_for_another(inst, fields, args.timeout) then
                    aura.patch(inst.id, fields)
                end
            end,
            finish = function(inst)
                local after = finish(inst.id, fields, args.timeout)
                return { status = after.status, memory = after.memory, storage = after.storage,
                    detail = ("memory %s, storage %s"):format(after.memory, after.storage) }
            end,
        })
    end,
    show = function(result)
        local rows = {}
        for i, field in ipairs(result.before and { "memory", "storage", "status" } or {}) do
            rows[i] = { field, result.before[field], result.after[field] }
        end
        return fleet.show(result) or report.columns({ "FIELD", "BEFORE", "AFTER" }, rows)
    end,
}
