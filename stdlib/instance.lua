---What an instance's status and the API's errors say about it.
local fail = require "fail"
local report = require "report"
local ui = require "ui"

local M = {}

---The status of an instance in lower case; "" when the API did not say.
---@param inst table
---@return string
function M.status(inst)
    return tostring(inst.status or ""):lower()
end

---Whether an instance is being deleted.
---@param inst table
---@return boolean
function M.is_going(inst)
    local status = M.status(inst)
    return status == "destroying" or status == "deleting"
end

---Whether an error says that the instance does not exist (any more).
---@param err any
---@return boolean
function M.is_gone(err)
    return type(err) == "table" and (err.kind == "not_found" or err.status == 404 or err.status == 410)
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
