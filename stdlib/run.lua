---Runs that can be cut off at any moment and continued: steps whose results are kept in a journal.
---
---    local run = require "run"
---    local job = run.open(dir, { name = "grow", input = args })
---    local before = job:step("capture", function() return aura.get(id) end)
---    local more = { memory = "16GB" }
---    job:step("resize", { settle = settle.patch(id, more) }, function() return aura.patch(id, more) end)
---    job:finish(before)
---
---A step that is done gives its recorded result and is not run again. One that was begun and not ended,
---or whose call failed as `ambiguous`, is settled: `settle(job, note)` looks at the service and returns
---`{ done = result }` or `{ again = true }`, or raises with instructions; settle.lua has ready-made ones. A
---step without `settle` is run again: only what can be done twice may go without. Inside, `note(key, value)`
---records what settling will need, before it is needed; `note(key)` gives it back.
local clock = require "clock"
local fail = require "fail"
local fs = require "fs"
local halo = require "halo"
local journal = require "journal"
local json = require "json"
local progress = require "progress"
local report = require "report"
local secret = require "secret"
local settle = require "settle"

local M = {}

local FILE = "/journal.jsonl"

---@class halo.Job
---@field dir string?
---@field continued boolean begun by an earlier process
---@field finished boolean
---@field result any of a finished one
local Job = {}
Job.__index = Job

local function equal(a, b)
    if type(a) ~= "table" or type(b) ~= "table" then
        return a == b
    end
    for key, value in pairs(a) do
        if not equal(value, b[key]) then
            return false
        end
    end
    for key in pairs(b) do
        if a[key] == nil then
            return false
        end
    end
    return true
end

---A value as it will be read back.
local function stored(value, what)
    local ok, text = pcall(json.encode, { value = value })
    if not ok and type(text) == "table" then
        fail("script", ("%s cannot be written down: %s"):format(what, tostring(text)))
    elseif not ok then
        error(text, 0)                       -- out of memory
    end
    return json.decode(text).value
end

