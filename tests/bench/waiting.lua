-- Waits for the instances 00000001 to arg[1] (hexadecimal), which stay as they are.
local aura, task = require "aura", require "task"
local ids = {}
for i = 1, tonumber(arg[1]) do
    ids[i] = ("%08x"):format(i)
end
task.all(ids, function(id) aura.wait_for_status(id, "paused", { interval = 20 }) end)
