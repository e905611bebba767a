---The database dump that an operator exported from the Aura Console.
local fail = require "fail"
local fs = require "fs"
local process = require "process"
local report = require "report"
local ui = require "ui"

local M = {}

---@param path string
---@return "dump"|"backup"|nil extension
function M.extension(path)
    local extension = (path:match("%.([^./]+)$") or ""):lower()
    return (extension == "dump" or extension == "backup") and extension or nil
end

---What is plainly no dump, told from its first bytes.
---@param head string the first bytes of the file
---@return string? problem nil when nothing speaks against it
function M.suspect(head)
    local first = head:gsub("^\xEF\xBB\xBF", ""):gsub("^[%s%z]+", ""):sub(1, 1)
    if first == "" then
        return "holds nothing but blanks"
    elseif first == "<" then
        return "is an HTML or XML page (an error page saved by the browser?)"
    elseif first == "{" or first == "[" then
        return "is JSON (an error message of the API?)"
    end
    return nil
end

---Checks a dump where it lies; touches nothing.
---@param path string
---@return string extension
---@return integer size in bytes
function M.check(path)
    local function wrong(text)
        fail("usage", ("%s %s"):format(path, text), { op = "dump",
            hint = "export it in the Aura Console: instance, Snapshots, the menu beside the snapshot, Export" })
    end
    local extension = M.extension(path) or wrong("does not end in .dump or .backup")
    local info = fs.stat(path) or wrong("does not exist")
    if info.type ~= "file" then
        wrong("is not a file")
    elseif info.size == 0 then
        wrong("is empty")
    end
    local ok, head = pcall(fs.head, path, 4096)
    if not ok then
        wrong("cannot be read: " .. tostring(head.message or head))
    end
    local problem = M.suspect(head)
    if problem then
        wrong(problem)
    end
    return extension, info.size
end

---Whether two paths are plainly the same, however they are written.
---@param a string
---@param b string
---@return boolean
function M.same(a, b)
    return a:gsub("^%./", ""):gsub("//+", "/") == b:gsub("^%./", ""):gsub("//+", "/")
end

---Moves a dump into its place, unless it lies there already. A move is never half done: what is in the
---place is whole, and when an earlier process was cut off the original may be there as well.
---@param from string
---@param to string nothing else may be there
function M.keep(from, to)
    local given, there = fs.stat(from), fs.stat(to)
    if M.same(from, to) or (there and not given) then
        return
    elseif there and (there.size ~= given.size or fs.sha256(from) ~= fs.sha256(to)) then
        M.check_place(from, to)
    elseif there then
        ui.warn(("%s is the dump already; %s is left where it is"):format(to, from))
    else
        fs.move(from, to)
    end
end

---Checks a dump in its place.
---@param path string
---@return integer size
---@return string sha256
function M.measure(path)
    local _, bytes = M.check(path)
    return bytes, fs.sha256(path)
end

---Fails when another file is in the place of a dump.
---@param from string
---@param to string
function M.check_place(from, to)
    if fs.stat(to) and not M.same(from, to) then
        fail("usage", to .. " exists: not overwritten (choose another --work-dir)")
    end
end

---Copies a dump to a bucket with the aws command.
---@param path string
---@param url string
function M.copy_to_s3(path, url)
    local copy = process.run { "aws", "s3", "cp", "--only-show-errors", path, url, timeout = 24 * 3600 }
    if copy.code ~= 0 then
        fail("failed", ("aws s3 cp ended with %s: %s"):format(copy.code or copy.signal,
            report.clean((copy.stderr or ""):sub(-400))), { op = "copy to S3" })
    end
end

---The place of a copy in a bucket, laid out as the runbook has it.
---@param url string `s3://bucket` or `s3://bucket/prefix`
---@param id string
---@param stamp string
---@param file string name of the dump
---@return string
function M.s3_key(url, id, stamp, file)
    return ("%s/neo4j-backups/%s/%s-%s"):format(url:gsub("/+$", ""), id, stamp, file)
end

return M
