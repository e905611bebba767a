---What an operator reads while a script works: one line for each step, each finding and each change
---of status, with the time it took. The same goes out as events for programs.
local aura = require "aura"
local clock = require "clock"
local halo = require "halo"
local json = require "json"
local report = require "report"
local secret = require "secret"
local ui = require "ui"

local M = {}

local INDENT = "        "

---@class halo.Step
---@field number string|integer
---@field name string
---@field began number
local Step = {}
Step.__index = Step

---Announces a step: `Step 2  Capture: read 3fa29c1e and save its configuration`.
---@param number string|integer
---@param name string
---@param what string what it will do
---@return halo.Step
function M.step(number, name, what)
    ui.say(("%-7s %s: %s"):format("Step " .. number, name, report.clean(what)))
    ui.event { event = "step", step = tostring(number), name = name, state = "started" }
    return setmetatable({ number = number, name = name, began = clock.monotonic() }, Step)
end

---A step that an earlier process did: says so, and nothing more.
---@param number string|integer
---@param name string
---@param at string UTC
---@return halo.Step
function M.recorded(number, name, at)
    ui.say(("%-7s %s: done at %s"):format("Step " .. number, name, at))
    ui.event { event = "step", step = tostring(number), name = name, state = "recorded" }
    return { found = function() end, done = function() end }
end

---A finding of the step; several lines are indented alike.
---@param text string
function Step.found(_, text)
    for line in (text .. "\n"):gmatch("(.-)\n") do
        ui.say(INDENT .. "  " .. line)
    end
end

---Ends the step with what came of it and the time it took.
---@param text string
function Step:done(text)
    local seconds = clock.monotonic() - self.began
    ui.say(("%s= %s (%s)"):format(INDENT, text, report.duration(seconds)))
    ui.event { event = "step", step = tostring(self.number), name = self.name, state = "done", seconds = seconds }
end

---Waits for a status and says each change of it.
---@param id string
---@param want string|string[] a status, several, or "deleted"
---@param options { timeout: number?, interval: number?, step: boolean? }? step: indented, as part of one
---@return table? instance nil once deleted
function M.wait(id, want, options)
    options = options or {}
    local indent = options.step and INDENT .. "  " or ""
    return aura.wait_for_status(id, want, {
        timeout = options.timeout,
        interval = options.interval,
        on_change = function(status, previous, seconds)
            status = report.clean(status)
            if previous then
                status = report.clean(previous) .. " -> " .. status
            end
            ui.say(("%s%s: %s after %s"):format(indent, id, status, report.duration(seconds)))
        end,
    })
end

---In a dry run: says what would be done and returns true. Otherwise false.
---@param what string `"pause 3fa29c1e"`
---@param effect "change"|"destroy"|nil of the calls; nil: none is made
---@param payload table? what would be sent; its secrets are masked
---@return boolean
function M.dry(what, effect, payload)
    if not halo.options().dry_run then
        return false
    end
    ui.say(("dry run: would %s%s%s"):format(what, effect and (" (%s)"):format(effect) or "",
        payload and ": " .. json.encode(secret.mask(payload)) or ""))
    return true
end

return M
