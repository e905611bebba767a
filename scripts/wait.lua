local fleet = require "fleet"
local progress = require "progress"

---@type halo.Script
return {
    summary = "Wait until an instance, or each of several, has a status or is deleted.",
    effect  = "read",
    fleet   = true,
    args    = {
        { "instance", "instance", "id or name; several may be given", env = "INSTANCE_ID", list = true,
            positional = true, unless = "select" },
        { "status",   "string",   "a status, several with commas between, or deleted" },
        { "timeout",  "seconds",  "how long to wait", default = 1800 },
        { "interval", "seconds",  "between two looks; chosen by the situation when left out", optional = true },
    },
    examples = { "halo wait 3fa29c1e running --timeout 600", "halo wait 3fa29c1e running,paused",
        "halo wait --select 'name=dev-*' paused" },
    run = function(args)
        local want = {}
        for status in args.status:gmatch("[^,]+") do
            want[#want + 1] = status:match("^%s*(.-)%s*$"):lower()
        end
        local function wait(id)
            local inst = progress.wait(id, #want == 1 and want[1] or want,
                { timeout = args.timeout, interval = args.interval })
            return inst or { id = id, status = "deleted" }
        end
        return fleet.run("wait", args, {
            one = wait,
            may_be_gone = true,
            plan = function() return "wait", "wait until " .. table.concat(want, " or ") end,
            finish = function(inst) return { status = wait(inst.id).status } end,
        })
    end,
    show = function(result)
        return fleet.show(result) or ("%s is %s"):format(result.id, result.status)
    end,
}
