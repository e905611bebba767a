local aura = require "aura"
local change = require "change"
local settle = require "settle"

---@type halo.Script
return {
    summary = "Pause an instance and wait until it is paused.",
    effect  = "change",
    args    = {
        { "instance", "id",      "id of the instance", env = "INSTANCE_ID" },
        { "timeout",  "seconds", "how long to wait", default = 1800 },
    },
    run = function(args)
        return change.reach(args.instance, { goal = "paused", transient = "pausing", ask = aura.pause,
            settle = settle.pause(args.instance) }, args.timeout)
    end,
    show = function(inst)
        return ("%s is %s"):format(inst.id, inst.status)
    end,
}
