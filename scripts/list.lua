local aura = require "aura"
local report = require "report"
local task = require "task"

---@type halo.Script
return {
    summary = "List the instances these credentials can see.",
    effect  = "read",
    args    = {
        { "tenant_id", "id",      "only those of this project (tenant)", optional = true },
        { "status",    "boolean", "also fetch each one's status, type and size (one request each)" },
    },
    run = function(args)
        local list = aura.list { tenant_id = args.tenant_id }
        if args.status then
            -- One may vanish between the listing and the look at it: it is shown as the list had it.
            list = task.all(list, function(item)
                local inst, err = aura.try.get(item.id)
                if not inst and err.kind ~= "not_found" then
                    error(err, 0)
                end
                return inst or item
            end, { limit = 8 })
        end
        table.sort(list, function(a, b) return tostring(a.name) .. a.id < tostring(b.name) .. b.id end)
        return list
    end,
    show = function(list)
        local head = { "ID", "NAME", "CLOUD", "PROJECT", "CREATED" }
        local detailed = false
        for _, item in ipairs(list) do
            detailed = detailed or item.status ~= nil
        end
        if detailed then
            head = { "ID", "NAME", "STATUS", "TYPE", "CLOUD", "REGION", "MEMORY", "STORAGE" }
        end
        local rows = {}
        for i, item in ipairs(list) do
            rows[i] = { item.id, item.name, item.cloud_provider, item.tenant_id, item.created_at }
            if detailed then
                rows[i] = { item.id, item.name, item.status, item.type, item.cloud_provider, item.region,
                    item.memory, item.storage }
            end
        end
        return #list == 0 and "no instances" or report.columns(head, rows)
    end,
}
