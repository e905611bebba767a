---The journal of a run: one JSON line for each event, on the disk before anything is done about it.
---
---Each line begins with a checksum of the rest and holds its own number. A last line that is not whole
---was cut off by the end of its process; nothing was done on its account, so it is dropped. Anything
---else that is wrong is damage.
local fail = require "fail"
local fs = require "fs"
local json = require "json"

local M = {}

local MAX = 256 * 1024 * 1024
local POLYNOMIAL = 0xEDB88320

local crc_table = {}
for i = 0, 255 do
    local c = i
    for _ = 1, 8 do
        c = c & 1 == 1 and POLYNOMIAL ~ (c >> 1) or c >> 1
    end
    crc_table[i] = c
end

---CRC-32 as zlib and gzip have it.
---@param text string
---@return integer
function M.crc32(text)
    local c = 0xFFFFFFFF
    for i = 1, #text do
        c = crc_table[(c ~ text:byte(i)) & 0xFF] ~ (c >> 8)
    end
    return c ~ 0xFFFFFFFF
end

---@param event table
---@return string line with its newline
function M.line(event)
    local text = json.encode(event)
    return ('{"sum":"%08x",%s\n'):format(M.crc32(text), text:sub(2))
end

---Whether an event has what those who read it rely on.
local function sound(event)
    local step = event.event == "begin" or event.event == "note" or event.event == "failed" or event.event == "done"
    return type(event.event) == "string" and (event.step == nil and not step or type(event.step) == "string")
        and (event.event ~= "note" or event.key ~= nil)
end

---Reads one line; nil when it is not whole.
local function parse(line)
    local sum, rest = line:match('^{"sum":"(%x%x%x%x%x%x%x%x)",(.*)$')
    if not sum or tonumber(sum, 16) ~= M.crc32("{" .. rest) then
        return nil
    end
    local event = json.read("{" .. rest)
    return type(event) == "table" and sound(event) and event or nil
end

---@class halo.Events
---@field events table[]
---@field size integer bytes of the whole lines
---@field torn boolean something follows them
---@field open boolean the last event has no newline yet

---Reads the text of a journal.
---@param text string
---@return halo.Events? events nil when it is damaged
---@return string? problem
function M.parse(text)
    local r = { events = {}, size = 0, torn = false, open = false }
    for line, newline in text:gmatch("([^\n]*)(\n?)") do
        local whole = parse(line)
        if whole and whole.n == #r.events + 1 then
            r.events[#r.events + 1], r.size, r.open = whole, r.size + #line + #newline, newline == ""
        elseif newline == "" then
            r.torn = line ~= ""
            break
        else
            return nil, ("line %d is damaged"):format(#r.events + 1)
        end
    end
    return r
end

---Reads a journal that another process may be writing; changes nothing.
---@param path string
---@return halo.Events? events nil when there is none, or it is damaged
---@return string? problem when it is damaged
function M.read(path)
    if not fs.stat(path) then
        return nil
    end
    local r, problem = M.parse(fs.read(path, MAX))
    return r, problem and ("%s: %s"):format(path, problem)
end

---@class halo.Journal
---@field path string
---@field events table[]
---@field pid integer? of this process
local Journal = {}
Journal.__index = Journal

---Opens a journal for writing, alone. What is in it stays as it is until the first `add`.
---@param path string
---@return halo.Journal
function M.open(path)
    local lock, pid = fs.lock(path)
    if not lock then
        collectgarbage()                     -- one of ours that was dropped without being closed
        lock, pid = fs.lock(path)
    end
    if not lock then
        local r = M.read(path)
        local last
        for _, event in ipairs(r and r.events or {}) do
            last = event.pid or last
        end
        fail("io", ("%s is being used by another halo%s"):format(path, last and ", process " .. last or ""),
            { hint = "wait until that one has ended; nothing was changed" })
    end
    local r, problem = M.read(path)
    if not r then
        lock:close()
        fail("io", problem or "cannot read " .. path, { hint = "nothing was changed; the journal is plain text, "
            .. "one event a line: look into it before anything else is done to these instances" })
    end
    return setmetatable({ path = path, lock = lock, pid = pid, events = r.events, size = r.size, torn = r.torn,
        open = r.open }, Journal)
end

---Adds an event: on the disk when this returns.
---@param event table
function Journal:add(event)
    if self.broken then
        fail("io", self.path .. " could not be written before: nothing more is done")
    end
    event.n = #self.events + 1
    local line = M.line(event)
    self.broken = true
    if self.torn then
        self.lock:cut(self.size)
        self.torn = false
    end
    self.lock:append((self.open and "\n" or "") .. line)
    self.broken, self.open = false, false
    self.events[event.n] = event
end

---Lets others use it.
function Journal:close()
    self.lock:close()
end

return M
