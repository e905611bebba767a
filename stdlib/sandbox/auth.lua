---Tokens, the check of every other request's token, and the two rate limits.
local answers = require "sandbox.answers"

local M = {}

local DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
local KEEP_EXPIRED = 86400       -- seconds an expired token is still known as such

local function base64(text)
    if not text:match("^[%w+/]*=*$") then
        return nil
    end
    local out, bits, held = {}, 0, 0
    for c in text:gmatch("[%w+/]") do
        bits, held = (bits << 6 | DIGITS:find(c, 1, true) - 1) & 0xffffff, held + 6
        if held >= 8 then
            held = held - 8
            out[#out + 1] = string.char(bits >> held & 0xff)
        end
    end
    return table.concat(out)
end

---Counts an event in a sliding window, held as a ring of the last `limit` times.
---@return number? wait seconds until there is room; nil when the event was counted
local function window(ring, limit, seconds, now)
    if limit <= 0 then
        return nil
    end
    if ring.limit ~= limit then
        for i = 1, #ring do
            ring[i] = nil
        end
        ring.limit, ring.at = limit, 0
    end
    local at = ring.at + 1
    local oldest = ring[at]
    if oldest and oldest > now - seconds then
        return oldest + seconds - now
    end
    ring[at], ring.at = now, at % limit
    return nil
end

local function credentials(header)
    if not header then
        answers.no_token(401, "access_denied", "Unauthorized")
    end
    local encoded = header:match("^[Bb][Aa][Ss][Ii][Cc]%s+(%S+)%s*$")
    local id, secret = (encoded and base64(encoded) or ""):match("^([^:]*):(.*)$")
    if not id then
        answers.no_token(400, "invalid_request", "The Authorization header is not Basic client_id:client_secret")
    end
    return id, secret
end

local function forget_old(service, now)
    for text, token in pairs(service.tokens) do
        if token.expires + KEEP_EXPIRED < now then
            service.tokens[text] = nil
        end
    end
end

---POST /oauth/token
function M.token(service, req)
    local id, secret = credentials(req.headers.authorization)
    local client = service.clients[id]
    if not client or client.secret ~= secret then
        answers.no_token(401, "access_denied", "Unauthorized")
    end
    local kind = (req.headers["content-type"] or ""):lower()
    if not kind:find("application/x-www-form-urlencoded", 1, true) then
        answers.no_token(400, "invalid_request", "Content-Type must be application/x-www-form-urlencoded")
    elseif not req.body or req.body == "" then
        answers.no_token(404, "invalid_request", "Missing body")
    elseif not ("&" .. req.body .. "&"):find("&grant_type=client_credentials&", 1, true) then
        answers.no_token(403, "unsupported_grant_type", "grant_type must be client_credentials")
    end
    local now = service.now()
    local wait = window(client.token_window, service.switches.token_rate, 3600, now)
    if wait then
        answers.too_often(service, wait, "Rate limit exceeded")
    end
    forget_old(service, now)
    local text = "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9." .. service.rng:text(120) .. "." .. service.rng:text(86)
    service.tokens[text] = { client = id, expires = now + service.token_ttl }
    client.tokens = client.tokens + 1
    return 200, { access_token = text, expires_in = service.token_ttl, token_type = "bearer" }
end

local function expired(service)
    if service.switches.expired == "403" then
        answers.refuse(403, "token-expired", "The token is expired or was revoked")
    end
    answers.gateway(401, "Key not authorized: token has expired")
end

---Checks a request's token and counts the request; ends it when there is no right or no room.
---@return table client
function M.check(service, req)
    local header = req.headers.authorization
    if not header then
        answers.gateway(401, "Authorization field missing")
    end
    local text = header:match("^[Bb][Ee][Aa][Rr][Ee][Rr] +(%S+)$")
    if not text then
        answers.gateway(400, "Authorization field is not a bearer token")
    end
    local token, now = service.tokens[text], service.now()
    if not token then
        answers.gateway(401, "Key not authorized")
    elseif token.expires <= now then
        expired(service)
    end
    local client = service.clients[token.client]
    local wait = window(client.window, service.switches.rate, 60, now)
    if wait then
        answers.too_often(service, wait, "Rate limit exceeded")
    end
    return client
end

---A client that may ask for tokens.
---@param secret string
---@return table
function M.client(secret)
    return { secret = secret, tokens = 0, window = {}, token_window = {} }
end

---Lets a client start again with empty windows.
function M.reset(client)
    client.window, client.token_window = {}, {}
end

return M
