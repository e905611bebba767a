---Ids, passwords and tokens. Its own small generator, so that a seed gives the same ones every time.
local M = {}
M.__index = M

local LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

---@param seed integer
function M.new(seed)
    local rng = setmetatable({ state = seed ~= 0 and seed or 1 }, M)
    for _ = 1, 8 do
        rng:next()
    end
    return rng
end

---The next 64 bits (xorshift64*).
function M:next()
    local x = self.state
    x = x ~ (x >> 12)
    x = x ~ (x << 25)
    x = x ~ (x >> 27)
    self.state = x
    return x * 0x2545F4914F6CDD1D
end

---@param n integer number of characters
---@return string of letters, digits, - and _
function M:text(n)
    local out = {}
    for i = 1, n do
        local k = (self:next() >> 58) + 1
        out[i] = LETTERS:sub(k, k)
    end
    return table.concat(out)
end

---@return string eight lower-case hexadecimal digits
function M:id()
    return ("%08x"):format(self:next() >> 32)
end

---@return string
function M:uuid()
    local a, b = self:next(), self:next()
    return ("%08x-%04x-4%03x-%04x-%012x"):format(a >> 32, (a >> 16) & 0xffff, a & 0xfff, (b >> 50) | 0x8000,
        b & 0xffffffffffff)
end

---@return string as in X-Request-Id: 32 hexadecimal digits, a slash, a decimal number
function M:request_id()
    return ("%016x%016x/%d"):format(self:next(), self:next(), self:next() >> 1)
end

return M
