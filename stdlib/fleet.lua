---The same thing done to several instances: a plan first, what came of each last.
---
---    local fleet = require "fleet"
---    return {
---        summary = "...", effect = "change", fleet = true,         -- takes --select and so on as well
---        args = { { "instance", "instance", "id or name", list = true, positional = true, unless = "select" } },
---        run = function(args) return fleet.run("pause", args, { plan = ..., change = ..., finish = ... }) end,
---        show = function(result) return fleet.show(result) or ... end,
---    }
---
---All are asked for first, a few at a time: the API takes actions before reads anyway (turns.h). Then all are
---waited for at once. The first that fails keeps from beginning what has not begun; what is under way is
---waited for. With a journal, what an earlier process has done is not done again.
local clock = require "clock"
local fail = require "fail"
local fs = require "fs"
local halo = require "halo"
local progress = require "progress"
local report = require "report"
local run = require "run"
local selection = require "selection"
local settle = require "settle"
local task = require "task"
local ui = require "ui"
local workdir = require "workdir"

local M = {}

local AT_ONCE = 8                            -- changes that are asked for at a time

---@class halo.Fleet what is done to each instance
---@field one fun(id: string): any when there is just one, given by its id or name; its result is that of the script
---@field look boolean? the plan needs what a GET shows of each
---@field plan fun(inst: table): string, string? "change", "wait" (it is under way) or "nothing"; and why, for people
---@field settle fun(id: string, inst: table): function|table a settler of the change (settle.lua)
---@field change (fun(inst: table): table?)? the request; a result with `unchanged`, which says why, ends it
---@field finish fun(inst: table, sent: table?): table waits; what it returns is added to the outcome
---@field input table? what the journal compares besides the instances
---@field question string? asked, with the list, before anything is changed: "Delete"
---@field stem string? a journal is kept also without --work-dir, in a directory whose path begins so
---@field may_be_gone boolean? what has the form of an id is no mistake when there is no such instance

---Whether an argument names just one instance, in the way that is not a fleet.
local function just_one(args)
    return #args.instance == 1 and #args.exclude == 0 and not args.limit and not args.work_dir and args.instance[1]
end

