-- What the native modules do, as far as the pure tests need it, so that they run under plain Lua.
local M = { options = {}, folders = {}, said = {}, results = {}, effects = {}, sources = {}, scripts = {} }

local function fail(kind, message, fields)
    local err = { kind = kind, message = message }
    for key, value in pairs(fields or {}) do
        err[key] = value
    end
    error(setmetatable(err, { __tostring = function(e) return e.message end }))
end

-- Inside halo the modules under test are loaded already, with the native ones: they are loaded anew.
for _, name in ipairs { "args", "argtypes", "audit", "beginning", "change", "creation", "dump", "fleet", "instance",
    "journal", "library", "migration", "progress", "report", "run", "script", "secret", "selection", "settle", "size",
    "workdir" } do
    package.loaded[name] = nil
end
local has_json, native_json = pcall(require, "json")

local locks = {}                             -- by path: the lock that is held

---A locked file, as fs.lock gives it.
local function lock(path)
    if locks[path] then
        return nil
    end
    assert(io.open(path, "ab")):close()
    local l = {}
    locks[path] = l
    function l.append(_, text) package.loaded.fs.append(path, text) end
    function l.cut(_, size)
        local text = package.loaded.fs.read(path):sub(1, size)
        assert(io.open(path, "wb")):write(text):close()
    end
    function l.close()
        if locks[path] == l then
            locks[path] = nil
        end
    end
    return l, 4711
end

local STANDINS = {
    fail = fail,
    json = has_json and native_json or {
        encode = function(value) return require "cjson".encode(value) end,
        decode = function(text) return require "cjson".decode(text) end,
        array = function(t) return t end,
        null = setmetatable({}, { __tostring = function() return "null" end }),
    },
    fs = {
        lock = lock,
        locked = function(path) return locks[path] ~= nil end,
        list = function() return {} end,
        read = function(path)
            local f <close> = assert(io.open(path, "rb"))
            return f:read("a")
        end,
        head = function(path, bytes)
            local f <close> = assert(io.open(path, "rb"))
            return f:read(bytes) or ""
        end,
        stat = function(path)
            local f = io.open(path, "rb")
            if not f then
                return nil
            end
            local bytes = f:read(0) ~= nil and f:seek("end") or 0
            local kind = f:read(1) == nil and f:seek("set", 0) and select(3, f:read(1)) == 21 and "directory" or "file"
            f:close()
            return { type = kind, size = bytes }
        end,
    },
    ui = {
        say = function(text) table.insert(M.said, text) end,
        warn = function(text) table.insert(M.said, text) end,
        event = function() end,
        result = function(text) table.insert(M.results, text) end,
    },
    halo = {
        options = function() return M.options end,
        globals = function() return _G end,
        effect = function(level) table.insert(M.effects, level) end,
        folder = function(path) table.insert(M.folders, path) end,
        work_dir = function(path) M.options.work_dir = path end,
        scripts = function() return M.scripts end,
        bundled = function(name)
            if M.sources[name] then
                return M.sources[name], "@scripts/" .. name .. ".lua"
            end
        end,
    },
    clock = { monotonic = os.clock, now = os.time, utc = function() return "2026-02-26T15:07:13Z" end },
    task = { sleep = function() end, all = function(list, fn)
        local results = {}
        for i, item in ipairs(list) do
            results[i] = fn(item, i)
        end
        return results
    end }, process = {}, aura = {},
}

for name, module in pairs(STANDINS) do
    package.loaded[name] = module
end

---Forgets what was recorded and what scripts there are.
function M.reset()
    M.said, M.results, M.effects, M.sources, M.scripts = {}, {}, {}, {}, {}
    M.options, M.folders = {}, {}
end

return M
