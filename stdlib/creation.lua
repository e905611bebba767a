---Creating instances so that neither the instance nor its password can get lost.
local aura = require "aura"
local change = require "change"
local clock = require "clock"
local fail = require "fail"
local fs = require "fs"
local instance = require "instance"
local json = require "json"
local progress = require "progress"
local report = require "report"
local settle = require "settle"
local task = require "task"
local ui = require "ui"
local workdir = require "workdir"

local M = {}

local LATE = 60                              -- seconds after which one look for a new instance is enough

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

---The ids of all instances of a project.
---@param tenant_id string
---@return string[]
function M.ids(tenant_id)
    local ids = {}
    for i, inst in ipairs(aura.list { tenant_id = tenant_id }) do
        ids[i] = inst.id
    end
    return json.array(ids)
end

---Instances of the payload's name that are new.
---@param payload table
---@param known string[] ids there were before
---@return table[]
function M.fresh(payload, known)
    local old, found = {}, {}
    for _, id in ipairs(known) do
        old[id] = true
    end
    for _, inst in ipairs(aura.list { tenant_id = payload.tenant_id }) do
        if not old[inst.id] and inst.name == payload.name then
            found[#found + 1] = inst
        end
    end
    return found
end

---Looks for what a lost request may have created.
---@param payload table
---@param known string[]
---@param asked number? when it was sent, in seconds since 1970
---@return table[] candidates
local function look(payload, known, asked)
    local passed = asked and clock.now() - asked or 0
    return settle.look(function()
        local found = M.fresh(payload, known)
        return #found > 0 and found
    end, passed > LATE or passed < 0) or {}
end

local function warn_of_others(payload, known, id)
    local ok, found = pcall(M.fresh, payload, known)
    for _, other in ipairs(ok and found or {}) do
        if other.id ~= id then
            ui.warn(("instance %s comes from the first request after all: delete it (halo delete %s)"):format(
                report.clean(other.id), report.clean(other.id)))
        end
    end
end

---The instance that a saved answer tells of, with its password.
---@param path string
---@return { id: string, password: string }? inst nil when there is no answer, or it is not whole
---@return boolean cut there is one that is not whole
function M.answer(path)
    local info = fs.stat(path)
    if not info or info.size == 0 then
        return nil, false
    end
    local value = json.read(fs.read(path))
    local inst = type(value) == "table" and (type(value.data) == "table" and value.data or value)
    if inst and tostring(inst.id):match("^[%w_-]+$") and type(inst.password) == "string" then
        return inst, false
    end
    return nil, true
end

---What the API tells of an instance that its list shows; nil when the list no longer does. Right after
---a creation the list has it while a GET (and a DELETE) still says 404.
local function appeared(payload, known, id)
    local deadline = clock.monotonic() + LATE
    while true do
        local ok, now = pcall(aura.get, id)
        if ok then
            return now
        elseif not instance.is_gone(now) or clock.monotonic() > deadline then
            error(now, 0)
        end
        local listed = false
        for _, each in ipairs(M.fresh(payload, known)) do
            listed = listed or each.id == id
        end
        if not listed then
            return nil
        end
        task.sleep(1)
    end
end

---Deletes an instance whose password nobody has ever seen.
local function delete_orphan(job, note, inst, c, known)
    local now = appeared(c.payload, known, inst.id)
    if not now then
        return
    end
    if (tonumber(now.graph_nodes) or 0) > 0 then
        fail("conflict", ("%s (%s) is new and holds data: it is left alone"):format(inst.id, report.clean(inst.name)),
            { op = "create", candidates = { inst }, hint = "if it is not needed, delete it or give it another name" })
    end
    local text = ("instance %s (%s, created %s) comes from the request whose answer was lost: it is empty and nobody "
        .. "has its password"):format(report.clean(inst.id), report.clean(inst.name), report.clean(inst.created_at))
    ui.warn(text .. "; it is deleted and created again")
    if not instance.is_going(now) then
        local question = ("Delete %s? As far as the journal tells, %s."):format(inst.id, text)
        if (job.continued or c.ask) and not ui.confirm(question) then
            fail("denied", ("not confirmed: %s was not deleted"):format(inst.id), { op = "create",
                candidates = { inst } })
        end
        note("orphan", inst.id)
        local sent, err = pcall(change.delete, inst.id)
        if not sent and type(err) == "table" and err.kind == "conflict" then     -- not while it is being created
            pcall(progress.wait, inst.id, "running", { timeout = c.timeout, step = true })
            change.delete(inst.id)
        elseif not sent then
            error(err, 0)
        end
    end
    progress.wait(inst.id, "deleted", { timeout = c.timeout, step = true })
end

---What became of a creation that was cut off.
local function became(job, note, c)
    local known = note("before")
    if not known or note "refused" then      -- cut off before it was sent; or it was sent in vain
        return { again = true }
    end
    local inst, cut = M.answer(c.path)
    if inst and inst.id ~= c.broken then
        return { done = { id = inst.id } }
    elseif cut then
        fs.move(c.path, workdir.free_name(c.path:gsub("%.json$", "") .. "-cut", ".json"))
    end
    local found = look(c.payload, known, note("asked"))
    if #found > 1 then
        local ids = {}
        for i, each in ipairs(found) do
            ids[i] = report.clean(each.id)
        end
        fail("conflict", ("%d instances named %s are new: %s. Which of them comes from this run cannot be told"):format(
            #found, report.clean(c.payload.name), table.concat(ids, ", ")), { op = "create", candidates = found,
            hint = "delete those that nobody needs (halo delete ID) or rename the others, then continue" })
    elseif found[1] then
        delete_orphan(job, note, found[1], c, known)
    end
    return { again = true }
end

---The step of a run that creates an instance. Its answer is on the disk before anything else happens;
---one whose answer was lost is deleted and created again.
---@param job halo.Job
---@param name string of the step
---@param c { payload: table, path: string, timeout: number, broken: string?, known: string[]?, ask: boolean? } path:
---       file for the answer; broken: id of one that came up broken, whose answer lies in that file; known: ids there
---       are now, when they were just read; ask: before a lost one is deleted, also in the process that created it
---@return { id: string, saved: string? } result saved: where the answer is, when it is not in path
function M.step(job, name, c)
    local options = { effect = "destroy", payload = c.payload, settle = function(_, note)
        return became(job, note, c)
    end }
    return (job:step(name, options, function(_, note)
        local by_hand = M.answer(c.path)     -- `halo create --from` of what an earlier process left
        if by_hand and by_hand.id ~= c.broken then
            return { id = by_hand.id }
        end
        local known = note("before") or note("before", c.known or M.ids(c.payload.tenant_id))
        local old = c.broken and M.answer(c.path)
        if old and old.id == c.broken then
            fs.move(c.path, workdir.free_name(c.path:gsub("%.json$", "") .. "-" .. c.broken, ".json"))
        end
        local nothing = not note "asked" or note "refused"       -- has been created by this run so far
        if note "refused" then
            note("refused", false)
        end
        note("asked", clock.now())
        local ok, inst, saved = pcall(M.once, c.payload, c.path)
        if not ok then
            if nothing and M.refused(inst) then
                note("refused", true)
            end
            error(inst, 0)
        end
        warn_of_others(c.payload, known, inst.id)
        return { id = inst.id, saved = saved ~= c.path and saved or nil }
    end))
end

---The step of a run that waits until an instance runs.
---@param job halo.Job
---@param name string of the step
---@param id string
---@param options { timeout: number, step: boolean? } as of progress.wait
---@return { broken: string? } result broken: why it never will
function M.running_step(job, name, id, options)
    return (job:step(name, function()
        local ok, err = pcall(progress.wait, id, "running", options)
        if not ok and not (type(err) == "table" and err.kind == "failed") then
            error(err, 0)
        end
        return { broken = not ok and report.clean(err.message) or nil }
    end))
end

return M
