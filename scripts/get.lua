local aura = require "aura"
local selection = require "selection"

---@type halo.Script
return {
    summary = "Show everything the API tells about an instance.",
    effect  = "read",
    args    = {
        { "instance", "instance", "id or name of the instance", env = "INSTANCE_ID" },
    },
    run = function(args)
        return (aura.get(selection.id(args.instance)))
    end,
}
