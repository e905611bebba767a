local aura = require "aura"
local change = require "change"
local instance = require "instance"
local progress = require "progress"
local ui = require "ui"

---@type halo.Script
return {
    summary = "Delete an instance, after a typed YES, and wait until it is gone.",
    effect  = "destroy",
    args    = {
        { "instance", "id",      "id of the instance", env = "INSTANCE_ID" },
        { "timeout",  "seconds", "how long to wait", default = 1800 },
    },
    run = function(args)
        local inst = aura.get(args.instance)
        local status = instance.status(inst)
        if not instance.is_going(inst) then
            if progress.dry("delete " .. inst.id .. " with its snapshots", "destroy") then
                return { id = inst.id, name = inst.name, status = status }
            end
            instance.confirm_delete(inst)
            change.delete(inst.id)
        else
            ui.say(inst.id .. " is being deleted already")
        end
        progress.wait(inst.id, "deleted", { timeout = args.timeout })
        return { id = inst.id, name = inst.name, status = "deleted" }
    end,
    show = function(result)
        return ("%s is %s"):format(result.id, result.status)
    end,
}
