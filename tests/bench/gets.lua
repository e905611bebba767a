-- Gets the instance arg[1] arg[2] times, one after another. For halo and for lua5.4.
local aura = require "aura"
for _ = 1, tonumber(arg[2]) do
    aura.get(arg[1])
end
