# Errors as the operator sees them: one clear message, the right exit code, nothing half-written.
. "$SRC/tests/e2e/lib.bash" || exit 1
. "$SRC/tests/e2e/parts.bash" || exit 1
export AURA_CLIENT_ID=client-7 AURA_CLIENT_SECRET=s3cr3t-value
unset INSTANCE_ID

# A server that answers what the id asks for: s409, html, cut, ...
cat >server.lua <<'LUA'
local httpd, json = require "httpd", require "json"
local server = httpd.listen {}
local STATUS = { ["400"] = "invalid-memory-size", ["402"] = "payment", ["404"] = "db-not-found",
    ["405"] = "instance-limit-exceeded", ["409"] = "instance-action-unavailable", ["410"] = "db-already-deleted",
    ["422"] = "invalid-field" }
local BODY = { html = "<html><body>Sign in</body></html>", cut = '{"data":{"id":"cut","na', empty = "", list = "[1]",
    null = '{"data":null}', text = "Service is down", string = '{"data":"job-123"}' }
local kept, counts = {}, {}

local function answer(req, id)
    local headers = { ["X-Request-Id"] = "0123456789abcdef0123456789abcdef/42" }
    local status = id:match("^s(%d+)$")
    counts[id] = (counts[id] or 0) + 1
    if BODY[id] then
        return 200, headers, BODY[id]
    elseif id == "big" then
        return 200, headers, '{"data":"' .. ("x"):rep(50000000)
    elseif id == "escape" then
        return 400, headers, [[{"errors":[{"message":"red \u001b[31m\u009b31m\r\nhalo: done","reason":"a\u0007b"}]}]]
    elseif id == "echo" then
        local line = req.headers.authorization
        headers["X-Request-Id"] = line
        return 400, headers, json.encode { errors = { { message = "you sent " .. line, reason = line, field = line } } }
    elseif id == "count" then
        return 200, headers, json.encode { data = counts }
    elseif id == "moved" then
        headers.Location = "https://elsewhere.example/v2"
        return 308, headers, ""
    elseif id == "flaky" and counts[id] < 3 then
        return 500, headers, "<html>"
    elseif status == "429" or status and status >= "500" then
        headers["Retry-After"] = "1"
        return tonumber(status), headers, json.encode { error = "gateway says " .. status }
    elseif status then
        return tonumber(status), headers, STATUS[status] and json.encode { errors = { { message = "api says " .. status,
            reason = STATUS[status], field = "memory" } } } or json.encode { error = "gateway says " .. status }
    end
    return 200, headers, json.encode { data = { id = id, name = "n", status = "running" } }
end