---Puts events together to what they say.
local function replay(job, events)
    for _, event in ipairs(events) do
        local step = event.step and job.steps[event.step]
        if event.step and not step then
            step = { name = event.step, notes = {} }
            job.steps[event.step] = step
            job.order[#job.order + 1] = step
        end
        if event.event == "open" then
            job.name, job.input = event.name, event.input
        elseif event.event == "begin" then
            step.begun, step.problem = true, nil
        elseif event.event == "note" then
            step.notes[event.key] = event.value
        elseif event.event == "failed" then
            step.problem = event.message
        elseif event.event == "done" then
            step.done, step.at, step.result, step.file = true, event.at, event.result, event.file
        elseif event.event == "end" then
            job.finished, job.result = true, event.result
        end
        job.pid, job.at = event.pid or job.pid, event.at
    end
    return job
end

local function new(dir, name, input)
    return setmetatable({ dir = dir, name = name, input = input, steps = {}, order = {}, seen = {}, continued = false,
        finished = false }, Job)
end

---What the journal of a directory says, without opening it.
---@param dir string
---@return halo.Job? job nil when there is none, or it has no whole line
---@return string? problem when it is damaged
function M.peek(dir)
    local r, problem = journal.read(dir .. FILE)
    if not r or #r.events == 0 then
        return nil, problem
    end
    return replay(new(dir), r.events)
end

---The directory of a run that was cut off: of this script, with this input.
---@param stem string how the paths of the directories begin: `"./aura-create-"`
---@param name string of the script
---@param input table
---@return string? dir the first by name
function M.unfinished(stem, name, input)
    local parent, prefix = stem:match("^(.*/)([^/]*)$")
    input = stored(input, "the input of the run")
    local names = fs.list(parent)
    table.sort(names)
    for _, each in ipairs(names) do
        local dir = parent .. each
        if each:sub(1, #prefix) == prefix and fs.stat(dir .. FILE) then
            local ok, job = pcall(M.peek, dir)
            if ok and job and not job.finished and job.name == name and equal(job.input, input) then
                return dir
            end
        end
    end
    return nil
end

---Whether a process is working on it right now.
---@param dir string
---@return boolean
function M.busy(dir)
    local ok, held = pcall(fs.locked, dir .. FILE)
    return ok and held
end

---The name of the script that called the function which calls this.
local function caller()
    local info = debug and debug.getinfo and debug.getinfo(3, "S")
    return info and info.source:match("([^/@=]+)$"):gsub("%.lua$", "") or "script"
end

---Fails when a journal is not that of this script with this input.
local function check(job, name, input)
    local hint = ("nothing was changed; `halo runs %s` tells what is in it"):format(job.dir)
    if job.name ~= name then
        fail("usage", ("%s holds a run of %s, not of %s"):format(job.dir, report.clean(job.name), name),
            { hint = hint })
    elseif not equal(job.input, input) then
        local fields = {}
        for _, t in ipairs { job.input or {}, input or {} } do
            for key in pairs(type(t) == "table" and t or {}) do
                fields[key] = not equal((job.input or {})[key], (input or {})[key]) or nil
            end
        end
        fail("usage", ("%s holds a run of %s with other input (%s)"):format(job.dir, name,
            table.concat(report.keys(fields), ", ")), { hint = hint })
    end
end

-- What fs.write leaves behind when its process dies.
local function remove_leftovers(dir)
    for _, name in ipairs(fs.list(dir)) do
        if name:match("%.%d+%.%d+%.tmp$") then
            pcall(fs.remove, dir .. "/" .. name)
        end
    end
end

---Begins a run in a directory, or continues the one that is in it. In a dry run nothing is written.
---@param dir string? default: what --work-dir or WORK_DIR says
---@param options { name: string?, input: table?, command: string|false? }? name: of the script; input: what it
---       works on, compared when it is continued; command: how to continue, for messages; false: nothing is said
---@return halo.Job
function M.open(dir, options)
    options = options or {}
    local env = os.getenv("WORK_DIR")
    dir = dir or halo.options().work_dir or env ~= "" and env or nil
    local name = options.name or caller()
    local dry = halo.options().dry_run
    if not dir and not dry then
        fail("usage", "where is this run to be kept? Give --work-dir DIR", { op = name })
    end
    local input = options.input and stored(options.input, "the input of the run")
    if secret.inside(input) then
        fail("usage", "the input of a run holds a secret: a journal keeps none", { op = name })
    end
    local job = new(dir, name, input)
    job.dry, job.command = dry, options.command
    if options.command == nil then
        job.command = "run the same command again"
    end
    if dry then
        local old, problem
        if dir then
            old, problem = M.peek(dir)
        end
        if problem then
            fail("io", problem)
        elseif old then
            check(old, name, input)
            job.steps, job.order, job.continued = old.steps, old.order, true
            job.finished, job.result = old.finished, old.result
        end
        return job
    end
    fs.mkdir(dir)
    job.journal = journal.open(dir .. FILE)
    local ok, problem = pcall(function()
        if #job.journal.events > 0 then
            replay(job, job.journal.events)
            check(job, name, input)
            job.continued = true
        end
        if not job.finished then
            remove_leftovers(dir)
            job:record(job.continued and { event = "continue", pid = job.journal.pid }
                or { event = "open", name = name, input = input, pid = job.journal.pid, halo = halo.version })
        end
    end)
    if not ok then
        job:close()
        error(problem, 0)
    end
    return job
end

---Records an event, durably.
---@private
function Job:record(event)
    event.at = clock.utc()
    self.journal:add(event)
end

---Whether a step is done, and when.
---@param name string
---@return string? at UTC
function Job:done(name)
    local step = self.steps[name]
    return step and step.done and step.at or nil
end

---Whether a step was begun, by this process or an earlier one.
---@param name string
---@return boolean
function Job:begun(name)
    return self.steps[name] ~= nil and self.steps[name].begun == true
end

---What was noted in a step.
---@param name string
---@param key string
---@return any
function Job:noted(name, key)
    local step = self.steps[name]
    return step and step.notes[key]
end

---Adds how to continue to an error on its way out.
local function explained(job, err)
    if type(err) == "table" and job.command and not err.continue then
        err.continue = ("nothing is lost: to continue, %s (journal in %s)"):format(job.command, job.dir)
        err.hint = (err.hint and err.hint .. "\n  " or "") .. err.continue
    end
    return err
end

local function noter(job, step)
    return function(key, ...)
        if select("#", ...) > 0 then
            local value = stored((...), "the note " .. tostring(key))
            if secret.inside({ [key] = value }) then
                fail("usage", ("the note %s of step %s holds a secret: a journal keeps none"):format(key, step.name))
            end
            job:record { event = "note", step = step.name, key = key, value = value }
            step.notes[key] = value
        end
        return step.notes[key]
    end
end

---The result of a step that is done.
local function recall(job, step)
    if step.file then
        return json.decode(fs.read(job.dir .. "/" .. step.file)).value
    end
    return step.result
end

---Records the end of a step. A result with a secret goes to a file of its own, mode 0600.
local function complete(job, step, value)
    value = stored(value, "the result of step " .. step.name)
    local event = { event = "done", step = step.name, result = value }
    if secret.inside(value) then
        event.result, event.file = nil, ("secret-%s.json"):format(step.name:gsub("[^%w_-]", "_"))
        fs.write(job.dir .. "/" .. event.file, json.encode({ value = value }, { pretty = true }) .. "\n")
    end
    job:record(event)
    step.done, step.at, step.result, step.file = true, event.at, event.result, event.file
    return value
end

---Runs a step until it is done.
local function perform(job, step, options, fn)
    return complete(job, step, settle.perform({ what = step.name, settle = options.settle, note = noter(job, step),
        job = job, begun = step.begun, begin = function()
            job:record { event = "begin", step = step.name }
            step.begun = true
        end }, fn))
end

---Does one step, unless it is done already.
---@param name string unique in the run
---@param options { settle: function|table|nil, effect: string?, payload: table? }|function settle: see settle.lua;
---       effect and payload: shown in a dry run, in which a step that has `settle` or an effect is not run
---@param fn (fun(job: halo.Job, note: function): any)?
---@return any result as it is recorded, the first time too
---@return boolean recorded done before, by an earlier process
function Job:step(name, options, fn)
    if fn == nil then
        options, fn = {}, options
    end
    if type(name) ~= "string" or name == "" or #name > 100 or name:find("%c") then
        fail("usage", "a step needs a name of 1 to 100 characters")
    elseif type(fn) ~= "function" then
        fail("usage", ("step %s has no function"):format(name))
    elseif self.seen[name] then
        fail("usage", ("step %s is there twice: give each its own name"):format(name))
    end
    self.seen[name] = true
    local step = self.steps[name]
    if step and step.done then
        return recall(self, step), true
    elseif self.dry then
        if not options.settle and (options.effect or "read") == "read" then
            return fn(self, function() end), false
        end
        progress.dry("do " .. name, options.effect or "change", options.payload)
        return nil, false
    elseif self.stopped then
        error(self.stopped, 0)
    end
    if not step then
        step = { name = name, notes = {} }
        self.steps[name] = step
        self.order[#self.order + 1] = step
    end
    local ok, value = pcall(perform, self, step, options, fn)
    if ok then
        return value, false
    end
    local err = value
    if type(err) == "table" and err.kind == "cancelled" then
        self.stopped = err
    end
    pcall(self.record, self, { event = "failed", step = name, kind = type(err) == "table" and err.kind or nil,
        message = report.clean(type(err) == "table" and err.message or err):sub(1, 300) })
    error(explained(self, err), 0)
end

---Ends the run: opened again, it does nothing and has this result.
---@param result any
---@return any result
function Job:finish(result)
    if not self.finished and not self.dry then
        local value = stored(result, "the result of the run")
        if secret.inside(value) then
            fail("usage", "the result of the run holds a secret: a journal keeps none")
        end
        self:record { event = "end", result = value }
    end
    self.finished, self.result = true, self.finished and self.result or result
    self:close()
    return self.result
end

---Lets other processes continue the run.
function Job:close()
    if self.journal then
        self.journal:close()
    end
end

Job.__close = Job.close

return M
