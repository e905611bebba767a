local report = require "report"
local selection = require "selection"
local ui = require "ui"

---@type halo.Script
return {
    summary = "List the instances these credentials can see.",
    effect  = "read",
    args    = {
        { "tenant_id", "id",      "only those of this project (tenant)", optional = true },
        { "status",    "boolean", "also fetch each one's status, type and size (one request each)" },
    },
    fleet   = true,
    examples = { "halo list --select 'status=running,type=enterprise-*' --status" },
    run = function(args)
        local list = selection.list(args.select, args.exclude, { tenant_id = args.tenant_id })
        if args.limit and #list > args.limit then
            ui.warn(("%d of %d instances are shown"):format(args.limit, #list))
            list = table.move(list, 1, args.limit, 1, {})
        end
        return args.status and selection.look(list) or list
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
