# The request rate: one for all processes of a user, held by all after a 429, learned where it is lower than thought.
. "$SRC/tests/e2e/lib.bash" || exit 1
. "$SRC/tests/e2e/parts.bash" || exit 1

gets() { requests '^GET /v1/instances$'; }

# A script that asks so often, with half a second for each, and says how it went.
ask=$work/ask.lua
cat >"$ask" <<'LUA'
local aura, task = require "aura", require "task"
local all, counts = {}, { ok = 0, timeout = 0, rate_limited = 0 }
for i = 1, tonumber(arg[1]) do
    all[i] = i
end
task.all(all, function()
    local ok, err = aura.try.list({}, { timeout = 0.5 })
    local how = ok and "ok" or err.kind
    counts[how] = counts[how] + 1
end)
print(("ok=%d timeout=%d rate_limited=%d"):format(counts.ok, counts.timeout, counts.rate_limited))
LUA

# asks COUNT WANT
asks() {
    run 0 "$HALO" run "$ask" "$1"
    equal "of $1 requests" "$(cat out)" "$2"
}

# Five processes after each other, and five at once: of 25 a minute reads get 22, whoever sends them.
test_shared() {
    own_sandbox
    export AURA_RATE=25
    asks 10 "ok=10 timeout=0 rate_limited=0"
    asks 10 "ok=10 timeout=0 rate_limited=0"
    asks 10 "ok=2 timeout=8 rate_limited=0"
    equal "lists" "$(gets)" 22
    run 0 "$HALO" --no-token-cache run "$ask" 10
    equal "of those of a process on its own" "$(cat out)" "ok=10 timeout=0 rate_limited=0"
    AURA_BASE_URL=${AURA_BASE_URL/127.0.0.1/localhost}    # counted apart: nothing was sent there yet
    seq 5 | xargs -P 5 -I '{}' sh -c '"$HALO" run "$0" 10 >many.{} 2>&1' "$ask"
    local of sum=0
    for of in many.*; do
        read -r of <"$of"
        of=${of#ok=}
        sum=$((sum + ${of%% *}))
    done
    equal "of fifty from five processes at once" "$sum" 22
    equal "modes of the files" "$(stat -c %a "$HOME"/.cache/halo/*.rate | sort -u)" 600
}

# The API allows less than AURA_RATE says: one process finds out, all keep to it.
test_learned() {
    switches=rate=25 own_sandbox
    export AURA_RATE=125
    asks 40 "ok=25 timeout=0 rate_limited=15"
    has err "going on with 25 a minute"
    equal "lists" "$(gets)" 40
    asks 10 "ok=0 timeout=10 rate_limited=0"
    hasnt err "a minute"
    equal "lists after the hold" "$(gets)" 40
}

# Retry-After holds all of them back.
test_held() {
    own_sandbox --fault 'GET /v1/instances 429:seconds=60 x1'
    export AURA_RATE=125
    asks 1 "ok=0 timeout=0 rate_limited=1"
    asks 5 "ok=0 timeout=5 rate_limited=0"
    equal "lists" "$(gets)" 1
}

at_once shared learned held
end
