---The texts a migration leaves behind for people: the summary, and what to do when it stops half-way.
local clean = require "report".clean
local clock = require "clock"
local creation = require "creation"
local fs = require "fs"
local json = require "json"
local project = require "migration".project
local workdir = require "workdir"

local M = {}

---A path for pasting into a shell.
local function quote(path)
    return path:match("^[%w@%%+=:,./_-]+$") and path or "'" .. path:gsub("'", "'\\''") .. "'"
end

---What stands before the deletion.
---@param m halo.Migration
---@param now string UTC
---@param operator string
---@return string
function M.before_deletion(m, now, operator)
    local c, dump = m.config, m.dump
    local function line(label, value)
        return ("%-18s %s"):format(label, clean(value == nil and "(not told by the API)" or value))
    end
    local lines = {
        "Neo4j Aura Migration: Pre-Deletion Summary",
        "============================================",
        line("Date:", now),
        line("Operator:", operator),
        "",
        "Source Instance",
        "---------------",
        line("Instance ID:", m.id),
        line("Name:", c.name),
        line("Type/Tier:", c.type),
        line("Cloud Provider:", c.cloud_provider),
        line(tostring(c.cloud_provider):upper() .. " Region:", c.region),
        line("Memory (GB):", c.memory),
        line("Storage (GB):", c.storage),
        line("Project ID:", project(c)),
        line("Status:", c.status),
        "",
        "Dump File",
        "---------",
        line("Local path:", dump and dump.path or "NONE"),
        line("Source:", dump and ("Hourly automatic snapshot exported from Aura Console, given as " .. dump.given)
            or "--no-dump was given: the data of the source is not kept"),
    }
    local function add(...)
        lines[#lines + 1] = line(...)
    end
    if dump then
        add("Size:", dump.size .. " bytes")
        add("SHA-256:", dump.sha256)
        add("Copy in S3:", dump.s3 or "none")
    end
    lines[#lines + 1] = "\nStatus\n------"
    add("Dump verified:", dump and "YES (present, not empty, readable; a restore was not tried)"
        or "NO DUMP (--no-dump)")
    add("Config saved:", m.dir .. "/instance-config.json")
    return table.concat(lines, "\n") .. "\n"
end

---What stands about the recreation, written before the deletion too.
---@param m halo.Migration
---@return string
function M.plan(m)
    local lines = { "\nRecreation\n----------", "Request saved:     " .. m.dir .. "/create-payload.json",
        "Continue with:     " .. M.continue(m),
        "If this stops:     halo wait " .. m.id .. " deleted; " .. M.command(m) }
    for _, text in ipairs(m.lost) do
        lines[#lines + 1] = "Not carried over:  " .. clean(text)
    end
    return table.concat(lines, "\n") .. "\n"
end

---@param m halo.Migration
---@return string command that creates the instance from the saved request
function M.command(m)
    return "halo create --from " .. quote(m.dir .. "/create-payload.json")
end

---@param m halo.Migration
---@return string command that goes on where this stopped
function M.continue(m)
    return ("halo migrate %s --work-dir %s"):format(m.id, quote(m.dir))
end

---How to go on after a failure, for the step at which it came.
---@param m halo.Migration
---@param unsure boolean whether the failed request may have been carried out all the same
---@param fresh table[]? instances of the same name that were not there before, when looked for
---@return string
function M.stranded(m, unsure, fresh)
    local files = ("In %s: instance-config.json (configuration), create-payload.json (the request to create it)%s.")
        :format(m.dir, m.dump and ", " .. m.dump.name .. " (the dump)" or "; no dump, as --no-dump was given")
    if m.phase == "checking" then
        return "Nothing was deleted." .. (m.dump and m.dump.moved and ("\nThe dump is now %s: continue, or start again"
            .. " with another --work-dir and --dump %s"):format(m.dump.path, quote(m.dump.path)) or "")
    elseif m.phase == "continuing" then
        return "This process has deleted nothing. How far an earlier one came:  halo runs " .. quote(m.dir)
    elseif m.phase == "deleting" then
        return unsure and table.concat({
            ("Whether the source %s was deleted is not known, and nothing was created in its place."):format(m.id),
            "Look: halo get " .. m.id, "If it is gone, create the new one: " .. M.command(m), files }, "\n")
            or ("The source %s was not deleted. Nothing was created. The dump and the configuration are in %s."):format(
                m.id, m.dir)
    elseif m.phase == "leaving" then
        return table.concat({
            ("The source %s is being deleted, and nothing was created in its place yet."):format(m.id), files,
            "Or by hand:  halo wait " .. m.id .. " deleted", "and then:    " .. M.command(m) }, "\n")
    elseif m.phase == "deleted" or m.phase == "creating" and not unsure then
        return table.concat({
            ("The source %s (%s) IS DELETED and NOTHING IS IN ITS PLACE YET."):format(m.id, clean(m.config.name)),
            files, "Create it with:  " .. M.command(m), "Options of `halo create` override what the file says." }, "\n")
    elseif m.phase == "creating" then
        local lines = { ("The source %s (%s) IS DELETED. Whether the new instance was created is NOT KNOWN."):format(
            m.id, clean(m.config.name)), files }
        for _, inst in ipairs(fresh or {}) do
            lines[#lines + 1] = ("Instance %s (%s, created %s) is new since then%s."):format(clean(inst.id),
                clean(inst.name), clean(inst.created_at), #fresh == 1 and ": it is the one" or "")
        end
        if m.saved then
            lines[#lines + 1] = ("What the API answered, perhaps with the password, is in %s."):format(m.saved)
        end
        if not fresh or #fresh == 0 then
            lines[#lines + 1] = ("Look for one named %s created after %s: halo list"):format(clean(m.payload.name),
                m.create_began)
        end
        lines[#lines + 1] = "The API tells a password only once. If it is lost, delete that empty instance:"
            .. " halo delete " .. (fresh and fresh[1] and clean(fresh[1].id) or "ID")
        lines[#lines + 1] = "Then, or if there is none:  " .. M.command(m)
        return table.concat(lines, "\n")
    end
    return table.concat({
        ("The source %s is deleted; the new instance is %s. Its password is in %s."):format(m.id, clean(m.new_id),
            m.saved),
        "See how it is:  halo get " .. clean(m.new_id),
        "Wait for it:    halo wait " .. clean(m.new_id) .. " running",
        "If it is broken, create another:  " .. M.command(m) .. " --duplicate", files }, "\n")
end

local VERIFICATION = "\nVerification\n------------\n"

---Whether the summary tells how the new instance was compared with the old one.
---@param m halo.Migration
---@return boolean
function M.is_verified(m)
    return (fs.stat(m.summary) and fs.read(m.summary) or ""):find(VERIFICATION, 1, true) ~= nil
end

---Writes those records of what is known by now that are not there yet. One for which the disk was full is
---written when there is space again.
---@param m halo.Migration
function M.complete(m)
    local response = m.dir .. "/delete-response.json"
    if m.deletion and not fs.stat(response) then
        local body = m.deletion.body or ""
        workdir.record(fs.write, response, body ~= "" and body or json.encode({ status = m.deletion.status,
            answer = m.deletion.status and "not kept" or "lost", seen = m.deletion.seen }, { pretty = true }) .. "\n")
    end
    if m.created_at then
        local mark = ("New Instance ID:  %s\n"):format(clean(m.new_id))
        workdir.record(workdir.section, m.summary, mark,
            ("\nNew Instance\n------------\n%sPassword saved:   %s in %s (mode 0600)\n"):format(mark, m.created_at,
                m.saved))
    end
    local config = m.dir .. "/new-instance-config.json"
    if m.new_config and not fs.stat(config) then
        workdir.record(fs.write, config, m.new_config)
    end
    if m.verification then
        workdir.record(workdir.section, m.summary, VERIFICATION, VERIFICATION .. m.verification)
    end
end

---Adds to an error what has become of the source and how to go on, and leaves that in the summary.
---@param m halo.Migration
---@param err any
---@return any err
function M.explain(m, err)
    if type(err) ~= "table" then
        err = setmetatable({ kind = "script", message = tostring(err) }, { __tostring = function(e)
            return e.message .. "\n" .. e.hint
        end })
    end
    m.saved = m.saved or err.saved
    local text = M.stranded(m, not creation.refused(err), err.candidates)
    if not m.dry and m.job then
        text = ("Continue with:  %s\n%s"):format(M.continue(m), text)
    end
    err.hint = ((err.hint and err.hint .. "\n" or "") .. text):gsub("\n", "\n  ")
    if m.phase == "checking" or m.phase == "continuing" then
        return err
    end
    M.complete(m)
    text = ("\nStopped\n-------\n%s  %s\n%s\n"):format(clock.utc(), clean(err.message), text)
    workdir.record(workdir.section, m.summary, text, text)
    return err
end

---What to do once the new instance runs.
---@param result table
---@return string
function M.next_steps(result)
    local lines = {
        ("Migrated %s to %s."):format(result.source, clean(result.instance)),
        "",
        "New instance:    " .. clean(result.instance) .. " (" .. clean(result.name) .. ")",
        "Connection URL:  " .. clean(result.connection_url),
        "Password:        in " .. result.password_file .. " (mode 0600); move it to your secrets manager",
        "Audit:           " .. result.work_dir .. "/migration-summary.txt",
        "",
        "Next:",
    }
    lines[#lines + 1] = result.dump and ("  1. Load the data from %s: in the Aura Console (restore from backup file) or"
        .. " with neo4j-admin database upload"):format(result.dump)
        or "  1. There is no dump (--no-dump): the new instance stays empty until you load data"
    lines[#lines + 1] = "  2. Point the applications at the new connection URL and password"
    lines[#lines + 1] = "  3. Keep the work directory until the data has been checked"
    return table.concat(lines, "\n")
end

return M
