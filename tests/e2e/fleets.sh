# One command for several instances: plan and outcomes, what fails in the middle, and what is left when it is cut off.
. "$SRC/tests/e2e/lib.bash" || exit 1
. "$SRC/tests/e2e/parts.bash" || exit 1
platform=6b1f0c52-8d0a-4c7e-9a53-0f7c1d2e3b44

# fleet COUNT [FIELDS]: instances f0000001, ... named dev-01, ..., as JSON fields FIELDS say; nothing is known of them
fleet() {
    local i list=
    export HOME=$work
    rm -rf "$HOME/.local"
    for ((i = 1; i <= $1; i++)); do
        list+=$(printf '%s{"id":"f%07d","name":"dev-%02d","snapshots":[],"memory":"8GB","storage":"16GB"%s}' \
            "${list:+,}" $i $i "${2:+,$2}")
    done
    seed "{\"replace\":true,\"tenants\":[{\"id\":\"$platform\",\"name\":\"Platform\"}],\"instances\":[$list]}"
}
# faults JSON: instead of those there are
faults() { curl -sS -o /dev/null "$AURA_BASE_URL/_sandbox/faults" -d "{\"clear\":true,\"faults\":$1}"; }

# outcomes: id and outcome of each, in the order of the result
outcomes() { jq -r '.[] | "\(.id[5:]) \(.outcome)"' out | paste -sd, ; }
statuses() { state '[.instances[].status] | join(" ")'; }
effects() { state '[.effects[]] | add // 0'; }

# The tables, in full.
test_tables() {
    own_sandbox
    fleet 3
    seed '{"instances":[{"id":"f0000002","status":"paused"}]}'
    run 0 "$HALO" pause dev-03 f0000001 dev-02 dev-01
    equal "plan" "$(head -5 err)" "ID        NAME    STATUS  PLAN
f0000003  dev-03  -       pause
f0000001  dev-01  -       pause
f0000002  dev-02  -       pause
pause 3 instances; their status is not looked up first"
    equal "outcomes" "$(cat out)" "ID        NAME    STATUS  OUTCOME
f0000003  dev-03  paused  done
f0000001  dev-01  paused  done
f0000002  dev-02  paused  unchanged: paused already"
    equal "pauses sent" "$(requests /pause$)" 3
    equal "pauses" "$(effects)" 2
    run 0 "$HALO" resume --select status=paused --exclude name=*3 --json
    has err "f0000002  dev-02  paused  resume"
    hasnt err "not looked up"
    equal "outcomes" "$(jq -c . out)" '[{"id":"f0000001","name":"dev-01","outcome":"done","status":"running"},'`
        `'{"id":"f0000002","name":"dev-02","outcome":"done","status":"running"}]'
    run 0 "$HALO" resize --select 'name=dev-0?' --memory 16 --storage 32 --exclude status=paused
    has err "f0000001  dev-01  running  memory 8GB -> 16GB, storage 16GB -> 32GB"
    has out "f0000002  dev-02  running  done: memory 16GB, storage 32GB"
    run 0 "$HALO" resize dev-01 dev-02 --memory 16 --storage 32 --json
    equal "outcomes" "$(outcomes)" "001 unchanged,002 unchanged"
    run 0 "$HALO" wait --select 'name=dev-*' running,paused
    equal "lines" "$(grep -c '  done$' out)" 3
    run 0 "$HALO" wait dev-01 f9999999 deleted,running              # one that is gone is no mistake
    has out "f9999999  -       deleted  done"
    # One instance, by its name, as by its id.
    run 0 "$HALO" pause dev-01
    equal "said" "$(cat out)" "f0000001 is paused"
    run 0 "$HALO" resume --json --select name=dev-01                # a selection is a list, though of one
    equal "outcomes" "$(outcomes)" "001 done"
}

# By name alone nothing is looked at before it is asked for: one list, an action each, then the waits.
test_requests() {
    local speed=60
    own_sandbox
    fleet 20
    run 0 "$HALO" --log calls pause --select 'name=dev-*'
    equal "requests before the first look" \
        "$(jq -r '"\(.method) \(.path | sub("f0[0-9]*"; "ID"))"' calls | sed '/^GET .*ID$/,$d' | sort | uniq -c | sed 's/^ *//' | paste -sd,)" \
        "1 GET /v1/instances,20 POST /v1/instances/ID/pause"
    equal "pauses" "$(effects)" 20
    equal "of those that can be selected by their status" "$("$HALO" list --json --select 'name=*1*,status=paused' | jq length)" 11
    equal "all requests of that" "$("$HALO" -v list --select 'name=*1*,status=paused' 2>&1 | grep -c 'GET .* 200')" 12
}

