---Snapshots of an instance: a list in its record; their status follows from their times.
local answers = require "sandbox.answers"
local json = require "json"
local model = require "sandbox.model"

local M = {}

---The status of a snapshot. One set by hand (`POST /_sandbox/state`) stays.
local function status_of(snapshot, now)
    if snapshot.status then
        return snapshot.status
    elseif now < snapshot.starts then
        return "Pending"
    end
    return now < snapshot.ends and "InProgress" or "Completed"
end

---@return boolean
function M.exportable(snapshot, now)
    return status_of(snapshot, now) == "Completed" and not snapshot.differential
end

local function view(inst, snapshot, now)
    return { instance_id = inst.id, snapshot_id = snapshot.snapshot_id, profile = snapshot.profile,
        status = status_of(snapshot, now), timestamp = answers.timestamp(snapshot.at),
        exportable = M.exportable(snapshot, now) }
end

---Adds a snapshot to an instance.
---@param at number time at which it is asked for; may lie ahead
---@param profile "AdHoc"|"Scheduled"
function M.take(service, inst, at, profile)
    local starts = at + model.lasts(service, service.facts.snapshot_pending)
    local ends = starts + model.lasts(service, service.facts.snapshot_progress, inst.memory)
    local snapshot = { snapshot_id = service.rng:uuid(), profile = profile, at = at, starts = starts, ends = ends }
    inst.snapshots[#inst.snapshots + 1] = snapshot
    return snapshot
end

---The snapshot that is being taken, if any.
local function running(inst, now)
    for _, snapshot in ipairs(inst.snapshots) do
        local status = status_of(snapshot, now)
        if snapshot.at <= now and (status == "Pending" or status == "InProgress") then
            return snapshot
        end
    end
end

---A snapshot of an instance; ends the request when there is none.
---@param id string
---@return table snapshot
function M.find(service, inst, id)
    for _, snapshot in ipairs(inst.snapshots) do
        if snapshot.snapshot_id == id and snapshot.at <= service.now() then
            return snapshot
        end
    end
    answers.refuse(404, "snapshot-not-found", "Snapshot not found: " .. id)
    return {}
end

---GET /instances/{id}/snapshots?date=YYYY-MM-DD, today when no date is given
function M.list(service, req, id)
    local inst, now = model.find(service, id), service.now()
    local date = req.query.date or answers.timestamp(now):sub(1, 10)
    if not date:match("^%d%d%d%d%-%d%d%-%d%d$") then
        answers.refuse(400, "invalid-field", "date must be written YYYY-MM-DD", "date")
    end
    local list, oldest = {}, now - service.facts.retained_days * 86400
    for i = #inst.snapshots, 1, -1 do           -- the newest first
        local snapshot = inst.snapshots[i]
        if snapshot.at <= now and snapshot.at >= oldest and answers.timestamp(snapshot.at):sub(1, 10) == date then
            list[#list + 1] = view(inst, snapshot, now)
        end
    end
    return 200, { data = json.array(list) }
end

---POST /instances/{id}/snapshots
function M.create(service, _, id)
    local inst, now = model.find(service, id), service.now()
    model.allow(service, inst, "snapshot")
    if service.tenants[inst.tenant_id].billing == false then
        answers.refuse(402, "missing-billing-details", "Snapshots need billing details")
    elseif running(inst, now) then
        answers.refuse(409, "snapshot-not-allowed", "A snapshot of this instance is being taken already")
    end
    return 202, { data = { snapshot_id = M.take(service, inst, now, "AdHoc").snapshot_id } }
end

---GET /instances/{id}/snapshots/{snapshot id}
function M.get(service, _, id, snapshot_id)
    local inst = model.find(service, id)
    return 200, { data = view(inst, M.find(service, inst, snapshot_id), service.now()) }
end

---POST /instances/{id}/snapshots/{snapshot id}/restore
function M.restore(service, _, id, snapshot_id)
    local inst = model.find(service, id)
    local snapshot = M.find(service, inst, snapshot_id)
    model.allow(service, inst, "restore")
    local status = status_of(snapshot, service.now())
    if status ~= "Completed" then
        answers.refuse(409, "snapshot-not-allowed", ("Snapshot %s is %s"):format(snapshot_id, status))
    end
    model.begin(service, inst, "restore", snapshot.used and { used = snapshot.used } or nil)
    return 202, { data = model.view(service, inst, true) }
end

return M
