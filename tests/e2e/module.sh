# require "aura" in Lua's own interpreter, and in a program of C. UNDER: what to run them under (valgrind).
. "$SRC/tests/e2e/lib.bash" || exit 1
. "$SRC/tests/e2e/parts.bash" || exit 1
export LUA_CPATH="$MODULE_DIR/?.so"
lua=(${UNDER:-} "$LUA")
start_sandbox --speed 600 --switch rate=0,token_rate=0

test_calls() {
    run 0 "${lua[@]}" "$SRC/tests/module/aura_test.lua"
}

test_embedded() {
    run 0 ${UNDER:-} "$EMBED_MODULE" "$MODULE_DIR"
}

# The program that the README shows, and what it says there.
test_readme() {
    readme_block() { # REGEX: the code block that begins with such a line
        awk -v first="$1" '/^```/ { show = 0; if (!inside) at = NR + 1; inside = !inside; next }
            inside && NR == at { show = $0 ~ first } show' "$SRC/README.md"
    }
    readme_block '^-- pause-orders.lua' >pause-orders.lua
    readme_block '^\$ lua5.4 ' | tail -n +2 >want
    run 0 "${lua[@]}" pause-orders.lua
    diff want out || fail "README.md shows another output"
    [ -s want ] || fail "README.md has no such program"
    equal "status" "$(of 3fa29c1e status)" paused
}

# interrupted TEXT BODY: of a program that waits in wait(), as Ctrl-C ends it, and what it says
interrupted() {
    begin "${lua[@]}" -e 'local aura = require "aura"
        local function wait()
            aura.try.wait_for_status("b8e2f5a6", "paused", { on_change = function(s) io.stderr:write(s, "\n") end })
        end
        '"$2"
    kill -INT "$pid"
    ends 1
    has err "$1"
}

test_interrupt() {
    interrupted interrupted! 'wait()'
    interrupted interrupted! 'coroutine.wrap(wait)()'
    interrupted interrupted! 'while true do coroutine.resume(coroutine.create(wait)) end'
    interrupted "caught wait_for_status: cancelled: cancelled while waiting for b8e2f5a6 (last seen: running)" \
        'coroutine.wrap(function() io.stderr:write("caught ", tostring(select(2, pcall(wait))), "\n") end)()'
}

# What was to be sent again is not, once the wait for it is interrupted, while the program waits for something
# else.
test_interrupted_call() {
    curl -sS -o /dev/null -H 'Content-Type: application/json' "$AURA_BASE_URL/_sandbox/faults" \
        -d '["POST /v1/instances/*/upgrade 503:seconds=1"]'
    "${lua[@]}" -e 'local aura = require "aura"
        collectgarbage "stop"
        local _, err = pcall(function() aura.upgrade("7c41d09b", { memory = 8, storage = 16 }) end)
        io.stderr:write(tostring(err), "\n")
        aura.try.wait_for_status("b8e2f5a6", "paused", { timeout = 2 })' >out 2>err &
    pid=$!
    sent() { [ "$(requests upgrade)" -gt 0 ]; }
    poll sent
    kill -INT "$pid"
    poll filled err
    local before
    before=$(requests upgrade)
    ends 0
    has err interrupted!
    equal "requests sent" "$(requests upgrade)" "$before"
}

# Warnings are Lua's: shown with -W only.
test_warnings() {
    export XDG_CACHE_HOME=$PWD/cache
    mkdir -p cache/halo
    chmod 755 cache/halo
    run 0 "${lua[@]}" -e 'print(require "aura".get("e91c6f40").name)'
    equal "stdout" "$(cat out)" fraud-models
    equal "stderr" "$(cat err)" ""
    run 0 "${lua[@]}" -W -e 'require "aura".get("e91c6f40")'
    has err "Lua warning: aura: token cache:"
    chmod 700 cache/halo
    run 0 "${lua[@]}" -W -e 'require "aura".get("e91c6f40")'
    equal "stderr" "$(cat err)" ""
    local before
    before=$(state .tokens.issued)
    run 0 "${lua[@]}" -W -e 'require "aura".get("e91c6f40")'
    equal "tokens for the second program" "$(state .tokens.issued)" "$before"
}

test_without_credentials() {
    run 1 env -u AURA_CLIENT_ID "${lua[@]}" -e 'require "aura".list()'
    has err "usage: AURA_CLIENT_ID is not set"
}

at_once calls embedded interrupt interrupted_call without_credentials
at_once readme   # it pauses what the others look at
at_once warnings # it counts tokens
end
