-- For the tests of the primitives: the emulator of sandbox_box.lua behind real HTTP, in this very process. Its clock
-- is the test's, and goes on by `step` seconds with every request, so that nothing waits for real; a box that is
-- `real` has the time of day, for answers that hold a date. One that is `one_each` closes every connection.
local aura = require "aura"
local clock = require "clock"
local httpd = require "httpd"
local json = require "json"
local lu = require "luaunit"
local sandbox_box = require "sandbox_box"
local server = require "server"
local task = require "task"

local M = setmetatable({}, { __index = sandbox_box })

local http = httpd.listen {}
local serving                       -- the task that lets the current box answer
local current

M.base_url = "http://127.0.0.1:" .. http.port
-- The first client of a run is the default one, which `aura.get` and so on use.
aura.auth { base_url = M.base_url, client_id = "sandbox", client_secret = "sandbox" }

local function serve()
    while true do
        local req = http:next()
        current:answer(req)
    end
end

---The tearDown of every test: a run goes on as long as it has tasks.
function M.stop()
    if serving then
        serving:cancel()
        pcall(serving.wait, serving)
        serving = nil
    end
end

local Box = {}
Box.__index = Box

---Lets a box answer on a port of its own, beside all others, until its `close`.
local function serve_apart(b)
    b.http = httpd.listen {}
    b.base_url = "http://127.0.0.1:" .. b.http.port
    b.serving = task.spawn(function()
        local req = b.http:next()
        while req do
            b:answer(req)
            req = b.http:next()
        end
    end)
end

---A fresh emulator that answers from now on, with a client `c` of its own.
---@param options table? as for require "sandbox".new, and `apart`, to have several at a time (close them);
---  limits of tokens and requests are off unless switched on
function M.start(options)
    options = options or {}
    options.switches = options.switches or {}
    options.switches.token_rate = options.switches.token_rate or 0
    local self = sandbox_box.new(options)
    setmetatable(Box, getmetatable(self))
    setmetatable(self, Box)
    self.step, self.log, self.used = 0, {}, self.service:issued()
    if options.apart then
        serve_apart(self)
    else
        current, serving = self, serving or task.spawn(serve)
    end
    self.c = self:client()
    return self
end

---The end of a box that is apart.
function Box:close()
    self.http:close()
    self.serving:wait()
end

---Another client; every one may send 20 requests at once before it is slowed down.
function Box:client(id, secret)
    return aura.auth { base_url = self.base_url or M.base_url, client_id = id or "sandbox",
        client_secret = secret or "sandbox" }
end

---Leaves a request unanswered, for as long as the client waits and no longer than so many seconds.
local function hang(req, seconds)
    local ends = clock.monotonic() + seconds
    while req:connected() and clock.monotonic() < ends do
        task.sleep(0.05)                -- there is nothing that tells when a client goes away
    end
    req:reply(503, {}, "", { reset = true })
end

function Box:answer(req)
    local token = req.path == "/oauth/token"
    self.at = self.real and clock.now() or self.at + (token and 0 or self.step)
    local status, headers, text, transport = self.service:handle(req)
    self.log[#self.log + 1] = { what = req.method .. " " .. req.path, query = req.query, body = req.body,
        sent = req.headers, status = status, headers = headers, text = text, token = token }
    headers.Connection = self.one_each and "close" or nil
    if transport and transport.hang then
        task.spawn(hang, req, transport.hang)
    else
        req:reply(status, headers, text, transport)
    end
end

---The last thing that was asked over HTTP, tokens aside; and how many there were.
function Box:last()
    local n, last = 0, nil
    for _, entry in ipairs(self.log) do
        if not entry.token then
            n, last = n + 1, entry
        end
    end
    return last, n
end

