---@meta halo
-- For editors only (LuaLS): never loaded. Point "workspace.library" at this folder.

---What a script file returns.
---@class halo.Script
---@field summary string one line: what it does
---@field effect "read"|"change"|"destroy" the highest effect any of its calls may have
---@field args halo.Arg[]? its arguments, as `{ name, type, help, default=, env=, optional= }`
---@field run fun(args: table<string, any>, origin: table<string, "option"|"env"|"default">): any
---@field show (fun(result: any): string)? the result for people
---@field details string? long help
---@field examples string[]? command lines
---@field fleet boolean? takes --select, --exclude and --limit as well, and what else `fleet.run` reads

---@class halo
---@field version string
local halo = {}

---@return string[] names of the bundled scripts
function halo.scripts() end

---@param name string
---@return string? text
---@return string? chunkname
function halo.bundled(name) end

---@param path string where `require` looks besides the stdlib
function halo.folder(path) end

---@param path string what `options().work_dir` is from here on, for this run
function halo.work_dir(path) end

---@param level "read"|"change"|"destroy" highest effect from here on; more than the run may have is `denied`
function halo.effect(level) end

---@return table globals of this run; on a restricted host fresh ones, and its limits hold from here on
function halo.globals() end

---@return { dry_run: boolean, work_dir: string?, restricted: boolean }
function halo.options() end

return halo
