local aura = require "aura"
local change = require "change"
local fleet = require "fleet"
local settle = require "settle"

---@type halo.Script
return {
    summary = "Pause an instance, or several, and wait until it is paused.",
    effect  = "change",
    fleet   = true,
    args    = {
        { "instance", "instance", "id or name; several may be given", env = "INSTANCE_ID", list = true,
            positional = true, unless = "select" },
        { "timeout",  "seconds",  "how long to wait", default = 1800 },
    },
    examples = { "halo pause 3fa29c1e", "halo pause orders-prod ledger",
        "halo pause --select 'name=dev-*' --exclude 'name=*-keep' --limit 20" },
    run = function(args)
        local way = { goal = "paused", transient = "pausing", ask = aura.pause, settle = settle.pause }
        return fleet.run("pause", args, change.fleet(way, args.timeout))
    end,
    show = function(result)
        return fleet.show(result) or ("%s is %s"):format(result.id, result.status)
    end,
}