---The statuses of all answers over HTTP, tokens aside, such as { 401, 200 }.
function Box:answers()
    local list = {}
    for _, entry in ipairs(self.log) do
        list[#list + 1] = not entry.token and entry.status or nil
    end
    return list
end

---Tokens given out over HTTP.
function Box:tokens()
    return self.service:issued() - self.used
end

---The emulator's own record of an instance; nil when it is gone.
function Box:record(id)
    self:send("GET", "/_sandbox/state")                  -- brings it up to now
    return self.service.instances[id]
end

---Puts an instance into a state.
function Box:put(id, fields)
    fields.id = id
    local status, body = self:change { instances = { fields } }
    lu.assertEquals(status, 200, json.encode(body))
end

---The id of an example's finished snapshot, which can be exported, and of one that cannot.
function Box:snapshots(id)
    local list = self.service.instances[id].snapshots
    return list[1].snapshot_id, list[2].snapshot_id
end

---The names of all primitives that the module has: "get", "snapshot.create", ...
function M.primitives()
    local names = {}
    local function add(prefix, from)
        for name, value in pairs(from) do
            if type(value) == "function" then
                names[prefix .. name] = true
            elseif name ~= "try" then
                add(prefix .. name .. ".", value)
            end
        end
    end
    add("", aura)
    names.auth = nil
    return names
end

---A primitive by its full name: of the module, of module.try, of a client or of client.try.
---@return function call the client, if it is one, is its first argument already
function M.primitive(where, name)
    local space, short = name:match("^(%w+)%.([%w_]+)$")
    local owner = space and where[space] or where
    local fn = owner[short or name]
    if type(where) == "table" then
        return fn
    end
    return function(...)
        return fn(owner, ...)
    end
end

M.failure = server.failure

---A copy of a table in which every function has been called with the box.
function M.values(b, given)
    local copy = {}
    for k, v in pairs(given) do
        if type(v) == "function" then
            v = v(b)
        end
        copy[k] = type(v) == "table" and M.values(b, v) or v
    end
    return getmetatable(given) == "json.array" and json.array(copy) or copy
end

-- Where a primitive takes its options: behind its ids and its table.
local OPTIONS_AT = { list = 2, create = 2, sizing = 2, patch = 3, overwrite = 3, upgrade = 3, request = 4,
    ["snapshot.list"] = 3, ["snapshot.get"] = 3, ["snapshot.restore"] = 3, ["tenant.list"] = 1, ["key.list"] = 2,
    ["key.create"] = 2 }

---All that the emulator holds, as text by id.
local function held(b)
    local state, all = select(2, b:send("GET", "/_sandbox/state")), {}
    for _, list in ipairs { state.instances, state.keys, state.tenants } do
        for _, one in ipairs(list) do
            all[one.id] = json.encode(one)
        end
    end
    return all
end

local function said(err)
    return { kind = err.kind, status = err.status, reason = err.reason, field = err.field }
end

---Tries a call that must be refused, as a method of a client and of its try. Both must say the same, with all that
---the answer said; nothing may change by it.
---@param row table the primitive, its arguments (see M.values), and by name what the refusal says: kind, status,
---  reason, field, text (part of the message); also put (fields of instances by id), switches, retry, attempts
function M.check_refused(row)
    local name, n, attempts = row[1], OPTIONS_AT[row[1]] or 2, row.attempts or 1
    local b = M.start { switches = row.switches }
    for id, fields in pairs(row.put or {}) do
        b:put(id, M.values(b, fields))
    end
    local args = M.values(b, { table.unpack(row, 2) })
    args[n] = { retry = row.retry or false }
    local before = held(b)
    local raised = M.failure(M.primitive(b.c, name), table.unpack(args, 1, n))
    local last, requests = b:last()
    local what = name .. ": " .. tostring(raised)
    lu.assertEquals(said(raised), said(row), what)
    lu.assertEquals({ raised.op, raised.attempts, requests }, { name, attempts, attempts }, what)
    lu.assertEquals({ last.status, last.headers["X-Request-Id"] }, { row.status, raised.request_id }, what)
    lu.assertEquals(raised.errors, json.decode(last.text).errors, what)
    lu.assertStrContains(raised.message, row.text or raised.errors[1].message)
    local of_instance = last.what:find("^%a+ /v1/instances/%x+%f[/\0]") and name ~= "request"
    lu.assertEquals(raised.id, of_instance and args[1] or nil, what)
    local value, err = M.primitive(b.c.try, name)(table.unpack(args, 1, n))
    lu.assertNil(value, what)
    lu.assertEquals({ said(err), err.op, err.id, err.message }, { said(row), raised.op, raised.id, raised.message })
    for id, text in pairs(held(b)) do
        lu.assertEquals(text, before[id], what .. ": but something has changed")
    end
end

---Checks rows that have something in common.
function M.check_all_refused(common, rows)
    for _, row in ipairs(rows) do
        M.check_refused(setmetatable(row, { __index = common }))
    end
end

-- What the tables of all primitives ask for.

---The id of an exportable snapshot.
function M.snapshot(b)
    return (b:snapshots(M.PRO))
end

---The body of a request for a key.
function M.key_order()
    return { key_id = "arn:aws:kms:us-east-1:1:key/2", name = "k", cloud_provider = "aws",
        instance_type = "enterprise-db", region = "us-east-1", tenant_id = M.PLATFORM }
end

---The id of a fresh key.
function M.new_key(b)
    return select(2, b:post("/customer-managed-keys", M.key_order())).data.id
end

return M