---Those of a list that fit.
local function those(list, fits)
    local some = {}
    for _, entry in ipairs(list) do
        some[#some + 1] = fits(entry) and entry or nil
    end
    return some
end

local function is(outcome)
    return function(entry) return entry.outcome == outcome end
end

---- the plan ----

---What is going to be done to each, in order.
local function make_plan(name, args, fleet)
    local list = selection.of(args, fleet.may_be_gone)
    if fleet.look then
        list = selection.look(list)
        for _, inst in ipairs(list) do
            if not (selection.looked(inst) or fleet.may_be_gone) then
                fail("not_found", ("%s (%s) is not there any more"):format(inst.id, report.clean(inst.name)),
                    { op = name, hint = "nothing was done" })
            end
        end
    end
    for i, inst in ipairs(list) do
        local what, why = fleet.plan(inst)
        list[i] = { inst = inst, id = inst.id, name = inst.name, status = inst.status,
            what = what, plan = what == "nothing" and "nothing: " .. why or why or name,
            detail = what == "nothing" and why or nil }
    end
    return list
end

local function table_of(list, last, text)
    local rows = {}
    for i, entry in ipairs(list) do
        rows[i] = { entry.id, entry.name, entry.status, text(entry) }
    end
    return report.columns({ "ID", "NAME", "STATUS", last }, rows)
end

local function planned(list)
    return table_of(list, "PLAN", function(entry) return entry.recorded and "done before" or entry.plan end)
end

---`"3 instances"`
local function amount(list)
    return ("%d instance%s"):format(#list, #list == 1 and "" or "s")
end

---`"3fa29c1e (orders-prod), a4406e1d (ledger)"`
local function names(list)
    local texts = {}
    for i, entry in ipairs(list) do
        texts[i] = report.clean(entry.id) .. (entry.name and (" (%s)"):format(report.clean(entry.name)) or "")
    end
    return table.concat(texts, ", ")
end

local function say_plan(name, list)
    ui.say(planned(list))
    local known = #those(list, function(entry) return entry.status end) > 0
    ui.say(("%s %s%s"):format(name, amount(list), known and "" or "; their status is not looked up first"))
end

---- doing it ----

local function why(err)
    if type(err) ~= "table" then
        return { kind = "script", message = tostring(err) }
    end
    return { kind = err.kind, message = err.message, status = err.status, reason = err.reason,
        request_id = err.request_id }
end

---A step of the journal, or the same without one.
local function step(f, name, options, fn)
    if f.job then
        return (f.job:step(name, options, fn))
    elseif options.settle then
        return settle.surely(name, options.settle, fn)
    end
    return fn()
end

---Does one part for an entry. What fails is its outcome; an interrupt ends all.
local function attempt(f, entry, fn)
    local ok, result = pcall(fn)
    if ok then
        return result
    end
    local interrupted = type(result) == "table" and result.kind == "cancelled"
    entry.outcome = interrupted and "interrupted" or "failed"
    entry.error = not interrupted and why(result) or nil
    f.failed = true
    if interrupted then
        error(result, 0)
    end
    ui.warn(("%s %s: %s"):format(f.name, entry.id, report.clean(entry.error.message)))
end

local function ask(f, entry)
    if f.failed and not f.keep_going then
        return
    end
    entry.outcome = "begun"
    local inst = entry.inst
    local sent = attempt(f, entry, function()
        return step(f, f.name .. " " .. entry.id, { settle = f.fleet.settle(entry.id, inst) }, function()
            return f.fleet.change(inst)
        end)
    end)
    if type(sent) == "table" then
        entry.sent = sent
        if sent.unchanged then
            entry.outcome, entry.status, entry.detail = "unchanged", sent.status or entry.status, sent.unchanged
        end
    end
end

local function finish(f, entry)
    local result = attempt(f, entry, function()
        return step(f, "wait " .. entry.id, {}, function() return f.fleet.finish(entry.inst, entry.sent) end)
    end)
    for key, value in pairs(result or {}) do
        entry[key] = value
    end
    entry.outcome = result and "done" or entry.outcome
end

local function do_all(f, list)
    for _, entry in ipairs(list) do
        entry.outcome = entry.what == "nothing" and "unchanged" or entry.what == "wait" and "begun" or "not begun"
    end
    task.all(those(list, is "not begun"), function(entry) ask(f, entry) end, { limit = AT_ONCE })
    task.all(those(list, is "begun"), function(entry) finish(f, entry) end)
end

---- what came of it ----

local INSIDE = { inst = true, what = true, sent = true, plan = true, recorded = true, unchanged = true }

---What other programs get to see.
local function outcomes(list)
    local shown = {}
    for i, entry in ipairs(list) do
        shown[i] = {}
        for key, value in pairs(entry) do
            if not INSIDE[key] then
                shown[i][key] = value
            end
        end
    end
    return shown
end

---The result of a fleet for people; nil for another result.
---@param result any
---@return string?
function M.show(result)
    if type(result) ~= "table" or not result[1] then
        return nil
    elseif result[1].plan then
        return planned(result)
    end
    return table_of(result, "OUTCOME", function(entry)
        local err = entry.error
        local text = err and ("%s%s: %s%s"):format(err.status and err.status .. " " or "", err.kind, err.message,
            err.reason and (" (%s)"):format(err.reason) or "") or entry.detail
        return entry.outcome .. (text and ": " .. text or "")
    end)
end

local function hint(f)
    local again = "the same command again goes on with what is left"
    return f.job and ("%s (journal in %s)"):format(again, f.job.dir) or again
end

---Ends with what came of each: as the result, or beside the error when some have failed.
local function conclude(f, list, err)
    local result = outcomes(list)
    if not err and not f.failed then
        return f.job and f.job:finish(result) or result
    end
    ui.result(M.show(result))
    if err then
        if type(err) == "table" then
            err.result, err.hint = result, hint(f)
        end
        error(err, 0)
    end
    local failed, left = those(list, is "failed"), those(list, is "not begun")
    fail("failed", ("%d of %s failed: %s%s"):format(#failed, amount(list), names(failed),
        #left > 0 and ("; not begun: %d"):format(#left) or ""), { op = f.name, result = result, hint = hint(f) })
end

---Opens the journal, where one is kept.
local function open(name, args, fleet)
    local input = { instance = args.instance, select = args.select, exclude = args.exclude }
    for key, value in pairs(fleet.input or {}) do
        input[key] = value
    end
    local dir = args.work_dir or fleet.stem and not halo.options().dry_run
        and (run.unfinished(fleet.stem, name, input) or workdir.free_name(fleet.stem .. clock.stamp(), ""))
    return dir and run.open(dir, { name = name, input = input, command = false }) or nil
end

---The plan, and how far an earlier process came with it.
local function plan_of(f, args)
    local job = f.job
    local function make() return make_plan(f.name, args, f.fleet) end
    local ok, list = pcall(function() return job and job:step("plan", make) or make() end)
    if not ok then
        if job and not job.dry and not job.continued then        -- nothing worth keeping
            pcall(fs.remove, job.dir .. "/journal.jsonl")
            pcall(fs.remove, job.dir)
        end
        error(list, 0)
    end
    for _, entry in ipairs(list) do
        entry.recorded = job and job:done("wait " .. entry.id) ~= nil or nil
    end
    return list
end

local function confirm(f, list)
    local some = those(list, function(entry)
        return entry.what == "change" and not (f.job and f.job:done(f.name .. " " .. entry.id))
    end)
    local question = ("%s %s: %s? This cannot be undone."):format(f.fleet.question, amount(some), names(some))
    if #some > 0 and not ui.confirm(question) then
        fail("denied", "not confirmed: nothing was done", { op = f.name })
    end
end

---Does something to the instances that the arguments mean.
---@param name string of the script, and what is done: "pause"
---@param args table of the script
---@param fleet halo.Fleet
---@return any result of a fleet a list in the order of the plan: id, name, status, outcome, error
function M.run(name, args, fleet)
    local one = just_one(args)
    if one then
        return fleet.one(selection.id(one))
    end
    local job <close> = open(name, args, fleet)
    local f = { name = name, fleet = fleet, job = job, keep_going = args.continue_on_error, failed = false }
    if job and job.finished then
        ui.say(("%s holds this run: it is finished, nothing is done"):format(job.dir))
        return job.result
    end
    local list = plan_of(f, args)
    if halo.options().dry_run then
        progress.dry(name .. " " .. amount(those(list, function(entry) return entry.what ~= "nothing" end)), nil)
        for _, entry in ipairs(list) do
            entry.inst, entry.what = nil, nil
        end
        return list
    end
    say_plan(name, list)
    if fleet.question then
        confirm(f, list)
    end
    local ok, err = pcall(do_all, f, list)
    return conclude(f, list, not ok and err or nil)
end

return M
