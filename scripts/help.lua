local fail = require "fail"
local halo = require "halo"
local library = require "library"
local script = require "script"

local OPTIONS = {
    { "--sandbox",     "run against a local Aura emulator with example instances, started and ended with halo" },
    { "--yes",         "answer every question with YES" },
    { "--dry-run",     "read and show what would be done; change nothing" },
    { "--json",        "print the result as JSON" },
    { "--quiet",       "no progress on stderr" },
    { "-v",            "say more: every API call" },
    { "--log FILE",    "append one JSON line for every API call" },
    { "--profile NAME", "use the credentials in ~/.config/halo/profiles/NAME" },
    { "--cacert FILE", "trust the CA certificates in FILE instead of the system's" },
    { "--restrict",    "for scripts you do not trust: no processes, no files but below --work-dir, the limits below" },
    { "--effect EFFECT", "refuse what goes beyond read, change or destroy, whatever the script declares" },
    { "--memory MB",   "of memory for scripts and answers; no limit, 64 with --restrict" },
    { "--compute SECONDS", "of computing between two waits; no limit, 2 with --restrict" },
    { "--max-time SECONDS", "of the whole run, waits included; no limit" },
    { "--max-tasks N", "at a time; no limit, 10000 with --restrict" },
    { "--max-files N", "descriptors held by fs and process; no limit, 64 with --restrict" },
    { "--max-response MB", "of one answer of the API; 16" },
    { "--no-token-cache", "do not share token and request rate with the user's other halo processes" },
    { "--scripts DIR", "read bundled scripts from DIR" },
    { "--stdlib DIR",  "read Lua modules from DIR" },
    { "--version",     "print the version" },
    { "--help",        "print this, or a script's help after its name" },
}
local COMMANDS = {
    { "NAME [args]",         "run a script by its name" },
    { "run FILE.lua [args]", "run a script from a file" },
    { "-e CODE",             "run Lua text" },
    { "help [NAME]",         "this, or the help of a script" },
}
local ENVIRONMENT = {
    { "AURA_CLIENT_ID, AURA_CLIENT_SECRET", "credentials (Aura Console, Account, API Keys)" },
    { "AURA_BASE_URL",          "the API; default https://api.neo4j.io, plain http only to this machine" },
    { "AURA_RATE",              "requests a minute; default 125, 0 for no limit" },
    { "HALO_PROFILE",           "as --profile; comes before AURA_CLIENT_ID" },
    { "INSTANCE_ID, DUMP_FILE, WORK_DIR", "defaults of the scripts' arguments" },
    { "AURA_CA_FILE",           "as --cacert" },
    { "HALO_SCRIPTS, HALO_STDLIB", "as --scripts and --stdlib" },
    { "XDG_CACHE_HOME",         "the token cache is in halo under it (default ~/.cache)" },
    { "XDG_STATE_HOME",         "how long operations took is in halo under it (default ~/.local/state)" },
    { "XDG_CONFIG_HOME",        "your own scripts are in halo/scripts under it (default ~/.config)" },
}
local EXITS = {
    { "0", "done" },
    { "1", "the script raised an error of its own" },
    { "2", "wrong usage" },
    { "3", "the API or the network refused; some of several instances failed" },
    { "4", "a wait ran out of time" },
    { "5", "verification found a mismatch" },
    { "6", "the operator, or a missing --yes, declined" },
    { "130, 143", "interrupted, terminated" },
}

local function section(title, rows)
    local longest, lines = 0, { title .. ":" }
    for _, row in ipairs(rows) do
        longest = math.max(longest, #row[1])
    end
    for _, row in ipairs(rows) do
        lines[#lines + 1] = ("  %-" .. longest .. "s  %s"):format(row[1], row[2])
    end
    return table.concat(lines, "\n")
end

---@type halo.Script
return {
    summary = "Explain halo, or one script.",
    effect  = "read",
    args    = {
        { "name", "string", "script to explain", optional = true, positional = true },
    },
    run = function(args)
        if args.name then
            local decl, message = script.describe(args.name)
            if not decl then
                fail("usage", ("%s describes nothing: %s"):format(args.name, message))
            end
            return script.help(args.name, decl)
        end
        local scripts = {}
        for _, each in ipairs(library.all()) do
            local decl, message = script.describe(each.name)
            scripts[#scripts + 1] = { each.name, decl and decl.summary or "(" .. message .. ")" }
        end
        return table.concat({
            "halo " .. tostring(halo.version) .. ": Lua scripts for the Neo4j Aura API",
            "Usage: halo [options] NAME [args]",
            section("Commands", COMMANDS), section("Scripts", scripts),
            section("Options (before the name; --yes --json --dry-run --quiet also after it)", OPTIONS),
            section("Environment", ENVIRONMENT), section("Exit codes", EXITS),
        }, "\n\n")
    end,
}
