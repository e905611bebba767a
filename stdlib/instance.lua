---Bringing instances from one state to another, so that it can be asked for twice.
local aura = require "aura"
local fail = require "fail"
local progress = require "progress"
local report = require "report"
local ui = require "ui"

local M = {}

---The status of an instance in lower case; "" when the API did not say.
---@param inst table
---@return string
function M.status(inst)
    return tostring(inst.status or ""):lower()
end

---Whether an error says that the instance does not exist (any more).
---@param err any
---@return boolean
function M.is_gone(err)
    return type(err) == "table" and (err.kind == "not_found" or err.status == 404 or err.status == 410)
end

---Brings an instance to a settled status: asks for it unless it is there, or on its way, already.
---@param id string
---@param goal string "paused" or "running"
---@param way string the status in between: "pausing" or "resuming"
---@param ask fun(id: string) `aura.pause` or `aura.resume`
---@param timeout number seconds
---@return table instance
function M.reach(id, goal, way, ask, timeout)
    local inst = aura.get(id)
    if M.status(inst) == goal then
        ui.say(("%s is %s already"):format(inst.id, goal))
        return inst
    elseif progress.dry(("bring %s from %s to %s"):format(inst.id, M.status(inst), goal)) then
        return inst
    elseif M.status(inst) ~= way then
        local ok, err = pcall(ask, inst.id)
        if not ok then
            -- Somebody else may have asked in between; only then the refusal does not matter.
            local now = type(err) == "table" and err.kind == "conflict" and M.status(aura.get(id))
            if now ~= goal and now ~= way then
                error(err, 0)
            end
        end
    end
    return progress.wait(inst.id, goal, { timeout = timeout })
end

---Sends the deletion. An answer that was lost is settled by looking: the instance is gone, or going.
---@param id string known to have existed a moment ago
---@return string body what the API answered, or "" when the answer was lost
---@return integer? status HTTP status of the answer
function M.send_delete(id)
    local ok, value, response = pcall(aura.delete, id)
    if ok then
        return response and response.body or "", response and response.status
    end
    local err = value
    if type(err) ~= "table" or err.kind == "cancelled" or err.kind == "denied" then
        error(err, 0)
    elseif M.is_gone(err) then
        return "", err.status
    end
    local found, seen = pcall(aura.get, id)
    local status = found and M.status(seen) or ""
    if (not found and M.is_gone(seen)) or status == "destroying" or status == "deleting" then
        ui.warn(("the answer to the deletion was lost, but %s is %s"):format(id, found and status or "gone"))
        return "", nil
    end
    error(err, 0)
end

---Asks for YES, with the id and the name of what is about to go.
---@param inst table
function M.confirm_delete(inst)
    local question = ("Delete instance %s (%s)? This cannot be undone."):format(inst.id, report.clean(inst.name))
    if not ui.confirm(question) then
        fail("denied", "not confirmed: nothing was deleted", { op = "delete " .. inst.id })
    end
end

return M
