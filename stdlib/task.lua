---Tasks: several things at once in one script. Every wait (a call of the API, a sleep, a question)
---lets the other tasks run.
local core = require "task.core"
local fail = require "fail"

local M = { sleep = core.sleep, spawn = core.spawn }

---Ends all of these tasks and waits until they have ended: nothing outlives its scope.
local function end_all(tasks)
    for _, t in ipairs(tasks) do
        t:cancel()
    end
    for _, t in ipairs(tasks) do
        pcall(t.wait, t)
    end
end

---Runs fn(item, index) for each item of the list, all at once or `limit` at a time.
---The first error cancels the rest and is raised when all have ended.
---@param list any[]
---@param fn fun(item: any, index: integer): any
---@param options? { limit?: integer }
---@return any[] results in the order of the list
function M.all(list, fn, options)
    local limit = options and options.limit or #list
    if math.type(limit) ~= "integer" or (limit < 1 and #list > 0) then
        fail("usage", "limit must be a whole number of at least 1", { op = "task.all" })
    end
    local results, tasks, next_index, failed, first = {}, {}, 0, false, nil
    local function work()
        while next_index < #list and not failed do
            next_index = next_index + 1
            local i = next_index
            results[i] = fn(list[i], i)
        end
    end
    local _scope <close> = setmetatable({}, { __close = function() end_all(tasks) end })
    for i = 1, math.min(limit, #list) do
        tasks[i] = core.spawn(function()
            local ok, err = xpcall(work, function(e) return e end)
            if not ok and not failed then
                failed, first = true, err
                for _, t in ipairs(tasks) do
                    t:cancel()
                end
            end
        end)
    end
    for _, t in ipairs(tasks) do
        t:wait()
    end
    if failed then
        error(first, 0)
    end
    return results
end

---Runs fn() and gives it up after so many seconds.
---@param seconds number
---@param fn fun(): any
---@return any ... what fn returns
function M.timeout(seconds, fn)
    local late = false
    local t = core.spawn(fn)
    local timer = core.spawn(function()
        core.sleep(seconds)
        late = true
        t:cancel()
    end)
    local _scope <close> = setmetatable({}, { __close = function() end_all { t, timer } end })
    local result = table.pack(pcall(t.wait, t))
    if result[1] then
        return table.unpack(result, 2, result.n)
    end
    local err = result[2]
    if late and type(err) == "table" and err.kind == "cancelled" then
        fail("timeout", ("not done after %g s"):format(seconds), { op = "task.timeout" })
    end
    error(err, 0)
end

return M
