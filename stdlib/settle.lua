---Changes whose answer may get lost: what became of them is settled by looking, never by sending blindly.
---
---    local settle = require "settle"
---    settle.surely("pause " .. id, settle.pause(id), function() return aura.pause(id) end)      -- no journal
---    job:step("pause", { settle = settle.pause(id) }, function() return aura.pause(id) end)     -- of a run
---
---A settler is a function `look(job, note)`, or a table `{ before = function(job, note), look = look }`.
---`before` notes what looking will need, before the change is sent. `look` returns `{ done = result }` or
---`{ again = true }`, or raises with instructions. Those below are ready-made; a settler of your own is
---fit for the same places. What they find done is accepted: wait for it with `aura.wait_for_status`.
---Their last argument may be `{ client = c }`, where `c` is what the change is made with: `c:pause(id)`.
local aura = require "aura"
local clock = require "clock"
local fail = require "fail"
local instance = require "instance"
local report = require "report"
local size = require "size"
local task = require "task"
local ui = require "ui"

local M = {}

local TRIES = 3                              -- times that a change is sent by one process
-- Seconds before each further look: the API shows what it has accepted a few seconds late.
local LOOKS = { 1, 2, 4, 8 }
-- Kinds of errors that tell nothing but that it could not be looked.
local BLIND = { transport = true, api = true, rate_limited = true }

---Looks until something is seen, or until the API has had the time to show it.
---@param see fun(): any nil or false: nothing yet
---@param once boolean? one look is enough, as it was sent long ago
---@return any what see returned last
function M.look(see, once)
    local seen = see()
    for _, seconds in ipairs(once and {} or LOOKS) do
        if seen then
            break
        end
        task.sleep(seconds)
        seen = see()
    end
    return seen
end

---Asks a settler. One that could not look leaves the failure that made it necessary.
local function ask(t, settler, failure)
    ui.say(("settling %s: looking what became of it"):format(t.what))
    local ok, seen = pcall(settler.look, t.job, t.note)
    if not ok then
        if failure and type(seen) == "table" and BLIND[seen.kind] then
            failure.hint = ("%sand what became of it could not be seen: %s"):format(
                failure.hint and failure.hint .. "\n  " or "", report.clean(seen.message))
            error(failure, 0)
        end
        error(seen, 0)
    elseif type(seen) ~= "table" or (seen.again and true or false) == (seen.done ~= nil) then
        fail("script", ("settle of %s must return { done = result } or { again = true }"):format(t.what))
    end
    return seen
end

---Does something until it is known to be done. The one loop for runs (run.lua) and for `surely`.
---@param t { what: string, settle: function|table|nil, note: function, job: halo.Job?, begun: boolean?,
---       begin: fun()? } what: for messages; begun: an earlier process may have done it; begin: before each try
---@param fn fun(job: halo.Job?, note: function): any
---@return any result
function M.perform(t, fn)
    local settler = type(t.settle) == "function" and { look = t.settle } or t.settle
    local tried, unsure, failure = t.begun, t.begun and settler, nil
    for try = 1, TRIES + 1 do
        if unsure then
            local seen = ask(t, settler, failure)
            if not seen.again then
                return seen.done
            elseif failure and (failure.kind == "conflict" or try > TRIES) then
                error(failure, 0)
            end
        end
        task.sleep(0)                        -- after an interrupt nothing begins
        if t.begin then
            t.begin()
        end
        if settler and settler.before then
            settler.before(t.job, t.note)
        end
        local ok, value = pcall(fn, t.job, t.note)
        if ok then
            return value
        end
        local kind = type(value) == "table" and value.kind
        -- A refusal after a try that nobody answered may be due to that one.
        unsure = settler and (kind == "ambiguous" or kind == "conflict" and tried)
        if not unsure then
            error(value, 0)
        end
        ui.warn(("%s: %s"):format(t.what, report.clean(value.message)))
        tried, failure = true, value
    end
end

---Does a change without a journal: when its answer is lost, looks, and does it again only when it was not done.
---@param what string for messages: `"pause 3fa29c1e"`
---@param settler function|table see above
---@param fn fun(job: nil, note: function): any
---@return any result of fn, or what the settler found done
function M.surely(what, settler, fn)
    local notes = {}
    return M.perform({ what = what, settle = settler, note = function(key, ...)
        if select("#", ...) > 0 then
            notes[key] = (...)
        end
        return notes[key]
    end }, fn)
end

---Makes a call with the client of the options, or with the default one.
local function with(options, call, ...)
    if options and options.client then
        return call(options.client, ...)
    end
    return call(...)
