# Limits by options, and what bundled scripts can do in a restricted host.
. "$SRC/tests/e2e/lib.bash" || exit 1
. "$SRC/tests/e2e/parts.bash" || exit 1

# refused OPTION VALUE ...: exit 2, and the message names both
refused() {
    run 2 "$HALO" "$1" "$2" -e 'return 1'
    has err "$1"
    has err "$2"
}

test_options() {
    refused --memory lots
    refused --memory 0
    refused --memory -5
    refused --memory 1e9
    refused --compute 0
    refused --compute 1s
    refused --max-time ""
    refused --max-tasks 1.5
    refused --max-tasks 0
    refused --max-files many
    refused --max-response 0
    refused --effect delete
    run 2 "$HALO" --memory
    has err "--memory needs a value"
    run 2 "$HALO" --restrikt -e 'return 1'
    has err "did you mean --restrict?"
    run 0 "$HALO" --memory 64 --compute 1.5 --max-time 10 --max-tasks 5 --max-files 5 --max-response 1 --effect read \
        --restrict -e 'return 1'
}

# Each limit: its exit code, and a message with the limit and how to raise it.
test_limits() {
    run 1 "$HALO" --memory 8 -e 'local s = "x" while true do s = s .. s end'
    has err "8 MB (raise it with --memory or memory_bytes)"
    run 1 "$HALO" --compute 0.2 -e 'while true do pcall(function() while true do end end) end'
    has err "more than 200 ms without waiting (raise it with --compute or compute_ms)"
    run 4 "$HALO" --max-time 0.2 -e 'require("task").sleep(100)'
    has err "longer than 200 ms (raise it with --max-time or run_ms)"
    run 4 "$HALO" --max-time 0.2 -e 'while true do pcall(require("task").sleep, 100) end'
    run 4 "$HALO" --max-time 0.2 -e 'while true do end'
    run 6 "$HALO" --max-tasks 3 -e 'while true do require("task").spawn(require("task").sleep, 100) end'
    has err "3 tasks at a time (raise it with --max-tasks or max_tasks)"
    run 6 "$HALO" --max-files 2 -e 'a = {} for i = 1, 3 do a[i] = require("fs").lock("lock" .. i) end'
    has err "2 descriptors at a time (raise it with --max-files or max_files)"
    run 0 "$HALO" --max-time 100 -e 'return 1'
}

# Limits of what the API sends.
test_answers() {
    own_sandbox
    seed '{"instances":[]}'
    run 0 "$HALO" --memory 64 --max-response 1 list
    run 3 "$HALO" --max-response 0.001 --json -e 'for i = 1, 50 do
        local ok, err = pcall(require("aura").request, "GET", "/_sandbox/state")
        if not ok then error(err) end
    end'
    has err "larger than 0.0009"
    has err "(raise it with --max-response or max_response)"
    run 6 "$HALO" --effect read pause 3fa29c1e
    has err 'but may only "read" here'
}

test_restricted() {
    own_sandbox --demo
    export WORK_DIR=
    run 0 "$HALO" --restrict list
    has out orders-prod
    run 0 "$HALO" --restrict get 3fa29c1e
    has out running
    run 0 "$HALO" --restrict pause 3fa29c1e
    run 0 "$HALO" --restrict resume 3fa29c1e
    run 0 "$HALO" --restrict wait 3fa29c1e running
    run 0 "$HALO" --restrict resize 3fa29c1e --memory 16GB
    run 0 "$HALO" --restrict snapshot 3fa29c1e
    run 0 "$HALO" --restrict help
    run 0 "$HALO" --restrict scripts
    run 6 "$HALO" --restrict --yes migrate 3fa29c1e --no-dump
    has err "no work directory"
    run 0 "$HALO" --restrict --yes migrate 3fa29c1e --no-dump --work-dir move
    [ -s move/journal.jsonl ] && [ -s move/migration-summary.txt ] || fail "no migration in move"
    run 0 "$HALO" --restrict --yes delete b8e2f5a6
}

