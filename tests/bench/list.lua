-- Lists all instances and gets each, all at once.
local aura, task = require "aura", require "task"
task.all(aura.list(), function(inst) return aura.get(inst.id).status end)