end

---A settler for what shows in the status.
local function by_status(id, options, ...)
    local proof = {}
    for _, status in ipairs { ... } do
        proof[status] = true
    end
    return function()
        local inst = M.look(function()
            local now = with(options, aura.get, id)
            return proof[instance.status(now)] and now
        end)
        return inst and { done = inst } or { again = true }
    end
end

---Of `aura.pause(id)`: it is paused, or pausing.
---@param id string
---@param options { client: aura? }?
---@return function settler its result is the instance
function M.pause(id, options)
    return by_status(id, options, "pausing", "paused")
end

---Of `aura.resume(id)`: it runs, or is resuming.
---@param id string
---@param options { client: aura? }?
---@return function settler its result is the instance
function M.resume(id, options)
    return by_status(id, options, "resuming", "running")
end

---Of `aura.delete(id)`: it is gone, or going. Only for an instance that a GET has found: a new one is not
---found for a few seconds.
---@param id string
---@param options { client: aura? }?
---@return function settler its result is `{ seen = status }`, where the status may be "gone"
function M.delete(id, options)
    return function()
        local seen = M.look(function()
            local ok, now = pcall(with, options, aura.get, id)
            if not ok and not instance.is_gone(now) then
                error(now, 0)
            end
            return not ok and "gone" or instance.is_going(now) and instance.status(now)
        end)
        return seen and { done = { seen = seen } } or { again = true }
    end
end

local function same(field, have, want)
    if (field == "memory" or field == "storage") and size.valid(have) and size.valid(want) then
        return size.gb(have) == size.gb(want)
    end
    return have == want
end

---Of `aura.patch(id, fields)`: it has these values, once it is settled.
---@param id string
---@param fields table as they are sent
---@param options { client: aura?, timeout: number? }? timeout: seconds to wait until an update has ended
---@return function settler its result is the instance
function M.patch(id, fields, options)
    return function()
        local inst = M.look(function()
            local now = with(options, aura.get, id)
            if instance.status(now) == "updating" then
                now = with(options, aura.wait_for_status, id, { "running", "paused" },
                    { timeout = options and options.timeout })
            end
            for field, want in pairs(fields) do
                if not same(field, now[field], want) then
                    return nil
                end
            end
            return now
        end)
        return inst and { done = inst } or { again = true }
    end
end

-- How far the clock here and the API's may be apart, in seconds.
local SKEW = 3600

---The snapshots of the days around a moment, and of today. The API lists one day (UTC) at a time, its own
---today when none is named; the day may change between two requests, and there before here.
local function snapshots(id, at, options)
    local days, seen, list = { false }, {}, {}
    for _, time in ipairs { at - SKEW, at, math.min(at + SKEW, math.max(at, clock.now())) } do
        local day = clock.utc(time):sub(1, 10)
        if day ~= days[#days] then
            days[#days + 1] = day
        end
    end
    for _, day in ipairs(days) do
        for _, each in ipairs((with(options, aura.snapshot.list, id, { date = day or nil }))) do
            if not seen[each.snapshot_id] then
                seen[each.snapshot_id] = true
                list[#list + 1] = each
            end
        end
    end
    return list
end

---Of `aura.snapshot.create(id)`, whose answer alone tells the new id: there is a snapshot, not one by the
---schedule, that was not there before; the newest when there are several.
---@param id string of the instance
---@param options { client: aura? }?
---@return table settler its result is `{ snapshot_id = string }`
function M.snapshot(id, options)
    local function before(_, note)
        if note "before" then
            return
        end
        local at, ids = clock.now(), {}
        for i, each in ipairs(snapshots(id, at, options)) do
            ids[i] = each.snapshot_id
        end
        note("before", { at = at, ids = ids })
    end
    local function look(_, note)
        local known, old = note "before", {}
        if not known then                    -- cut off before it was sent
            return { again = true }
        end
        for _, snapshot_id in ipairs(known.ids) do
            old[snapshot_id] = true
        end
        local new = M.look(function()
            local newest
            for _, each in ipairs(snapshots(id, known.at, options)) do
                local ours = not old[each.snapshot_id] and tostring(each.profile):lower() ~= "scheduled"
                if ours and (not newest or tostring(each.timestamp) > tostring(newest.timestamp)) then
                    newest = each
                end
            end
            return newest
        end)
        return new and { done = { snapshot_id = new.snapshot_id } } or { again = true }
    end
    return { before = before, look = look }
end

return M
