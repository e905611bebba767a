---@meta aura
-- For editors only (LuaLS): never loaded. Every call waits without blocking other tasks and raises
-- an aura.Error; `aura.try.NAME` is the same call returning nil and the error.

---@class aura.Instance
---@field id string
---@field name string
---@field status string
---@field tenant_id string
---@field cloud_provider string
---@field region string
---@field type string
---@field memory string
---@field storage string?
---@field connection_url string?
---@field created_at string
---@field [string] any

---@class aura.Response
---@field status integer
---@field request_id string?
---@field body string the raw text
---@field attempts integer

---@class aura.Error
---@field kind string invalid auth forbidden not_found conflict rate_limited api transport timeout failed ambiguous ...
---@field message string
---@field op string?
---@field id string?
---@field method string?
---@field path string?
---@field status integer?
---@field reason string?
---@field field string?
---@field errors table[]?
---@field request_id string?
---@field attempts integer?
---@field hint string? what the operator can do
---@field body string? a 2xx answer that could not be read

---The last argument of every call but auth and wait_for_status (behind the fields or the body, also where these are
---left out as nil).
---@class aura.Options
---@field timeout number? seconds from now until the call gives up; without it, 60 from its first request on
---@field retry boolean|aura.Retry|nil false: sent once, whatever happens (but for a token that has to be renewed)

---What may be sent again at all is fixed (README, "What is sent again"); this says how often and after how long.
---@class aura.Retry
---@field attempts integer? most requests that may fail, 1 to 100; default 6
---@field conflict boolean? false: fail at once on 409 ongoing-database-operation instead of waiting until the deadline
---@field after_max number? seconds: fail at once when the service asks to come again (Retry-After) after more than this;
---       without it, it is waited for, 120 s at most

---@class aura
---@field try aura the same calls, returning nil and the error instead of raising it
local aura = { snapshot = {}, tenant = {}, key = {} }

---@param options { client_id: string?, client_secret: string?, base_url: string?, profile: string? }? what is left out
---       comes from the environment; profile: a file in ~/.config/halo/profiles (0600)
---@return aura client every function as a method
function aura.auth(options) end

---@param id string
---@param options aura.Options?
---@return aura.Instance, aura.Response
function aura.get(id, options) end

---@param filter { tenant_id: string? }?
---@param options aura.Options?
---@return aura.Instance[], aura.Response
function aura.list(filter, options) end

---@param fields table name type region cloud_provider memory tenant_id; storage version ...
---@param options aura.Options?
---@return aura.Instance instance with its password, told only here
---@return aura.Response
function aura.create(fields, options) end

---@param id string
---@param changes table name memory storage vector_optimized secondaries_count cdc_enrichment_mode ...
---@param options aura.Options?
---@return aura.Instance?, aura.Response
function aura.patch(id, changes, options) end

---@param id string
---@param options aura.Options?
---@return aura.Instance?, aura.Response
function aura.delete(id, options) end

---@param id string
---@param options aura.Options?
---@return aura.Instance?, aura.Response
function aura.pause(id, options) end

---@param id string
---@param options aura.Options?
---@return aura.Instance?, aura.Response
function aura.resume(id, options) end

---@param id string
---@param want string|string[] a status, several, or "deleted"
---@param options { timeout: number?, interval: number?, on_change: fun(status: string, previous: string?, seconds: number)? }?
---@return aura.Instance? instance nil once deleted
function aura.wait_for_status(id, want, options) end

---@param id string
---@param fields { source_instance_id: string, source_snapshot_id: string? }
---@param options aura.Options?
---@return aura.Instance?, aura.Response
function aura.overwrite(id, fields, options) end

---@param id string
---@param fields { memory: string?, storage: string? }?
---@param options aura.Options?
---@return aura.Instance?, aura.Response
function aura.upgrade(id, fields, options) end

---@param fields { node_count: integer, relationship_count: integer, instance_type: string, algorithm_categories: string[]? }
---@param options aura.Options?
---@return table, aura.Response
function aura.sizing(fields, options) end

---@param method "GET"|"POST"|"PATCH"|"DELETE"
---@param path string
---@param body table?
---@param options aura.Options?
---@return any, aura.Response
function aura.request(method, path, body, options) end

---@param id string
---@param filter { date: string? }?
---@param options aura.Options?
---@return table[], aura.Response
function aura.snapshot.list(id, filter, options) end

---@param id string
---@param options aura.Options?
---@return { snapshot_id: string }, aura.Response
function aura.snapshot.create(id, options) end

---@param id string
---@param snapshot_id string
---@param options aura.Options?
---@return table, aura.Response
function aura.snapshot.get(id, snapshot_id, options) end

---@param id string
---@param snapshot_id string
---@param options aura.Options?
---@return aura.Instance?, aura.Response
function aura.snapshot.restore(id, snapshot_id, options) end

---@param options aura.Options?
---@return { id: string, name: string }[], aura.Response
function aura.tenant.list(options) end

---@param id string
---@param options aura.Options?
---@return { id: string, name: string, instance_configurations: table[] }, aura.Response
function aura.tenant.get(id, options) end

---@param id string
---@param options aura.Options?
---@return { endpoint: string }, aura.Response
function aura.tenant.metrics(id, options) end

---@param filter { tenant_id: string? }?
---@param options aura.Options?
---@return table[], aura.Response
function aura.key.list(filter, options) end

---@param fields table key_id name cloud_provider instance_type region tenant_id
---@param options aura.Options?
---@return table, aura.Response
function aura.key.create(fields, options) end

---@param id string
---@param options aura.Options?
---@return table, aura.Response
function aura.key.get(id, options) end

---@param id string
---@param options aura.Options?
---@return nil, aura.Response
function aura.key.delete(id, options) end

return aura