print("export AURA_BASE_URL=http://127.0.0.1:" .. server.port)
print("ready")
while true do
    local req = server:next()
    local id = req.path:match("^/v1/instances/([%w-]+)")
    if req.path == "/oauth/token" then
        req:reply(200, {}, json.encode { access_token = "t0ken-value", expires_in = 3600, token_type = "bearer" })
    elseif id == "hang" then
        kept[#kept + 1] = req
    elseif id then
        req:reply(answer(req, id))
    elseif req.method == "POST" then
        req:reply(202, {}, '{"data":{"id":"0badcafe","password":"p4ssw')
    else
        req:reply(200, {}, '{"data":[]}')
    end
end
LUA

# refused CODE TEXT command ...: its message is one, holds TEXT, and tells no secret
refused() {
    local code=$1 text=$2
    shift 2
    run "$code" "$@"
    has err "$text"
    equal "messages of: $*" "$(grep -c '^halo: ' err)" 1
    equal "stdout of: $*" "$(cat out)" ""
    hasnt err s3cr3t
    hasnt err t0ken
    hasnt err "stack traceback"
}

test_credentials() {
    refused 2 AURA_CLIENT_ID env -u AURA_CLIENT_ID -u AURA_CLIENT_SECRET "$HALO" list
    has err --sandbox
    refused 2 AURA_CLIENT_SECRET env -u AURA_CLIENT_SECRET "$HALO" list
    refused 2 AURA_CLIENT_SECRET env AURA_CLIENT_SECRET= "$HALO" list
    own_sandbox
    AURA_CLIENT_SECRET=s3cr3t-wrong refused 3 "check AURA_CLIENT_ID" "$HALO" list
    equal "tokens asked for" "$(requests oauth)" 1
    equal "requests sent" "$(requests /v1/)" 0
    AURA_CLIENT_ID=nobody refused 3 auth "$HALO" get 3fa29c1e
    AURA_CLIENT_ID=$'a\nb' refused 3 "" "$HALO" get 3fa29c1e
    # Expired tokens are renewed, in either dialect.
    for dialect in 401 403; do
        seed "{\"switches\":{\"expired\":\"$dialect\"}}"
        begin "$HALO" wait 3fa29c1e paused --interval 0.1 --timeout 30
        seed '{"expire_tokens":true}'
        run 0 "$HALO" pause 3fa29c1e
        ends 0
        run 0 "$HALO" resume 3fa29c1e
    done
}

test_network() {
    refused 3 "connect" env AURA_BASE_URL=http://127.0.0.1:1 "$HALO" list
    has err AURA_BASE_URL
    refused 3 "resolve" env AURA_BASE_URL=https://api.aura.invalid "$HALO" get 3fa29c1e
    has err api.aura.invalid
    local url
    for url in http://api.neo4j.io http://127.0.0.1.example.com http://10.0.0.1:8080 ftp://127.0.0.1 api.neo4j.io \
        https://user@api.neo4j.io https:// https://127.0.0.1:1/v1 "https://127.0.0.1 x"; do
        refused 2 "" env AURA_BASE_URL="$url" "$HALO" list
    done
    run 3 env AURA_BASE_URL=http://127.0.0.1:1 "$HALO" --yes migrate 3fa29c1e --no-dump --work-dir moved
    equal "files" "$(ls -A moved)" journal.jsonl
}

# Every status: what, which instance, what the API said, the request id.
test_statuses() {
    local status
    for status in 400 402 404 405 409 410 415 420 422; do
        refused 3 "$status" "$HALO" get s$status
        grep -q "says $status" err || fail "$status: not what the API said: $(cat err)"
        has err "get s$status"
        has err "request 0123456789abcdef0123456789abcdef/42"
    done
    has err invalid-field
    for status in 401 403; do
        refused 3 "$status" "$HALO" get s$status
        has err "says $status"
    done
    refused 3 "https://elsewhere.example/v2" "$HALO" get moved
    # What repeats the token is blanked wherever it would be seen.
    refused 3 "you sent Bearer ***" "$HALO" -v --log calls.log get echo
    has err "request Bearer ***"
    has calls.log '"request_id":"Bearer ***"'
    hasnt calls.log t0ken
    run 3 "$HALO" --yes migrate echo --no-dump --work-dir echoed
    cat echoed/* err >all
    hasnt all t0ken
    refused 3 "" "$HALO" get escape
    equal "control characters shown" "$(LC_ALL=C grep -c $'[\001-\011\013-\037\177\200-\377]' err)" 0
    equal "lines that the API wrote" "$(grep -c '^halo: done' err)" 0
}

# Those that may pass are tried again first: with Retry-After of 1 s, side by side.
test_passing() {
    local status pids=()
    for status in 429 500 502 503 504; do
        "$HALO" get s$status >out.$status 2>err.$status &
        pids+=($!)
    done
    for status in 429 500 502 503 504; do
        wait "${pids[0]}"
        equal "exit code for $status" $? 3
        pids=("${pids[@]:1}")
        has err.$status "gateway says $status"
    done
    run 0 "$HALO" get count --json
    for status in 429 503; do
        [ "$(jq .s$status out)" -gt 1 ] || fail "$status was not tried again"
    done
    has err.429 AURA_RATE
    run 0 "$HALO" get flaky --json
    equal "name after two failures" "$(jq -r .name out)" n
}

# Answers that are none.
test_nonsense() {
    local id
    refused 3 HTML "$HALO" get html
    refused 3 "cut off or broken" "$HALO" get cut
    refused 3 empty "$HALO" get empty
    refused 3 "larger than" "$HALO" get big
    for id in text list null string; do
        refused 3 "" "$HALO" get $id
    done
    for id in html cut empty big null; do
        run 3 "$HALO" --yes migrate $id --no-dump --work-dir "moved-$id"
        equal "files for $id" "$(ls -A "moved-$id")" journal.jsonl
    done
    run 3 "$HALO" --json get cut
    equal "stdout of --json get cut" "$(cat out)" ""
    # The answer to a creation, cut off: it is on the disk, with what there is of the password.
    run 3 "$HALO" create --name n --type professional-db --cloud-provider aws --region us-east-1 --memory 8 \
        --storage 16 --tenant-id t-1 --work-dir made
    grep -q p4ssw made/create-response*.json || fail "what came of the answer is lost: $(ls made)"
    cat out err >all
    hasnt all p4ssw
}

test_silence() {
    refused 4 hang "$HALO" wait hang running --timeout 1
    # A script's own limit.
    run 4 "$HALO" -e 'require("task").timeout(0.5, function() require("aura").get("hang") end)'
    begin "$HALO" -e 'require("ui").say("up") require("aura").get("hang")'
    kill -INT "$pid"
    ends 130
}

"$HALO" run server.lua >server.out 2>server.err &
server=$!
poll grep -qs ready server.out || fail "the server does not start: $(cat server.err)"
eval "$(head -1 server.out)"
at_once credentials network statuses passing nonsense silence
kill -0 $server || fail "the server has ended: $(cat server.err)"
kill $server
wait $server 2>/dev/null
end
