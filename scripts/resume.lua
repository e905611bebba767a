local aura = require "aura"
local instance = require "instance"

---@type halo.Script
return {
    summary = "Resume a paused instance and wait until it runs.",
    effect  = "change",
    args    = {
        { "instance", "id",      "id of the instance", env = "INSTANCE_ID" },
        { "timeout",  "seconds", "how long to wait", default = 1800 },
    },
    run = function(args)
        return instance.reach(args.instance, "running", "resuming", aura.resume, args.timeout)
    end,
    show = function(inst)
        return ("%s is %s"):format(inst.id, inst.status)
    end,
}
