-- A server, or a proxy before it, that repeats what it was sent: neither the token nor the client secret comes to a
-- script, and so to no screen, log or journal. And no redirect takes them elsewhere.
local lu = require "luaunit"
local aura = require "aura"
local json = require "json"
local server = require "server"

local GET, TOKEN_URL, PATH = "GET /v1/instances/3fa29c1e", "POST /oauth/token", "/v1/instances/3fa29c1e"
local SECRET = 'Zs3cret/with+signs"' .. ("k7"):rep(12)
local TOKEN = "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9." .. ("cGF5bG9hZA"):rep(70) .. "." .. ("c2ln"):rep(20)
local PARTS = { "Zs3cret", "with+signs", "k7k7", "eyJhbGci", "cGF5", "c2lnc2ln" }

local s, c

TestEcho = {}

function TestEcho.setUp()
    s = server.start()
    s.routes[TOKEN_URL] = { 200, { access_token = TOKEN, expires_in = 3600 } }
    c = aura.auth { base_url = s.url, client_id = "id", client_secret = SECRET }
end
function TestEcho.tearDown()
    s:stop()
end

---Every text in a value, however deep.
local function texts(value, into)
    if type(value) == "table" then
        for k, v in pairs(value) do
            texts(k, into)
            texts(v, into)
        end
    elseif type(value) == "string" then
        into[#into + 1] = value
    end
    return into
end

local function shows_nothing(value, name)
    local all = texts(value, { tostring(value) })
    for _, text in ipairs(all) do
        for _, part in ipairs(PARTS) do
            lu.assertNotStrContains(text, part, false, name)
        end
    end
end

---What was sent: the Authorization line, the token or Basic header alone, the secret.
local function echoes(req)
    local line = req.headers["authorization"]
    return { line, line:match(" (.*)"), SECRET, TOKEN, ("%q"):format(SECRET), "https://x/?client_secret=" .. SECRET,
        "https://id:" .. SECRET .. "@host/", json.encode { authorization = line, client_secret = SECRET } }
end

---The shapes of an answer in which a text may come back.
local SHAPES = {
    errors = function(text) return json.encode { errors = { { message = "Invalid token " .. text, reason = text,
        field = text, more = { text } }, { message = text } } } end,
    error = function(text) return json.encode { error = text, error_description = "refused " .. text } end,
    message = function(text) return json.encode { message = ("x"):rep(490) .. text, reason = text } end,
    text = function(text) return "you sent " .. text end,
    late = function(text) return ("x"):rep(190) .. text end,      -- where it is cut
    html = function(text) return "<html>" .. text end,
    cut = function(text) return '{"errors":[{"message":"' .. text end,
}

function TestEcho.test_refusals()
    local n = 0
    for shape, make in pairs(SHAPES) do
        for which = 1, 8 do
            for _, status in ipairs { 400, 401, 404, 409, 500 } do
                s.routes[GET] = function(req)
                    local text = echoes(req)[which]
                    return status, make(text), { ["X-Request-Id"] = text, ["X-Tyk-Api-Expires"] = text }
                end
                local err = server.failure(c.get, c, "3fa29c1e", { retry = false })
                shows_nothing(err, ("%s %d %d"):format(shape, which, status))
                lu.assertStrContains(tostring(err), shape == "html" and "HTML" or shape == "cut" and "cut off" or "***")
                n = n + 1
            end
        end
    end
    lu.assertEquals(n, 7 * 8 * 5)
end

function TestEcho.test_the_token_endpoint()
    for shape, make in pairs(SHAPES) do
        for which = 1, 8 do
            for _, status in ipairs { 400, 401, 403, 200, 302 } do
                s.routes[TOKEN_URL] = function(req)
                    local text = echoes(req)[which]
                    return status, make(text), { ["X-Request-Id"] = text, Location = text }
                end
                local own = aura.auth { base_url = s.url, client_id = "id", client_secret = SECRET }
                local err = server.failure(own.get, own, "3fa29c1e")
                if which ~= 4 then                      -- a token that nobody has yet got
                    shows_nothing(err, ("%s %d %d"):format(shape, which, status))
                end
            end
        end
    end
end

function TestEcho.test_successes()
    s.routes[GET] = function(req)
        return 200, { data = { id = "3fa29c1e", status = "running", name = req.headers["authorization"],
            note = SECRET, password = "p4ssw0rd" } }, { ["X-Request-Id"] = req.headers["authorization"] }
    end
    local value, response = c:get("3fa29c1e")
    shows_nothing(value, "value")
    shows_nothing(response, "response")
    lu.assertEquals({ value.name, value.note, value.password }, { "Bearer ***", "***", "p4ssw0rd" })
    -- An accepted creation whose answer is nonsense: the script gets it, the message does not show it.
    s.routes["POST /v1/instances"] = function(req)
        return 202, "password=p4ssw0rd " .. req.headers["authorization"]
    end
    local err = server.failure(c.create, c, { name = "a", type = "t", region = "r", cloud_provider = "aws", memory = 8,
        tenant_id = "t" })
    shows_nothing(err, "create")
    lu.assertStrContains(err.body, "p4ssw0rd")
    lu.assertNotStrContains(tostring(err), "p4ssw0rd")
end

---In a refusal also what nobody here knows: the password of an instance, another one's token.
function TestEcho.test_what_stands_where_secrets_stand()
    s.routes[GET] = { 400, { errors = { { message = "password=hunter22 is wrong, Bearer hunter22hunter22",
        detail = { password = "hunter22", url = "neo4j://u:hunter22@x" } } } },
        { ["X-Request-Id"] = "token=hunter22" } }
    local err = server.failure(c.get, c, "3fa29c1e")
    for _, text in ipairs(texts(err, { tostring(err) })) do
        lu.assertNotStrContains(text, "hunter22")
    end
    lu.assertEquals(err.errors[1].detail.url, "neo4j://***@x")
end

---An old token, too: refused, or expired while the request that shows it was on its way.
function TestEcho.test_an_old_token()
    local old
    s.routes[TOKEN_URL] = { { 200, { access_token = TOKEN, expires_in = 3600 } },
        { 200, { access_token = "another-token-of-this-test", expires_in = 3600 } } }
    s.routes[GET] = function(req)
        old = old or req.headers["authorization"]
        return 401, { error = "Invalid token " .. old .. req.headers["authorization"] }
    end
    local err = server.failure(c.get, c, "3fa29c1e")
    lu.assertEquals(err.message, "Invalid token Bearer ***Bearer ***")
end

TestRedirects = { setUp = TestEcho.setUp, tearDown = TestEcho.tearDown }

function TestRedirects.test_none_is_followed()
    local target = server.start()
    for _, status in ipairs { 301, 302, 303, 307, 308 } do
        local answer = { status, "", { Location = target.url .. PATH } }
        s.routes[GET], s.routes["POST " .. PATH .. "/pause"], s.routes["DELETE " .. PATH] = answer, answer, answer
        for _, name in ipairs { "get", "pause", "delete" } do
            local err = server.failure(c[name], c, "3fa29c1e")
            lu.assertEquals({ err.kind, err.status, err.attempts }, { "api", status, 1 })
            lu.assertStrContains(err.message, "moved to " .. target.url)
        end
        s.routes[TOKEN_URL] = answer
        local own = aura.auth { base_url = s.url, client_id = "id", client_secret = SECRET }
        local err = server.failure(own.get, own, "3fa29c1e")
        lu.assertEquals({ err.kind, err.status }, { "api", status })
        s.routes[TOKEN_URL] = { 200, { access_token = TOKEN, expires_in = 3600 } }
    end
    lu.assertEquals(#target.requests, 0)
    target:stop()
end
