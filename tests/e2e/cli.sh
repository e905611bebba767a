# The program as the shell sees it: options, exit codes, help, output, own scripts, questions, signals.
. "$SRC/tests/e2e/lib.bash" || exit 1
. "$SRC/tests/e2e/parts.bash" || exit 1

# unsent CODE command ...: like run, and no request must have been sent
unsent() {
    local before
    before=$(requests "oauth|v1/")
    run "$@"
    equal "requests sent by: ${*:2}" "$(requests "oauth|v1/")" "$before"
}

# children PID
children() {
    local file pid parent rest
    for file in /proc/[0-9]*/stat; do
        { read -r pid rest <"$file"; } 2>/dev/null || continue
        read -r _ parent _ <<<"${rest##*) }"
        [ "$parent" != "$1" ] || echo "$pid"
    done
}
has_child() { [ -n "$(children "$1")" ]; }

test_usage() {
    run 0 "$HALO" --version
    [[ $(cat out) =~ ^halo\ [0-9]+\.[0-9]+\.[0-9]+$ ]] || fail "--version says $(cat out)"
    run 0 "$HALO"
    has out "Usage: halo"
    run 0 "$HALO" --help
    for text in "migrate " "resize " "--sandbox" "--log FILE" "--cacert FILE" AURA_BASE_URL "130, 143"; do
        has out "$text"
    done
    equal "stderr of --help" "$(cat err)" ""
    run 0 "$HALO" help migrate
    for text in --dump --no-dump --s3 --target-type --work-dir INSTANCE_ID "Effect: destroy"; do
        has out "$text"
    done
    cp out help.txt
    run 0 "$HALO" migrate --help
    cmp out help.txt || fail "help migrate and migrate --help differ"
    run 0 "$HALO" scripts
    cp out scripts.txt
    for name in create delete edit get help list migrate pause resize resume sandbox scripts snapshot wait; do
        grep -q "^$name  *\(read\|change\|destroy\)  " scripts.txt || fail "halo scripts does not list $name"
        run 0 "$HALO" help $name
        has out "halo $name: "
        run 0 "$HALO" edit $name copies
        cmp "copies/$name.lua" "$SRC/scripts/$name.lua" || fail "edit $name is not what is in scripts/"
    done
    run 0 "$HALO" scripts --json
    equal "scripts with --json" "$(jq -r '.[] | select(.name == "delete").effect' out)" destroy
    run 2 "$HALO" help migrat
    has err "did you mean migrate?"
}

# Wrong usage: exit 2, a suggestion, no request.
test_wrong_usage() {
    unsent 2 "$HALO" lst
    has err "did you mean list?"
    unsent 2 "$HALO" list --stauts
    has err "did you mean --status?"
    unsent 2 "$HALO" --jsn list
    has err "did you mean --json?"
    unsent 2 "$HALO" --log
    has err "--log needs a value"
    unsent 2 "$HALO" --sandbox
    unsent 2 "$HALO" run
    unsent 2 "$HALO" run missing.lua
    has err "missing.lua does not exist"
    unsent 2 "$HALO" pause 3fa29c1e --timeout soon
    has err --timeout
    unsent 2 "$HALO" pause 3fa29c1e --timeout
    unsent 2 "$HALO" pause 3fa29c1e --timeout -5
    unsent 2 "$HALO" get 3fa29c1e b8e2f5a6
    unsent 2 "$HALO" pause 3fa29c1e --instance 3fa29c1e
    unsent 2 "$HALO" resize 3fa29c1e --memory lots
    has err lots
    unsent 2 "$HALO" resize 3fa29c1e
    unsent 2 "$HALO" get ../tenants
    unsent 2 "$HALO" get 'a b'
    unsent 2 "$HALO" get "$(printf '3fa29c1e\nX-Evil: 1')"
    unsent 2 "$HALO" create --name new
    has err "create: --"
    unsent 2 "$HALO" --log "$work/none/log" list
    has err "$work/none/log"
    unsent 2 env -u INSTANCE_ID "$HALO" get
    has err INSTANCE_ID
}

