---Which instances are meant: by id, by name, or by what they are like. Names are never guessed.
---
---What `--select` and `--exclude` say is in HELP, which `halo help pause` shows as well.
local aura = require "aura"
local fail = require "fail"
local json = require "json"
local report = require "report"
local size = require "size"
local task = require "task"

local M = {}

M.HELP = [[
INSTANCE is an id or a name; one that several instances have is refused. --select names instances by what they are
like: KEY=PATTERN, several with commas between, which must all fit. Of several --select one must fit, and what fits
an --exclude is taken away. KEY is name, id, tenant, status, type, region, cloud or memory. In a PATTERN * stands for
any characters and ? for one, also for a comma. Case counts, except in a status.
Status, type, region and memory take one request for each instance that fits the rest.]]

---What a script that works on a selection takes besides its own arguments; `fleet = true` adds them (script.lua).
M.ARGS = {
    { "select",  "string",  "instances to take: 'name=dev-*,status=running'", list = true },
    { "exclude", "string",  "instances to leave out of them", list = true },
    { "limit",   "integer", "most instances to take; more are refused, and nothing is done", min = 1, optional = true },
}

-- What each key is of an instance. GET: not in the list of instances.
local FIELDS = { name = "name", id = "id", tenant = "tenant_id", cloud = "cloud_provider", status = "status",
    type = "type", region = "region", memory = "memory" }
local GET = { status = true, type = true, region = true, memory = true }
local NAMES = { "name", "id", "tenant", "status", "type", "region", "cloud", "memory" }

local LOOKS = 8                              -- at a time

local looked = setmetatable({}, { __mode = "k" })    -- instances as a GET shows them