# A script's own file and the modules beside it are read; nothing else outside of the work directory is.
test_files() {
    mkdir -p scripts/sub work
    echo 'return "helper"' >scripts/helper.lua
    echo secret >secret
    ln -s ../secret work/link
    ln -s ../../secret scripts/sub/leak.lua
    cat >scripts/own.lua <<'LUA'
local fs = require "fs"
assert(require "helper" == "helper")
assert(not pcall(require, "sub.leak"))
fs.mkdir "work/a/b"
fs.write("work/a/b/c", "text")
assert(fs.read "work/a/b/c" == "text" and fs.head("work/a/b/c", 2) == "te" and fs.stat("work/a").type == "directory")
for _, path in ipairs { "secret", "scripts/helper.lua", "work/link", "work/../secret", "/etc/passwd", "work/a/../../secret" } do
    local ok, err = pcall(fs.read, path)
    assert(not ok and err.kind == "denied", path)
    assert(not fs.stat(path), path)
end
fs.write("work/link", "mine")
local dir = fs.tempdir()
fs.write(dir .. "/x", "")
assert(dir:find("^work/halo%-"))
return { summary = "x", effect = "read", args = { { "id", "string", "x", env = "INSTANCE_ID" },
        { "secret", "string", "x", env = "AURA_CLIENT_SECRET", optional = true } },
    run = function(args)
        assert(args.secret == nil and os.getenv "INSTANCE_ID" == nil)
        return args.id
    end }
LUA
    run 0 env INSTANCE_ID=abc AURA_CLIENT_SECRET=hidden "$HALO" --restrict run scripts/own.lua --work-dir work
    has out abc
    equal "the file outside" "$(cat secret)" secret
    equal "the link, replaced" "$(cat work/link)" mine
    run 0 env INSTANCE_ID=abc WORK_DIR="$PWD/work" "$HALO" --restrict -e 'require("fs").write(os.getenv "WORK_DIR" .. "/absolute", "x")'
    [ -f work/absolute ] || fail "an absolute work directory"
}

# The matcher of restricted hosts and Lua's own give the same.
test_patterns() {
    cat >patterns.lua <<'LUA'
local seed = 12345
local function random(n)
    seed = (seed * 1103515245 + 12345) % 2147483648
    return seed // 65536 % n + 1
end
local PARTS = { "a", "b", ".", "%a", "%d", "[ab]", "[^a]", "[a-c]", "%s", "()", "*", "+", "-", "?", "^", "$", "%b()", "%f[%a]",
    "%f[^a]", "%%", "c", "[%a_]", "[]]", "[^]]", "1", " ", "x*", "(a)", "(b*)", "(.-)", "%W", "]", "[a-]", "[%a-z]" }
local TEXTS = { "a", "b", "c", "(", ")", " ", "1", "_", "]", "%", "\0", "-" }
local function make(list, n)
    local t = {}
    for i = 1, random(n) do
        t[i] = list[random(#list)]
    end
    return table.concat(t)
end
local function call(f, ...)
    local r = table.pack(pcall(f, ...))
    for i = 1, r.n do
        r[i] = tostring(r[i])
    end
    return table.concat(r, "|")
end
for _ = 1, 10000 do
    local pattern, text = make(PARTS, 6), make(TEXTS, 12)
    local walk = {}
    for a, b in text:gmatch(pattern) do
        walk[#walk + 1] = tostring(a) .. tostring(b)
    end
    print((("%q %q"):format(pattern, text):gsub("\n", " ")), call(string.find, text, pattern, random(6) - 3),
        call(string.match, text, "(" .. pattern .. ")"), call(string.gsub, text, pattern, "<%0>", random(4)),
        call(string.gsub, text, pattern, { a = 1, b = false }), call(string.gsub, text, pattern, "%1-%2"),
        call(string.gsub, text, pattern, function(a) return a ~= "a" and a end), table.concat(walk, ","),
        call(string.match, text .. text, "(" .. pattern .. ").-%1"))
end
LUA
    run 0 "$HALO" run patterns.lua
    sort out >own.txt
    run 0 "$HALO" --restrict --compute 100 --memory 200 run patterns.lua
    sort out >restricted.txt
    cmp own.txt restricted.txt || fail "patterns: $(diff own.txt restricted.txt | head -4)"
}

at_once options limits answers restricted files patterns
end
