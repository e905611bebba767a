local fail = require "fail"
local fs = require "fs"
local json = require "json"
local report = require "report"
local run = require "run"

---What the journal of a directory says; nil when there is none.
local function look(dir)
    local job, problem = run.peek(dir)
    if problem then
        return { dir = dir, state = "damaged", detail = problem }
    elseif not job then
        return nil
    end
    local done, open = 0, nil
    for _, step in ipairs(job.order) do
        done = done + (step.done and 1 or 0)
        open = not step.done and step or open
    end
    local state = job.finished and "finished" or run.busy(dir) and "running" or "unfinished"
    local detail = ("%d steps done"):format(done)
    if open and not job.finished then
        detail = ("%s, in %s%s"):format(detail, open.name, open.problem and ": " .. open.problem or "")
    end
    if state == "running" then
        detail = ("%s, process %s"):format(detail, tostring(job.pid))
    end
    return { dir = dir, script = job.name, state = state, last = job.at, detail = detail }
end

---@type halo.Script
return {
    summary = "List runs that keep a journal, such as migrations and creations, with how far each has come.",
    effect  = "read",
    args    = {
        { "dir", "string", "directory with runs in it, or that of one run; default .", optional = true,
            positional = true },
    },
    details = [[
A run that is unfinished is continued by starting the same script with the same --work-dir, for instance
`halo migrate ID --work-dir DIR`; `halo create`, given again as it was, finds its own in ./aura-create-*.
A finished one does nothing when it is started again.]],
    run = function(args)
        local dir = (args.dir or "."):gsub("(.)/+$", "%1")
        local info = fs.stat(dir)
        if not info or info.type ~= "directory" then
            fail("usage", dir .. " is not a directory")
        end
        local list = { look(dir) }
        for _, name in ipairs(fs.list(dir)) do
            local path = (dir == "." and "" or dir == "/" and "/" or dir .. "/") .. name
            if (fs.stat(path) or {}).type == "directory" then
                list[#list + 1] = look(path)
            end
        end
        return json.array(list)
    end,
    show = function(list)
        local rows = {}
        for i, each in ipairs(list) do
            rows[i] = { each.dir, each.script, each.state, each.last, each.detail }
        end
        return #rows > 0 and report.columns({ "DIRECTORY", "SCRIPT", "STATE", "LAST EVENT", "DETAIL" }, rows)
            or "no runs"
    end,
}