---The characters of a text; bytes where it is no UTF-8.
local function characters(text)
    local list = {}
    for each in text:gmatch(utf8.len(text) and utf8.charpattern or ".") do
        list[#list + 1] = each
    end
    return list
end

---Whether a text fits a pattern of `*` and `?`. In time of at most length times length.
---@param pattern string
---@param text string
---@return boolean
function M.fits(pattern, text)
    local p, t = characters(pattern), characters(text)
    local i, j, star, mark = 1, 1, nil, nil  -- mark: where the last star's match ends for now
    while j <= #t do
        if p[i] == "*" then
            star, mark = i, j
            i = i + 1
        elseif p[i] == "?" or p[i] == t[j] then
            i, j = i + 1, j + 1
        elseif star then
            i, mark = star + 1, mark + 1
            j = mark
        else
            return false
        end
    end
    while p[i] == "*" do
        i = i + 1
    end
    return i > #p
end

---Reads criteria.
---@param texts string[] of --select or of --exclude
---@param option string for messages: "--select"
---@return { key: string, pattern: string }[][] groups one for each text
function M.read(texts, option)
    local groups = {}
    for g, text in ipairs(texts) do
        local group = {}
        for each in (text .. ","):gmatch("(.-),") do
            local key, pattern = each:match("^%s*(.-)%s*=%s*(.-)%s*$")
            if not key or pattern == "" then
                fail("usage", ("%s %q: expected KEY=PATTERN, several with commas between, got %q"):format(option, text,
                    each), { hint = "a comma in a name is written ?" })
            elseif not FIELDS[key] then
                local near = require("args").nearest(key, NAMES)
                fail("usage", ("%s %q: there is no %q to select by%s (known are: %s)"):format(option, text, key,
                    near and "; did you mean " .. near .. "?" or "", table.concat(NAMES, " ")))
            end
            group[#group + 1] = { key = key, pattern = pattern }
        end
        groups[g] = group
    end
    return groups
end

---Whether an instance fits one criterion; nil when that is not known without a GET.
local function fits(inst, c)
    local value, pattern = inst[FIELDS[c.key]], c.pattern
    if value == nil and GET[c.key] and not looked[inst] then
        return nil
    elseif c.key == "status" then
        value, pattern = tostring(value):lower(), pattern:lower()
    elseif c.key == "memory" and size.valid(value) and size.valid(pattern) then
        return size.gb(value) == size.gb(pattern)
    end
    return value ~= nil and M.fits(pattern, tostring(value))
end

---Whether an instance fits all of a group; nil when that is not known yet.
local function fits_all(inst, group)
    local known = true
    for _, c in ipairs(group) do
        local fit = fits(inst, c)
        if fit == false then
            return false
        end
        known = known and fit
    end
    return known
end

---Whether it fits any of the groups; nil when that is not known yet.
local function fits_any(inst, groups)
    local known = false
    for _, group in ipairs(groups) do
        local fit = fits_all(inst, group)
        if fit then
            return true
        elseif fit == nil then
            known = nil
        end
    end
    return known
end

---Whether an instance is selected; nil when that takes a GET.
---@param inst table of the list, or from `look`
---@param select table[] from `read`; none: every instance
---@param exclude table[]
---@return boolean?
function M.selects(inst, select, exclude)
    local taken, left = #select == 0 or fits_any(inst, select), fits_any(inst, exclude)
    if taken == false or left then
        return false
    end
    return taken and left == false or nil
end

---The same instances as a GET shows each. One that is gone by now stays as the list had it.
---@param list table[]
---@return table[]
function M.look(list)
    return json.array(task.all(list, function(inst)
        if looked[inst] then
            return inst
        end
        local now, err = aura.try.get(inst.id)
        if not now and err.kind ~= "not_found" then
            error(err, 0)
        end
        looked[now or inst] = now ~= nil
        return now or inst
    end, { limit = LOOKS }))
end

---Whether an instance is as a GET shows it.
---@param inst table
---@return boolean
function M.looked(inst)
    return looked[inst] == true
end

---The instances that are selected, by name.
---@param select string[]
---@param exclude string[]
---@param filter { tenant_id: string? }? for the API's list
---@return table[] list those that had to be looked at are as a GET shows them
function M.list(select, exclude, filter)
    local wanted, unwanted = M.read(select, "--select"), M.read(exclude, "--exclude")
    local list, open = json.array {}, {}
    for _, inst in ipairs((aura.list(filter))) do
        local taken = M.selects(inst, wanted, unwanted)
        if taken then
            list[#list + 1] = inst
        elseif taken == nil then
            open[#open + 1] = inst
        end
    end
    for _, inst in ipairs(M.look(open)) do
        if M.selects(inst, wanted, unwanted) then
            list[#list + 1] = inst
        end
    end
    table.sort(list, function(a, b) return tostring(a.name) .. a.id < tostring(b.name) .. b.id end)
    return list
end

---Whether a word has the form that all ids have.
local function is_id(word)
    return #word == 8 and word:match("^%x+$") ~= nil
end

---The instance that a word means: the one of this id, or else the only one of this name.
---@param list table[] of the API
---@param word string
---@return table? inst nil: there is none
function M.find(list, word)
    local named = {}
    for _, inst in ipairs(list) do
        if inst.id == word then
            return inst
        elseif inst.name == word then
            named[#named + 1] = inst
        end
    end
    if #named > 1 then
        local ids = {}
        for i, inst in ipairs(named) do
            ids[i] = ("%s (project %s)"):format(report.clean(inst.id), report.clean(inst.tenant_id))
        end
        fail("usage", ("%d instances are named %s: %s"):format(#named, report.clean(word), table.concat(ids, ", ")),
            { hint = "nothing was done; give the id of the one that is meant" })
    end
    return named[1]
end

local function unknown(words)
    for i, word in ipairs(words) do
        words[i] = report.clean(word)
    end
    fail("not_found", ("there is no instance with the id or the name %s"):format(table.concat(words, ", ")),
        { hint = "nothing was done; `halo list` shows the ids and the names" })
end

---The id of the instance that a word means. What has the form of an id is one: that takes no request. What is
---no name either is taken for one, if it could be: the API has the last word.
---@param word string
---@return string id
function M.id(word)
    if is_id(word) then
        return word
    end
    local inst = M.find((aura.list()), word)
    return inst and inst.id or word:match("^[%w_-]+$") or unknown { word }
end

---The instances that words mean, in their order, each once.
---@param words string[]
---@param may_be_gone boolean? ids that the API does not list are taken as they are
---@return table[] list
function M.named(words, may_be_gone)
    local all, list, seen, missing = aura.list(), {}, {}, {}
    for _, word in ipairs(words) do
        local inst = M.find(all, word)
        if not inst and may_be_gone and is_id(word) then
            inst = { id = word }
        elseif not inst then
            missing[#missing + 1] = word
        end
        if inst and not seen[inst.id] then
            seen[inst.id] = true
            list[#list + 1] = inst
        end
    end
    if #missing > 0 then
        unknown(missing)
    end
    return list
end

---The instances that the arguments of a script mean.
---@param args { instance: string[], select: string[], exclude: string[], limit: integer? }
---@param may_be_gone boolean? as of `named`
---@return table[] list never empty
function M.of(args, may_be_gone)
    if #args.select == 0 then
        if #args.exclude > 0 or args.limit then
            fail("usage", ("--%s goes with --select"):format(args.limit and "limit" or "exclude"))
        end
        return M.named(args.instance, may_be_gone)
    end
    local list = M.list(args.select, args.exclude)
    local called = table.concat(args.select, " or ")
    if #list == 0 then
        fail("usage", ("no instance fits %s"):format(called),
            { hint = "nothing was done; `halo list` shows what there is" })
    elseif args.limit and #list > args.limit then
        fail("usage", ("%d instances fit %s, more than --limit %d"):format(#list, called, args.limit),
            { hint = "nothing was done; `halo list --select` shows them" })
    end
    return list
end

return M
