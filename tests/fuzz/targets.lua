---The fuzz targets that are Lua: functions of the input. What is wrong raises; what a target expects to
---be raised, it catches. Also the names of all targets, for tests/fuzz/run.sh.
local args = require "args"
local fail = require "fail"
local journal = require "journal"
local json = require "json"
local run = require "run"
local sandbox = require "sandbox"
local script = require "script"
local size = require "size"

local M = {}

---Calls fn; an error must be one of these kinds, as a mistake in our own Lua is not.
local function refuses(kinds, fn, ...)
    local result = table.pack(pcall(fn, ...))
    if not result[1] and not (type(result[2]) == "table" and kinds[result[2].kind]) then
        error(tostring(result[2]), 0)
    end
    return table.unpack(result, 1, result.n)
end

local function same(a, b, what)
    if a ~= b then
        error(("%s: %q is not %q"):format(what, a, b), 0)
    end
end

---What can be read can be written, and read again as the same.
function M.json(input)
    local ok, value = refuses({ invalid = true }, json.decode, input, { null = true })
    local written, text = refuses({ invalid = true }, json.encode, value)        -- 1e999 is read, as infinite
    if ok and written then
        same(json.encode(json.decode(text, { null = true })), text, "read again")
        same(json.encode(json.decode(json.pretty(input), { null = true })), text, "pretty")
    end
end

---A journal as it is, and with the checksums that its lines should have.
function M.journal(input)
    journal.parse(input)
    local text = input:gsub("[^\n]+", function(line)
        local rest = line:gsub('^{"sum":"%x*",', "{")
        return ('{"sum":"%08x",%s'):format(journal.crc32(rest), rest:sub(2))
    end)
    journal.read = function() return journal.parse(text) end
    local job = run.peek("")
    if job then
        job:done "a"
        job:noted("a", "k")
    end
end

local DECLARATION = {
    { "instance", "id", "an id", env = "A" }, { "n", "integer", "a number", default = 3, min = 0, max = 9 },
    { "s", "size", "a size", optional = true }, { "wait", "seconds", "a time", default = 1.5, min = 0 },
    { "flag", "boolean", "a flag" }, { "no_dump", "boolean", "another" }, { "all", "string", "many", list = true },
    { "kind", "string", "a choice", choices = { "a", "b" }, default = "a" },
    { "file", "file", "a file", optional = true, positional = true },
}

---The first line declares arguments as JSON, or is empty; each other line is a word.
function M.args(input)
    local words = {}
    for line in (input .. "\n"):gmatch("([^\n]*)\n") do
        words[#words + 1] = line
    end
    local given = json.read(table.remove(words, 1))
    local list, message = args.declare(given == nil and DECLARATION or given)
    if not list then
        assert(type(message) == "string")
        return
    end
    local function getenv(name) return name == "A" and words[1] or nil end
    args.help(list)
    args.usage(list)
    args.wants_help(words)
    local values, origin = args.parse(list, words, getenv)
    assert(type(origin) == (values and "table" or "string"))
    local named = json.read(words[1] or "")
    values, origin = args.from_table(list, type(named) == "table" and named or {}, getenv)
    assert(type(origin) == (values and "table" or "string"))
    for _, word in ipairs(words) do
        pcall(size.normalise, word)
    end
end

---The declaration of a script, as JSON.
function M.script(input)
    local value = json.read(input)
    if type(value) == "table" then
        value.run = value.run and function() end
        local ok, decl = refuses({ script = true }, script.check, value, "input")
        if ok then
            script.help("input", decl)
        end
    end
end

---Requests between lines of dashes: METHOD PATH?QUERY, headers, an empty line, the body. `token` stands
---for a good one.
local function requests(service, input)
    local _, _, body = service:handle { method = "POST", path = "/oauth/token", query = {}, body =
        "grant_type=client_credentials", headers = { authorization = "Basic c2FuZGJveDpzYW5kYm94" } }
    local granted = json.read(body)                      -- a fault may have eaten it
    local token = type(granted) == "table" and granted.access_token or "none"
    for text in (input .. "\n---\n"):gmatch("(.-)\n%-%-%-\n") do
        local head, content = text:match("^(.-)\n\n(.*)$")
        head = head or text
        local method, target = head:match("^(%S+) (%S*)")
        local path, query = (target or "/"):match("^([^?]*)%??(.*)$")
        local req = { method = method or "GET", path = path, query = {}, body = content or "", headers = {
            authorization = "Bearer " .. token, ["content-type"] = "application/json" } }
        for name, value in query:gmatch("([^&=]+)=([^&]*)") do
            req.query[name] = value
        end
        for name, value in head:gmatch("\n([%w-]+): ?([^\n]*)") do
            req.headers[name:lower()] = value:gsub("token", token)
        end
        local status, headers, answer = service:handle(req)
        assert(math.type(status) == "integer" and status >= 200 and status <= 599, "not a status")
        assert(type(headers) == "table" and type(answer) == "string", "not an answer")
    end
end

local now = 1800000000

local function service_with(faults)
    now = 1800000000
    return sandbox.new { speed = 600, token_ttl = 300, faults = faults, warn = function(text) error(text, 0) end,
        now = function()
            now = now + 7
            return now
        end }
end

function M.sandbox(input)
    requests(service_with(), input)
end

---The first line is a list of faults.
function M.faults(input)
    local rules, rest = input:match("^([^\n]*)\n?(.*)$")
    local service, message = service_with { rules }
    if service then
        requests(service, rest .. "\n---\nGET /v1/instances\n---\nGET /_sandbox/faults")
    else
        assert(type(message) == "string")
    end
end

---aura.request: the path is refused, or the call is, as nothing can wait here.
function M.path(input)
    local aura = require "aura"
    aura.try.request("GET", input)
    for _, name in ipairs { "get", "delete" } do
        aura.try[name](input)
    end
    aura.try.create(json.read(input))
    aura.try.patch("3fa29c1e", json.read(input))
    local ok = refuses({ usage = true }, aura.request, "DELETE", input)
    if ok then
        fail("script", "a call outside a task")
    end
end

return M