# Nothing is sent for what is not clear.
test_refused() {
    own_sandbox
    fleet 3
    seed '{"instances":[{"id":"f0000009","name":"dev-02"}]}'
    # refuses CODE TEXT command ...
    refuses() {
        run "$1" "$HALO" "${@:3}"
        has err "$2"
    }
    refuses 2 "2 instances are named dev-02: f0000002 (project $platform), f0000009 (project $platform)" pause dev-02
    refuses 2 "2 instances are named dev-02" --yes delete dev-01 dev-02
    refuses 3 "no instance with the id or the name dev-7, f7777777" pause dev-01 dev-7 f7777777
    refuses 2 "did you mean name?" pause --select nam=dev-01
    refuses 2 "expected KEY=PATTERN" pause --select dev-01
    refuses 2 "no instance fits name=Dev*" pause --select 'name=Dev*'
    refuses 2 "4 instances fit name=dev*, more than --limit 3" --yes delete --select 'name=dev*' --limit 3
    refuses 2 "--exclude goes with --select" pause dev-01 --exclude name=x
    refuses 2 'unexpected argument "dev-01"' pause dev-01 --select name=x
    run 2 env -u INSTANCE_ID "$HALO" pause
    has err "missing INSTANCE"
    refuses 6 "Delete 2 instances: f0000001 (dev-01), f0000003 (dev-03)? This cannot be undone." delete dev-01 f0000003
    has err "f0000003  dev-03  running  delete"
    run 0 "$HALO" --dry-run pause --select 'name=dev-0[13]' --select 'id=*3'
    has err "dry run: would pause 1 instance"
    equal "dry run" "$(cat out)" "ID        NAME    STATUS  PLAN
f0000003  dev-03  -       pause"
    run 0 "$HALO" --dry-run --json snapshot dev-01 dev-03
    equal "dry run" "$(jq -r '.[] | .id + " " + .plan' out | paste -sd,)" "f0000001 snapshot,f0000003 snapshot"
    equal "what a dry run leaves" "$(ls -d aura-* 2>/dev/null)" ""
    equal "effects" "$(effects)" 0
    run 0 "$HALO" list --json --select name=none
    equal "an empty list" "$(cat out)" "[]"
    run 0 "$HALO" list --json --select 'name=dev*' --limit 2
    equal "a list with a limit" "$(jq length out)" 2
    has err "2 of 4 instances are shown"
}

