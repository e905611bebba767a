local aura = require "aura"
local change = require "change"
local fleet = require "fleet"
local settle = require "settle"

---@type halo.Script
return {
    summary = "Resume a paused instance, or several, and wait until it runs.",
    effect  = "change",
    fleet   = true,
    args    = {
        { "instance", "instance", "id or name; several may be given", env = "INSTANCE_ID", list = true,
            positional = true, unless = "select" },
        { "timeout",  "seconds",  "how long to wait", default = 1800 },
    },
    run = function(args)
        local way = { goal = "running", transient = "resuming", ask = aura.resume, settle = settle.resume }
        return fleet.run("resume", args, change.fleet(way, args.timeout))
    end,
    show = function(result)
        return fleet.show(result) or ("%s is %s"):format(result.id, result.status)
    end,
}
