---`/_sandbox/state`: looking at all there is, and putting it into any state. Not part of Aura.
local answers = require "sandbox.answers"
local auth = require "sandbox.auth"
local faults = require "sandbox.faults"
local json = require "json"
local model = require "sandbox.model"
local seed = require "sandbox.seed"
local switches = require "sandbox.switches"

local M = {}

---GET /_sandbox/state: everything, passwords included. The answer can be given to --seed.
---`requests` counts what reached the service, `effects` what changed something, both by route; `connections`
---those that were made, this one included; `faults` as GET /_sandbox/faults shows them.
function M.show(service)
    model.settle_all(service)
    local instances, keys, clients, tokens = {}, {}, {}, 0
    for i, inst in ipairs(service.order) do
        json.array(inst.snapshots)
        instances[i] = inst
    end
    for i, id in ipairs(service.key_order) do
        keys[i] = service.keys[id]
    end
    for id, client in pairs(service.clients) do
        clients[id] = { tokens = client.tokens }
    end
    for _, token in pairs(service.tokens) do
        tokens = tokens + (token.expires > service.now() and 1 or 0)
    end
    return 200, { instances = json.array(instances), keys = json.array(keys),
        tenants = json.array(table.move(service.tenant_order, 1, #service.tenant_order, 1, {})), clients = clients,
        tokens = { valid = tokens, issued = service:issued() }, requests = service.requests, effects = service.effects,
        connections = service.connections and service.connections(), faults = faults.list(service),
        switches = service.switches, speed = service.speed, now = service.now() }
end

---POST /_sandbox/state: instances, tenants and keys are merged by id (an instance with `deleted: true` is
---taken away; a `status` without `pending` ends what is under way, and a busy one stays until told
---otherwise). `replace: true` first forgets all that is there. `switches` sets switches,
---`clients: {id: secret}` adds credentials, `expire_tokens: true` lets every token expire,
---`reset_counters: true` empties request counters and rate windows.
function M.change(service, req)
    local data = req.data
    if type(data.switches) == "table" then
        local ok, message = switches.set(service.switches, data.switches)
        if not ok then
            answers.refuse(400, "invalid-field", message, "switches")
        end
    end
    if data.replace then
        service:clear()
    end
    seed.merge(service, data)
    for id, secret in pairs(data.clients or {}) do
        if type(secret) == "string" then
            service.clients[id] = auth.client(secret)
        end
    end
    for _, token in pairs(data.expire_tokens and service.tokens or {}) do
        token.expires = service.now()
    end
    if data.reset_counters then
        service.requests, service.effects = {}, {}
        for _, client in pairs(service.clients) do
            auth.reset(client)
        end
    end
    return M.show(service)
end

return M