# Some fail: the others go on when that is asked for, and what is under way is waited for.
test_failures() {
    own_sandbox --fault 'POST /v1/instances/f0000002/pause 403' --fault 'POST /v1/instances/f0000003/pause 400:reason=odd'
    fleet 12
    seed '{"instances":[{"id":"f0000004","status":"suspended"},{"id":"f0000005","status":"paused"}]}'
    run 3 "$HALO" pause --select 'name=dev-*' --continue-on-error --json
    equal "outcomes" "$(outcomes)" "001 done,002 failed,003 failed,004 failed,005 unchanged,006 done,007 done,008 done,`
        `009 done,010 done,011 done,012 done"
    equal "errors" "$(jq -r '.[] | select(.error) | "\(.error.kind) \(.error.status) \(.error.reason)"' out | paste -sd,)" \
        "forbidden 403 forbidden,invalid 400 odd,conflict 409 instance-action-unavailable"
    has err "3 of 12 instances failed: f0000002 (dev-02), f0000003 (dev-03), f0000004 (dev-04)"
    equal "statuses" "$(statuses)" "paused running running suspended paused paused paused paused paused paused paused paused"
    # The first failure keeps the rest from beginning, and what is under way is waited for.
    fleet 12
    run 3 "$HALO" pause --select 'name=dev-*'
    has err "; not begun: "
    equal "begun and seen through" "$(grep -c ' paused  done$' out)" "$(state '[.instances[] | select(.status == "paused")] | length')"
    [ "$(grep -c 'not begun$' out)" -ge 2 ] || fail "none was kept from beginning: $(cat out)"
    hasnt out "begun  "
    equal "pauses of the last" "$(of f0000012 status)" running
    # 500 to a POST: looked at, and sent again when it was not done.
    faults '["POST ** 500:acted x2"]'
    fleet 4 '"status":"running"'
    run 0 "$HALO" pause --select 'name=dev-*'
    equal "statuses" "$(statuses)" "paused paused paused paused"
    # One never gets there.
    faults '["POST **/f0000002/* stuck"]'
    fleet 3 '"status":"paused"'
    run 3 "$HALO" resume --select 'name=dev-*' --timeout 2 --json
    equal "outcomes" "$(outcomes)" "001 done,002 failed,003 done"
    equal "kind" "$(jq -r '.[1].error.kind' out)" timeout
}

# Being updated by somebody else: its end is waited for, then it is paused.
test_busy() {
    local speed=60
    own_sandbox
    fleet 2
    run 0 "$HALO" -e 'require("aura").patch("f0000002", { memory = "16GB", storage = "32GB" })'
    run 0 "$HALO" pause dev-01 dev-02
    equal "statuses" "$(statuses)" "paused paused"
    run 0 "$HALO" resume dev-01 dev-02
    run 0 "$HALO" -e 'require("aura").pause("f0000001")'
    run 0 "$HALO" pause dev-01 dev-02                               # one is on its way already
    equal "pauses" "$(state '.effects["POST /v1/instances/{id}/pause"]')" 4
}

test_deleted() {
    own_sandbox
    fleet 4
    run 0 "$HALO" --yes delete --select 'name=dev-*' --exclude name=dev-02 --json
    equal "outcomes" "$(jq -r '.[] | "\(.id) \(.status) \(.outcome)"' out | paste -sd,)" \
        "f0000001 deleted done,f0000003 deleted done,f0000004 deleted done"
    equal "what is left" "$(state '[.instances[].id] | join(" ")')" f0000002
    run 0 "$HALO" --yes delete f0000001 f0000002                    # given again, cut off after the first
    has out "f0000001  -       -        unchanged: there is no such instance (any more)"
    equal "what is left" "$(state '.instances | length')" 0
    equal "deletions" "$(effects)" 4
}

# The same command goes on with what is left, and nothing is done twice: with a journal, and without where it needs none.
# It is cut off when four are answered, two done and not answered, and six not even done.
# cut_off SIGNAL SCRIPT METHOD PATH [option ...]
cut_off() {
    local signal=$1 each=$2 route="$3 $4" many=20 speed=60
    reached() { [ "$(effects)" = 6 ]; }
    own_sandbox
    local command=("$HALO" --yes "$each" --select 'name=dev-*' "${@:5}")
    fleet $many
    faults "[\"$route hang:acted x2 after 4\",\"$route hang after 6\"]"
    begin "${command[@]}"
    poll reached || fail "$(effects) effects"
    kill -"$signal" "$pid"
    if [ "$signal" = INT ]; then
        ends 130
        has err "goes on with what is left"
        equal "interrupted" "$(grep -c 'interrupted$' out)" 8
    else
        wait "$pid" 2>/dev/null
    fi
    faults '[]'
    run 0 "${command[@]}"
    equal "effects" "$(effects)" $many
}

pause() { cut_off "$1" pause POST '**/pause'; equal "statuses" "$(statuses | tr ' ' '\n' | sort -u)" paused; }
resize() {
    local dir=()
    [ "$1" = INT ] || dir=(--work-dir kept)
    cut_off "$1" resize PATCH '/v1/instances/*' --memory 16 --storage 32 "${dir[@]}"
    equal "sizes" "$(state '[.instances[].memory] | unique | tostring')" '["16GB"]'
    [ "$1" != INT ] || return
    run 0 "$HALO" runs
    grep -q '^kept  *resize  *finished ' out || fail "not shown as finished: $(cat out)"
}
snapshot() {
    cut_off "$1" snapshot POST '**/snapshots' --interval 0.2
    equal "snapshots" "$(state '[.instances[].snapshots | length] | unique | tostring')" '[1]'
    run 0 "$HALO" snapshot --select name=dev-01 --interval 0.2      # another one, as the first run is finished
    equal "snapshots" "$(state '[.instances[].snapshots | length] | unique | tostring')" '[1,2]'
    run 2 "$HALO" snapshot --select name=none
    equal "directories" "$(ls -d aura-snapshot-* | wc -l)" 2
}
delete() {
    local dir=()
    [ "$1" = INT ] || dir=(--work-dir kept)
    cut_off "$1" delete DELETE '/v1/instances/*' "${dir[@]}"
    equal "what is left" "$(state '.instances | length')" 0
    [ "$1" != INT ] || return
    cp -r kept copy
    run 0 "$HALO" --yes delete --select 'name=dev-*' --work-dir kept --json
    has err "it is finished, nothing is done"
    equal "result" "$(jq length out)" 20
    diff -r kept copy || fail "a finished run was changed"
    run 2 "$HALO" --yes delete --select 'name=*' --work-dir kept
    has err "other input (select)"
}

parts=(tables requests refused failures busy deleted)
for each in pause resize snapshot delete; do
    eval "test_interrupted_$each() { $each INT; }; test_killed_$each() { $each KILL; }"
    parts+=(interrupted_$each killed_$each)
done
at_once "${parts[@]}"
end
