---Creating instances so that neither the instance nor its password can get lost.
local aura = require "aura"
local fail = require "fail"
local fs = require "fs"
local progress = require "progress"
local report = require "report"
local task = require "task"
local ui = require "ui"

local M = {}

-- Seconds before each look for an instance whose creation was not answered: the API shows a new one
-- a few seconds late.
local LOOKS = { 1, 2, 4, 8 }

---Creates an instance. What the API answers holds the only copy of the password: it is on the disk
---before anything else happens, also when it could not be read (then the error has `saved`).
---@param payload table
---@param path string file to save the answer in, mode 0600
---@return table instance without its password
---@return string path where the answer is
function M.once(payload, path)
    local ok, value, response = pcall(aura.create, payload)
    local body = response and response.body
    if not ok then
        body = type(value) == "table" and value.body or nil
    end
    if type(body) == "string" and body ~= "" then
        local written, problem = pcall(fs.write, path, body)
        if not written then                  -- a full disk must not cost the password
            path = fs.tempdir() .. "/create-response.json"
            ui.warn(("%s; the answer is saved in %s"):format(tostring(problem), path))
            fs.write(path, body)
        end
    end
    if not ok then
        if body then
            value.saved = path
        end
        error(value, 0)
    elseif type(value) ~= "table" or not tostring(value.id):match("^[%w_-]+$") then
        fail("ambiguous", "the API accepted the creation, but its answer names no instance",
            { op = "create", saved = path, body = body })
    end
    value.password = nil
    return value, path
end

---Whether a failed creation certainly created nothing.
---@param err any
---@return boolean
function M.refused(err)
    if type(err) ~= "table" then
        return false
    end
    return (err.status and err.status >= 400 and err.status < 500 and err.kind ~= "ambiguous")
        or err.kind == "transport" or err.kind == "usage" or err.kind == "denied"
end

---Instances of the payload's name that were not there before.
local function fresh(payload, before)
    local known, found = {}, {}
    for _, inst in ipairs(before) do
        known[inst.id] = true
    end
    for _, inst in ipairs(aura.list { tenant_id = payload.tenant_id }) do
        if not known[inst.id] and inst.name == payload.name then
            found[#found + 1] = inst
        end
    end
    return found
end

---Creates an instance; when the answer is lost, looks whether it was created, and creates it again
---only when it was not. One that was created without telling its password is an `ambiguous` error
---with `candidates`.
---@param payload table
---@param path string file for the answer
---@param before table[] the instances there were before
---@return table instance
---@return string path
function M.surely(payload, path, before)
    local ok, inst, saved = pcall(M.once, payload, path)
    if ok then
        return inst, saved
    end
    local err = inst
    if type(err) ~= "table" or err.kind == "cancelled" or err.body or M.refused(err) then
        error(err, 0)
    end
    ui.warn(report.clean(tostring(err.message)) .. ": looking whether it was created all the same")
    for _, seconds in ipairs(LOOKS) do
        task.sleep(seconds)
        err.candidates = fresh(payload, before)
        if #err.candidates > 0 then
            error(err, 0)
        end
    end
    ui.warn("it was not: asking once more")
    inst, saved = M.once(payload, path)
    local found = fresh(payload, before)
    for _, other in ipairs(found) do
        if other.id ~= inst.id then
            ui.warn(("instance %s comes from the first request after all: delete it (halo delete %s)"):format(
                report.clean(other.id), report.clean(other.id)))
        end
    end
    return inst, saved
end

---Creates an instance and waits until it runs. When it comes up broken, tries once more.
---@param payload table
---@param path string file for the answer
---@param before table[] the instances there were before
---@param timeout number seconds
---@param on_created fun(id: string, saved: string)
---@return table instance
function M.running(payload, path, before, timeout, on_created)
    local inst, saved = M.surely(payload, path, before)
    on_created(inst.id, saved)
    local ok, result = pcall(progress.wait, inst.id, "running", { timeout = timeout, step = true })
    if ok then
        return result
    elseif type(result) ~= "table" or result.kind ~= "failed" then
        error(result, 0)
    end
    ui.warn(("%s: creating another one; delete the broken one afterwards (halo delete %s)"):format(
        report.clean(tostring(result.message)), inst.id))
    pcall(fs.move, saved, (saved:gsub("%.json$", "") .. "-" .. inst.id .. ".json"))
    table.insert(before, { id = inst.id })
    inst, saved = M.surely(payload, path, before)
    on_created(inst.id, saved)
    return progress.wait(inst.id, "running", { timeout = timeout, step = true })
end

return M
