---@meta
-- For editors only (LuaLS): never loaded. The other native modules; each is had by require.

---require "json"
---@class json
---@field null any what null is when asked for
local json = {}
---@param text string
---@param options { null: boolean? }? null absent unless asked for
---@return any
function json.decode(text, options) end
---@param text string
---@return any value nil for what is no JSON
---@return any err
function json.read(text) end
---@param value any
---@param options { pretty: boolean? }?
---@return string text with sorted keys
function json.encode(value, options) end
---@param list table
---@return table list marked, so that it is [] when empty
function json.array(list) end
---@param text string
---@return string text the same JSON, indented; nothing else is touched
function json.pretty(text) end

---require "fs": raises {kind="io"}
---@class fs
local fs = {}
---@param path string
---@param max_bytes integer?
---@return string
function fs.read(path, max_bytes) end
---@param path string
---@param bytes integer
---@return string head of the file, at most so many bytes
function fs.head(path, bytes) end
---@param path string
---@param text string
---@param mode integer? default 0600
function fs.write(path, text, mode) end
---@param path string
---@param text string
---@param mode integer?
function fs.append(path, text, mode) end
---@param path string
---@param mode integer? default 0700
function fs.mkdir(path, mode) end
---@param path string
---@return { type: "file"|"directory"|"other", size: integer, mode: integer, mtime: number }? info
---@return string? message
function fs.stat(path) end
---@param dir string
---@return string[]
function fs.list(dir) end
---@param path string
---@return string hex
function fs.sha256(path) end
---@param from string
---@param to string
function fs.move(from, to) end
---@param from string
---@param to string
function fs.copy(from, to) end
---@param path string
function fs.remove(path) end
---@param dir string
function fs.sync(dir) end

---A file that one process writes at a time; closed when it goes out of scope.
---@class fs.Lock
local Lock = {}
---@param text string durable when this returns; on failure the file is as it was
function Lock:append(text) end
---@param size integer bytes that stay
function Lock:cut(size) end
function Lock:close() end
---@param path string created when it is not there
---@param mode integer? default 0600
---@return fs.Lock? lock nil when somebody holds it
---@return integer? pid of this process
function fs.lock(path, mode) end
---@param path string
---@return boolean held by some process
function fs.locked(path) end
---@return string path
function fs.tempdir() end

---require "task"
---@class task
local task = {}
---@param fn fun(...): any
---@return { wait: fun(self): any, cancel: fun(self) }
function task.spawn(fn, ...) end
---@param seconds number
function task.sleep(seconds) end
---@param list any[]
---@param fn fun(item: any, index: integer): any
---@param options { limit: integer? }?
---@return any[]
function task.all(list, fn, options) end
---@param seconds number
---@param fn fun(): any
---@return any ...
function task.timeout(seconds, fn) end

---require "ui"
---@class ui
local ui = {}
---@param text string one line of progress
function ui.say(text) end
---@param text string
function ui.warn(text) end
---@param text string the result for people
function ui.result(text) end
---@param event table with a string `event`
function ui.event(event) end
---@param question string
---@return boolean yes
function ui.confirm(question) end

---require "fail"
---@param kind string
---@param message string
---@param fields table? op hint ...
function fail(kind, message, fields) end
