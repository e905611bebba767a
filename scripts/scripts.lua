local library = require "library"
local report = require "report"
local script = require "script"

---@type halo.Script
return {
    summary = "List the scripts, bundled and your own.",
    effect  = "read",
    args    = {},
    run = function()
        local list = {}
        for i, each in ipairs(library.all()) do
            local decl, message = script.describe(each.name)
            list[i] = { name = each.name, effect = decl and decl.effect or "destroy",
                summary = decl and decl.summary or "(" .. message .. ")", origin = each.origin }
        end
        return list
    end,
    show = function(list)
        local rows = {}
        for i, each in ipairs(list) do
            rows[i] = { each.name, each.effect, each.summary, each.origin }
        end
        return report.columns({ "NAME", "EFFECT", "SUMMARY", "ORIGIN" }, rows)
    end,
}
