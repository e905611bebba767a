local clock = require "clock"
local fail = require "fail"
local faults = require "sandbox.faults"
local fs = require "fs"
local httpd = require "httpd"
local json = require "json"
local sandbox = require "sandbox"
local switches = require "sandbox.switches"
local task = require "task"
local ui = require "ui"

---A seed as a table.
local function read_seed(path)
    local data = json.read(fs.read(path))
    if type(data) ~= "table" then
        fail("usage", path .. " is not a JSON object", { op = "sandbox" })
    end
    return data
end

local function new_service(args)
    local chosen, message = switches.read(args.switch or "")
    if not chosen then
        fail("usage", "--switch: " .. message, { op = "sandbox" })
    end
    for _, text in ipairs(args.fault) do
        local ok
        ok, message = faults.add({ faults = {} }, { text })
        if not ok then
            fail("usage", "--fault: " .. message, { op = "sandbox" })
        end
        ui.say("fault: " .. text)
    end
    local service
    service, message = sandbox.new {
        now = clock.now, speed = args.speed, token_ttl = args.token_ttl, lenient = args.lenient,
        random_seed = math.tointeger(clock.now() * 1e6 // 1), switches = chosen, faults = args.fault, warn = ui.warn,
        seed = args.seed and read_seed(args.seed),
    }
    return service or fail("usage", (args.seed or "--switch") .. ": " .. message, { op = "sandbox" })
end

---A file that stands for the export from the Aura Console, for the demo.
local function sample_backup()
    local path = fs.tempdir() .. "/orders-prod.backup"
    fs.write(path, "DZV1" .. ("sample backup of orders-prod, made by halo sandbox\n"):rep(2000))
    return path
end

---Leaves a request unanswered, for as long as the client waits and no longer than so many seconds.
local function hang(req, seconds)
    local ends = clock.monotonic() + seconds
    while req:connected() and clock.monotonic() < ends do
        task.sleep(0.1)
    end
    req:reply(503, {}, "", { reset = true })
end

local function serve(service, req)
    local status, headers, body, transport = service:handle(req)
    if transport and transport.hang then
        task.spawn(hang, req, transport.hang)
    else
        req:reply(status, headers, body, transport)
    end
end

local function serve_late(service, req, seconds)
    task.sleep(seconds)
    serve(service, req)
end

---Answers until the server is closed. A task for each request only where there is something to wait for.
local function accept(server, service, latency)
    local req = server:next()
    while req do
        if latency > 0 then
            task.spawn(serve_late, service, req, latency)
        else
            serve(service, req)
        end
        req = server:next()
    end
end

---@type halo.Script
return {
    summary = "Run a local emulator of the Aura API, to try things out and to test.",
    effect  = "read",
    args    = {
        { "port",      "integer", "port on 127.0.0.1; 0 takes a free one", default = 8765, min = 0, max = 65535 },
        { "speed",     "number",  "times faster than the real service; 1 = real durations", default = 60,
            min = 0.001, max = 1000000 },
        { "seed",      "file",    "a captured instance-config.json, or a state of the sandbox", optional = true },
        { "latency",   "number",  "milliseconds that every answer takes longer", default = 0, min = 0, max = 600000 },
        { "token_ttl", "integer", "seconds a token is good for", default = 3600, min = 1 },
        { "lenient",   "boolean", "take also what the sources dispute: no Content-Type, sizes as 8 or 8Gi" },
        { "switch",    "string",  "name=value,... (listed below)", optional = true },
        { "fault",     "string",  "what is to go wrong (described below); several with ; between them", list = true,
            env = "HALO_SANDBOX_FAULTS" },
        { "demo",      "boolean", "also make a sample backup file and print DUMP_FILE (halo --sandbox does)" },
    },
    details = [[
It prints the lines to paste into the shell that is to use it, and runs until it is interrupted.
`GET /_sandbox/state` shows everything, `POST /_sandbox/state` changes it; what the first prints can be given
to --seed. The limits of 125 requests a minute and 15 tokens an hour are real ones, whatever the speed.

Switches:
]] .. switches.help() .. [[


Faults, to rehearse a workflow against:
]] .. faults.help() .. [[
`POST /_sandbox/faults` adds faults while it runs ('["* * 503 x3"]', or {"clear": true, "faults": [...]}),
`GET /_sandbox/faults` shows how often each has acted. `halo --sandbox` takes them from HALO_SANDBOX_FAULTS.]],
    examples = { "halo sandbox", "halo sandbox --port 0 --speed 600 --seed instance-config.json",
        "halo sandbox --switch expired=403,running_lag=20",
        "halo sandbox --fault 'POST /v1/instances lost x1' --fault 'GET /v1/** 502:html x3 after 5'",
        "HALO_SANDBOX_FAULTS='PATCH ** stuck' halo --sandbox" },
    run = function(args)
        local service = new_service(args)
        local server = httpd.listen { port = args.port, address = "127.0.0.1" }
        service.connections = function() return server.connections end        -- for GET /_sandbox/state
        print("export AURA_BASE_URL=http://127.0.0.1:" .. server.port)
        print("export AURA_CLIENT_ID=sandbox")
        print("export AURA_CLIENT_SECRET=sandbox")
        if service.main then
            print("export INSTANCE_ID=" .. service.main)
        end
        local backup = args.demo and sample_backup()
        if backup then
            print("export DUMP_FILE=" .. backup)
        end
        print("ready")
        local ok, err = pcall(accept, server, service, args.latency / 1000)
        server:close()
        if backup then
            os.remove(backup)                             -- gone already when a migration moved it in
            os.remove((backup:match("^(.*)/")))
        end
        if not ok and (type(err) == "table" and err.kind) ~= "cancelled" then        -- being interrupted is how it ends
            error(err, 0)
        end
    end,
}
