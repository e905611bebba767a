local aura = require "aura"
local change = require "change"
local settle = require "settle"

---@type halo.Script
return {
    summary = "Resume a paused instance and wait until it runs.",
    effect  = "change",
    args    = {
        { "instance", "id",      "id of the instance", env = "INSTANCE_ID" },
        { "timeout",  "seconds", "how long to wait", default = 1800 },
    },
    run = function(args)
        return change.reach(args.instance, { goal = "running", transient = "resuming", ask = aura.resume,
            settle = settle.resume(args.instance) }, args.timeout)
    end,
    show = function(inst)
        return ("%s is %s"):format(inst.id, inst.status)
    end,
}
