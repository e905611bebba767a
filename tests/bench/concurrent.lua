-- Gets the instance arg[1] arg[2] times, all at once.
local aura, task = require "aura", require "task"
local ids = {}
for i = 1, tonumber(arg[2]) do
    ids[i] = arg[1]
end
task.all(ids, function(id) return aura.get(id).status end)
