local aura = require "aura"
local change = require "change"
local fleet = require "fleet"
local instance = require "instance"
local progress = require "progress"
local settle = require "settle"
local ui = require "ui"

local function delete(id, timeout)
    local inst = aura.get(id)
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
    progress.wait(inst.id, "deleted", { timeout = timeout })
    return { id = inst.id, name = inst.name, status = "deleted" }
end

---@type halo.Script
return {
    summary = "Delete an instance, or several, after a typed YES, and wait until it is gone.",
    effect  = "destroy",
    fleet   = true,
    args    = {
        { "instance", "instance", "id or name; several may be given", env = "INSTANCE_ID", list = true,
            positional = true, unless = "select" },
        { "timeout",  "seconds",  "how long to wait", default = 1800 },
    },
    run = function(args)
        return fleet.run("delete", args, {
            one = function(id) return delete(id, args.timeout) end,
            look = true,                     -- only what a GET has found can be known to be gone (settle.lua)
            may_be_gone = true,              -- by this very command, cut off
            question = "Delete",
            plan = function(inst)
                if not inst.status then
                    return "nothing", "there is no such instance (any more)"
                elseif instance.is_going(inst) then
                    return "wait", "wait: being deleted already"
                end
                return "change"
            end,
            settle = settle.delete,
            change = function(inst) change.send_delete(inst.id) end,
            finish = function(inst)
                progress.wait(inst.id, "deleted", { timeout = args.timeout })
                return { status = "deleted" }
            end,
        })
    end,
    show = function(result)
        return fleet.show(result) or ("%s is %s"):format(result.id, result.status)
    end,
}
