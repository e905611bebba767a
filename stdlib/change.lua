---Changes that can be asked for twice: what is there already, or on its way, is a success.
local aura = require "aura"
local instance = require "instance"
local progress = require "progress"
local settle = require "settle"
local ui = require "ui"

local M = {}

---Whether an error is a refusal because somebody else has asked for the same thing already.
local function is_done(err, id, enough)
    return type(err) == "table" and err.kind == "conflict" and enough(aura.get(id))
end

---@class halo.Way from one settled status to another
---@field goal string "paused"
---@field transient string "pausing"
---@field ask fun(id: string, options: aura.Options?) `aura.pause`
---@field settle fun(id: string): function `settle.pause`

---Brings an instance to a settled status: asks for it unless it is there, or on its way, already.
---@param id string
---@param way halo.Way
---@param timeout number seconds
---@return table instance
function M.reach(id, way, timeout)
    local inst = aura.get(id)
    local status = instance.status(inst)
    if status == way.goal then
        ui.say(("%s is %s already"):format(inst.id, way.goal))
        return inst
    elseif progress.dry(("bring %s from %s to %s"):format(id, status, way.goal), "change") then
        return inst
    elseif status ~= way.transient then
        local ok, err = pcall(settle.surely, ("the change of %s to %s"):format(id, way.goal), way.settle(id), function()
            return way.ask(id)
        end)
        if not ok and not is_done(err, id, function(now)
            return instance.status(now) == way.goal or instance.status(now) == way.transient
        end) then
            error(err, 0)
        end
    end
    return progress.wait(id, way.goal, { timeout = timeout })
end

---The same for many (fleet.lua): asks for it without looking first. It is looked at only when that is refused.
---@param way halo.Way
---@param timeout number seconds
---@return halo.Fleet
function M.fleet(way, timeout)
    local function send(inst)
        local ok, err = pcall(way.ask, inst.id, { retry = { conflict = false } })
        if ok then
            return nil
        elseif type(err) ~= "table" or err.kind ~= "conflict" then
            error(err, 0)
        end
        local now = instance.status(aura.get(inst.id))
        if now == way.goal then
            return { unchanged = way.goal .. " already", status = now }
        elseif now ~= way.transient then     -- another operation: its end is waited for
            way.ask(inst.id)
        end
    end
    return {
        one = function(id) return M.reach(id, way, timeout) end,
        plan = function(inst)
            local status = instance.status(inst) -- "" when it was not looked up
            if status == way.goal then
                return "nothing", way.goal .. " already"
            elseif status == way.transient then
                return "wait", ("wait until it is %s"):format(way.goal)
            end
            return "change"
        end,
        settle = way.settle,
        change = send,
        finish = function(inst)
            return { status = progress.wait(inst.id, way.goal, { timeout = timeout }).status }
        end,
    }
end

---Sends the deletion, once. That it is gone, or going, already is a success; an answer that is lost is `ambiguous`.
---@param id string known to have existed a moment ago
---@return { body: string, status: integer? } answer status: of HTTP
function M.send_delete(id)
    local ok, value, response = pcall(aura.delete, id)
    if ok then
        return { body = response and response.body or "", status = response and response.status }
    elseif instance.is_gone(value) then
        return { body = "", status = value.status }
    elseif is_done(value, id, instance.is_going) then
        return { body = "" }
    end
    error(value, 0)
end

---Deletes an instance; when the answer is lost, looks what became of it.
---@param id string known to have existed a moment ago
function M.delete(id)
    settle.surely("the deletion of " .. id, settle.delete(id), function() return M.send_delete(id) end)
end

return M