test_output() {
    run 0 "$HALO" get "$INSTANCE_ID" --json
    equal "get --json" "$(jq -r '"\(.id) \(.name) \(.memory)"' out)" "$INSTANCE_ID orders-prod 8GB"
    equal "lines of get --json" "$(wc -l <out)" 1
    equal "stderr of get --json" "$(cat err)" ""
    run 0 "$HALO" --json get                             # the same before the name, and INSTANCE_ID
    equal "--json get" "$(jq -r .id out)" "$INSTANCE_ID"
    run 0 "$HALO" --json list
    equal "list --json" "$(jq length out)" 6
    run 0 "$HALO" --json -e 'print("heard") return { answer = 42, list = {} }'
    equal "-e --json" "$(jq -c .answer out)" 42
    has err heard
    run 0 "$HALO" --json -e ''
    equal "-e '' --json" "$(cat out)" null
    run 0 "$HALO" -e 'print("heard", 1 + 1) return "back"'
    equal "stdout of -e" "$(cat out)" "$(printf 'heard\t2\nback')"
    run 0 "$HALO" -e 'return require("aura").get("3fa29c1e").name'
    equal "aura from -e" "$(cat out)" orders-prod
    run 3 "$HALO" --json get ffffffff
    equal "stdout of a failed get --json" "$(cat out)" ""
    run 0 "$HALO" -v get
    grep -q "^GET /v1/instances/$INSTANCE_ID -> 200" err || fail "-v names no call: $(cat err)"
    run 0 "$HALO" --log calls.log get
    run 3 "$HALO" --log calls.log get ffffffff
    equal "lines of --log" "$(jq -r '"\(.method) \(.path) \(.status)"' calls.log)" \
        "$(printf 'GET /v1/instances/%s 200\nGET /v1/instances/ffffffff 404' "$INSTANCE_ID")"
    equal "lines of --log with a request id" "$(grep -c '"request_id":"[0-9a-f]*/[0-9]*"' calls.log)" 2
    equal "lines of --log with a secret" "$(grep -ciE 'bearer|secret|authorization|basic' calls.log)" 0
    run 3 "$HALO" --log long.log -e 'require("aura").request("GET", "/v1/" .. ("x"):rep(1500))'
    equal "--log of a long path" "$(jq -r '.path[:5], .status' long.log | paste -sd ' ')" "/v1/x 404"
    run 0 "$HALO" pause b8e2f5a6 --quiet
    equal "stderr of pause --quiet" "$(cat err)" ""
    run 0 "$HALO" resume b8e2f5a6
    has err "resuming"
    has err "running after"
    equal "colour where there is no terminal" "$(grep -c $'\033' err)" 0
    run 1 bash -c '"$HALO" get >/dev/full'
    # A core file would hold the secret and the token.
    run 0 bash -c 'ulimit -c unlimited; "$HALO" -e "for line in io.lines [[/proc/self/limits]] do print(line) end"'
    equal "limits of core files" "$(awk '/core file/ { print $5, $6 }' out)" "0 0"
}

