local aura = require "aura"

---@type halo.Script
return {
    summary = "Show everything the API tells about an instance.",
    effect  = "read",
    args    = {
        { "instance", "id", "id of the instance", env = "INSTANCE_ID" },
    },
    run = function(args)
        return (aura.get(args.instance))
    end,
}
