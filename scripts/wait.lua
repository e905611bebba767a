local progress = require "progress"

---@type halo.Script
return {
    summary = "Wait until an instance has a status, or is deleted.",
    effect  = "read",
    args    = {
        { "instance", "id",      "id of the instance", env = "INSTANCE_ID" },
        { "status",   "string",  "a status, several with commas between, or deleted" },
        { "timeout",  "seconds", "how long to wait", default = 1800 },
        { "interval", "seconds", "between two looks; chosen by the situation when left out", optional = true },
    },
    examples = { "halo wait 3fa29c1e running --timeout 600", "halo wait 3fa29c1e running,paused" },
    run = function(args)
        local want = {}
        for status in args.status:gmatch("[^,]+") do
            want[#want + 1] = status:match("^%s*(.-)%s*$"):lower()
        end
        local inst = progress.wait(args.instance, #want == 1 and want[1] or want,
            { timeout = args.timeout, interval = args.interval })
        return inst or { id = args.instance, status = "deleted" }
    end,
    show = function(inst)
        return ("%s is %s"):format(inst.id, inst.status)
    end,
}