test_own_scripts() {
    cat >plain.lua <<'LUA'
#!/usr/bin/env halo
print(arg[0], #arg, arg[1], arg[2])
LUA
    run 0 "$HALO" run plain.lua one -- --json
    equal "arg of a plain file" "$(cut -f1,2,3 out)" "$(printf './plain.lua\t3\tone')"
    run 0 "$HALO" edit pause mine
    run 2 "$HALO" edit pause mine
    has err "not overwritten"
    run 0 sed -i 's/Pause an instance/Halt an instance/; s/is %s"/is now %s"/' mine/pause.lua
    run 0 "$HALO" run mine/pause.lua --help
    has out "Halt an instance"
    run 0 "$HALO" run ./mine/pause.lua 7c41d09b
    equal "result of the edited copy" "$(cat out)" "7c41d09b is now paused"
    mkdir -p "$HOME/.config/halo/scripts"
    cp mine/pause.lua "$HOME/.config/halo/scripts/halt.lua"
    run 0 "$HALO" halt 7c41d09b
    has out "is now paused"
    run 0 "$HALO" scripts
    grep -q '^halt .*user' out || fail "an own script is not listed"
    rm -r "$HOME/.config"

    echo 'return { word = function() return "beside" end }' >mine/helper.lua
    echo 'print(require("helper").word())' >mine/uses.lua
    run 0 "$HALO" run mine/uses.lua
    equal "require beside the script" "$(cat out)" beside

    printf 'local function inner()\n  error("on purpose")\nend\ninner()\n' >bad.lua
    run 1 "$HALO" run bad.lua
    has err "bad.lua:2: on purpose"
    has err "stack traceback:"
    has err "bad.lua:4: in main chunk"
    echo 'return 1 +' >syntax.lua
    run 1 "$HALO" run syntax.lua
    has err "syntax.lua:"
    printf '\033Lua\123\000' >binary.lua
    run 1 "$HALO" run binary.lua
    has err binary
    run 1 "$HALO" -e 'os.exit(0)'
    has err os.exit
    run 1 "$HALO" -e 'error({ text = 1 })'
    run 1 "$HALO" -e 'return load(string.dump(function() end))()'
    echo 'return { summary = "x", effect = "read", arguments = {}, run = print }' >wrong.lua
    run 1 "$HALO" run wrong.lua
    has err arguments
}

# stdlib and scripts from disk, by option and by environment.
test_disk() {
    cp -r "$SRC/stdlib" "$SRC/scripts" .
    sed -i 's/Show everything/Show it all/' scripts/get.lua
    sed -i 's/"no instances"/"none"/' scripts/list.lua
    sed -i 's/(nothing)/(not a thing)/' stdlib/report.lua
    run 0 "$HALO" --scripts scripts help get
    has out "Show it all"
    run 0 env HALO_SCRIPTS="$work/scripts" "$HALO" help get
    has out "Show it all"
    run 0 "$HALO" --stdlib stdlib -e 'return {}'
    equal "--stdlib" "$(cat out)" "(not a thing)"
    run 0 env HALO_STDLIB="$work/stdlib" "$HALO" -e 'return {}'
    equal "HALO_STDLIB" "$(cat out)" "(not a thing)"
    run 0 "$HALO" -e 'return {}'
    equal "the built-in stdlib" "$(cat out)" "(nothing)"
    sed -i 's/return/retrun/' stdlib/report.lua
    run 1 "$HALO" --stdlib stdlib list
    has err "stdlib/report.lua:"
    cp "$SRC/stdlib/report.lua" stdlib
    sed -i 's/"orders-prod"/"orders-edited"/' stdlib/sandbox/seed.lua
    run 0 "$HALO" --sandbox --stdlib stdlib list    # the sandbox child too
    has out orders-edited
}

# A script may not do more than it says.
test_effects() {
    cat >reads.lua <<'LUA'
local aura = require "aura"
return { summary = "x", effect = "read", args = { { "how", "string", "x" } }, run = function(args)
    if args.how == "pcall" then
        return tostring(select(2, pcall(aura.pause, "3fa29c1e")))
    elseif args.how == "try" then
        return select(2, aura.try.pause("3fa29c1e")).kind
    elseif args.how == "client" then
        return aura.auth {}:delete("3fa29c1e")
    elseif args.how == "request" then
        return aura.request("DELETE", "/v1/instances/3fa29c1e")
    elseif args.how == "again" then
        require "halo".effect("destroy")
        return aura.delete("3fa29c1e")
    end
    return aura[args.how]("3fa29c1e")
end }
LUA
    for how in pause delete client request again; do
        unsent 6 "$HALO" --yes run reads.lua $how
        has err denied
    done
    unsent 0 "$HALO" run reads.lua pcall
    has out denied
    unsent 0 "$HALO" run reads.lua try
    equal "kind" "$(cat out)" denied
    run 0 "$HALO" run reads.lua get
    sed 's/"read"/"change"/' reads.lua >changes.lua
    unsent 6 "$HALO" --yes run changes.lua delete
    has err denied
    local before
    before=$(requests DELETE)
    run 6 "$HALO" delete b8e2f5a6
    has err --yes
    has err "customers-live"
    equal "deletions without a terminal and --yes" "$(requests DELETE)" "$before"
    run 6 bash -c 'echo YES | "$HALO" delete b8e2f5a6'   # a pipe is no operator
    run 0 "$HALO" --dry-run --yes delete b8e2f5a6
    run 0 "$HALO" delete b8e2f5a6 --yes --dry-run
    echo 'require("aura").delete("b8e2f5a6")' >plain.lua
    run 6 "$HALO" run plain.lua                          # a plain file is asked too
    equal "deletions" "$(requests DELETE)" "$before"
    equal "status" "$(state '.instances[] | select(.id == "b8e2f5a6").status')" running
}

# In a real terminal: anything but YES is no.
test_terminal() {
    local pid
    mkfifo keys
    # typed CODE TEXT [STATUS]: deletes on a terminal where TEXT is typed once the question stands there
    typed() {
        rm -f screen
        script -qec "'$HALO' delete e91c6f40" /dev/null <keys >screen 2>&1 &
        pid=$!
        exec 8>keys
        poll grep -qsF "Type YES" screen || fail "no question: $(cat screen)"
        printf '%b' "$2" >&8
        poll ended "$pid" || { fail "does not end after '$2'"; kill -9 "$pid"; }
        exec 8>&-
        wait "$pid" 2>/dev/null
        equal "exit code after typing '$2'" $? "$1"
        equal "status after typing '$2'" "$(state '.instances[] | select(.id == "e91c6f40").status')" "${3-running}"
    }
    typed 6 'NO\n'
    has screen "e91c6f40 (fraud-models)"
    has screen "nothing was deleted"
    typed 6 'yes\n'
    typed 6 'YES!\n'
    typed 6 'YESYESYESYESYESYESYES\n'
    typed 6 '\n'
    typed 6 '\004'
    typed 130 '\003'
    typed 130 'YES\003'
    typed 0 'YES\n' ""
}

test_signals() {
    local pid child each
    begin "$HALO" wait "$INSTANCE_ID" paused
    kill -INT "$pid"
    ends 130
    hasnt err traceback
    begin "$HALO" wait "$INSTANCE_ID" paused
    kill -TERM "$pid"
    ends 143
    # A script that goes on all the same is ended by the second one.
    begin "$HALO" -e 'local say, sleep = require("ui").say, require("task").sleep
        say "up" pcall(sleep, 60) say "on" while true do pcall(sleep, 60) end'
    kill -INT "$pid"
    poll grep -qsx on err || fail "pcall does not see the interrupt"
    kill -INT "$pid"
    ends 130

    # Before anything runs: while the sandbox, here a slow one, starts.
    mkdir slow
    cp "$SRC"/scripts/*.lua slow
    sed -i 's/print("ready")/task.sleep(5) &/' slow/sandbox.lua
    rm -f out err
    "$HALO" --scripts slow --sandbox wait "$INSTANCE_ID" paused >out 2>err &
    pid=$!
    poll has_child "$pid" || fail "no sandbox child"
    child=$(children "$pid")
    kill -INT "$pid"
    ends 130
    [ -z "$child" ] || poll ended "$child" || fail "the sandbox that was starting is still there"

    for signal in INT:130 TERM:143 KILL:137; do
        begin "$HALO" --sandbox wait "$INSTANCE_ID" paused
        child=$(children "$pid")
        [ -n "$child" ] || fail "no sandbox child"
        kill -"${signal%:*}" "$pid"
        ends "${signal#*:}"
        for each in $child; do
            poll ended "$each" || fail "the sandbox is still there after SIG${signal%:*}"
        done
    done
}

test_sandbox() {
    run 0 env -u AURA_CLIENT_ID -u AURA_CLIENT_SECRET -u INSTANCE_ID AURA_BASE_URL=https://api.invalid \
        "$HALO" --sandbox get --json
    equal "name" "$(jq -r .name out)" orders-prod
    run 0 env INSTANCE_ID=b8e2f5a6 "$HALO" --sandbox get --json
    equal "the operator's INSTANCE_ID" "$(jq -r .id out)" b8e2f5a6
    run 2 "$HALO" sandbox --port 99999
    run 2 "$HALO" sandbox --speed 0
    run 2 "$HALO" sandbox --seed missing.json
    run 2 "$HALO" sandbox --switch nonsense=1
    has err "unknown switch"
    echo '{"data":{"id":"0badcafe","name":"captured","type":"professional-db","cloud_provider":"aws",
        "region":"us-east-1","memory":"4GB","storage":"8GB","status":"running","project_id":"p-1"}}' >captured.json
    stop_sandbox
    start_sandbox --seed captured.json
    equal "INSTANCE_ID of a captured seed" "$INSTANCE_ID" 0badcafe
    run 0 "$HALO" get --json
    equal "the captured instance" "$(jq -r '"\(.name) \(.memory)"' out)" "captured 4GB"
    run 1 "$HALO" sandbox --port "${AURA_BASE_URL##*:}"
    has err "${AURA_BASE_URL##*:}"
}

start_sandbox --speed 600 --switch rate=0,token_rate=0
equal "connections made" "$(state .connections)" 1 # this one
equal "connections made" "$(state .connections)" 2
for part in usage wrong_usage output own_scripts disk effects terminal signals sandbox; do
    test_$part
done
end
