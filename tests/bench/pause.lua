-- Pauses the instances 00000001 to arg[1] (hexadecimal), all at once, and waits for each, looking every
-- arg[2] seconds where that is given. For lua5.4, too: first all are paused, then each is waited for.
local aura = require "aura"
local halo, task = pcall(require, "task")
local ids = {}
for i = 1, tonumber(arg[1]) do
    ids[i] = ("%08x"):format(i)
end
local function wait(id)
    aura.wait_for_status(id, "paused", { interval = tonumber(arg[2]) })
end
if halo then
    task.all(ids, function(id)
        aura.pause(id)
        wait(id)
    end)
else
    for _, each in ipairs { aura.pause, wait } do
        for _, id in ipairs(ids) do
            each(id)
        end
    end
end
