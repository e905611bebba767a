# Every bundled script against the sandbox: what it does, done twice, and what it refuses.
. "$SRC/tests/e2e/lib.bash" || exit 1
. "$SRC/tests/e2e/parts.bash" || exit 1
pro=3fa29c1e paused=7c41d09b critical=b8e2f5a6 science=e91c6f40 free=52d7a3e9
platform=6b1f0c52-8d0a-4c7e-9a53-0f7c1d2e3b44 labs=d94c7a18-52e6-4b3f-8c0d-71a9e2f6b035

test_list() {
    run 0 "$HALO" list
    equal "lines" "$(wc -l <out)" 7
    has out "orders-prod"
    run 0 "$HALO" list --json
    equal "ids" "$(jq -r '.[].id' out | sort | tr '\n' ' ')" "$(state '.instances[].id' | sort | tr '\n' ' ')"
    run 0 "$HALO" list --tenant-id $labs --json
    equal "names in Labs" "$(jq -r '.[].name' out)" playground
    run 0 "$HALO" list --status
    grep -q "^$paused  billing-archive  paused " out || fail "no status: $(cat out)"
    run 0 "$HALO" list --tenant-id 00000000-0000-4000-8000-000000000000 --json
    equal "an empty list" "$(cat out)" "[]"
    run 0 "$HALO" list --tenant-id 00000000-0000-4000-8000-000000000000
    equal "an empty list" "$(cat out)" "no instances"
}

test_get() {
    run 0 "$HALO" get $pro
    grep -q '^memory: *8GB$' out || fail "no memory: $(cat out)"
    run 0 env INSTANCE_ID=$free "$HALO" get --json
    equal "get of INSTANCE_ID" "$(jq -r .name out)" playground
    run 3 "$HALO" get ffffffff
    has err ffffffff
    has err db-not-found
    grep -q 'request [0-9a-f]*/[0-9]*' err || fail "no request id: $(cat err)"
    has err "halo list"
}

test_pause_and_resume() {
    run 0 "$HALO" pause $critical
    equal "said" "$(cat out)" "$critical is paused"
    equal "status" "$(of $critical status)" paused
    run 0 "$HALO" pause $critical
    has err "paused already"
    equal "pauses sent" "$(requests /pause$)" 1
    run 0 "$HALO" --dry-run resume $critical
    equal "status" "$(of $critical status)" paused
    run 0 "$HALO" resume $critical
    equal "said" "$(cat out)" "$critical is running"
    run 0 "$HALO" resume $critical
    has err "running already"
    equal "resumes sent" "$(requests /resume$)" 1
    run 3 "$HALO" pause $free
    has err database-incapable-of-action
    run 3 "$HALO" pause ffffffff
    # One that is on its way already is only waited for.
    run 0 "$HALO" -e "require('aura').pause('$critical')"
    run 0 "$HALO" pause $critical
    equal "pauses sent" "$(requests /pause$)" 3    # with the one of free-db
    run 0 "$HALO" resume $critical --json --quiet
    equal "status" "$(jq -r .status out)" running
}

test_resize() {
    run 2 "$HALO" resize $pro
    run 2 "$HALO" resize $pro --memory 8GB
    has err "nothing to change"
    run 2 "$HALO" resize $pro --memory 8 --storage 16Gi
    has err "nothing to change"
    equal "patches sent" "$(requests "^PATCH /v1/instances/{id}$")" 0
    run 0 "$HALO" resize $pro --memory 16
    has err "storage follows memory"
    grep -q '^memory *8GB *16GB$' out || fail "no before and after: $(cat out)"
    equal "size" "$(of $pro memory) $(of $pro storage)" "16GB 32GB"
    run 0 "$HALO" resize $pro --storage 64GB
    hasnt err "storage follows memory"
    equal "size" "$(of $pro memory) $(of $pro storage)" "16GB 64GB"
    run 0 "$HALO" resize $pro --memory 24GB --storage 48GB --json
    equal "after" "$(jq -r '"\(.before.memory) \(.after.memory) \(.after.storage)"' out)" "16GB 24GB 48GB"
    run 2 "$HALO" resize $pro --memory 24GB --storage 48GB
    equal "size" "$(of $pro memory) $(of $pro storage)" "24GB 48GB"
    run 0 "$HALO" --dry-run resize $pro --memory 32GB
    equal "size" "$(of $pro memory)" 24GB
    run 3 "$HALO" resize $pro --memory 4GB --storage 8GB        # its data take 6 GB
    has err "smaller than the 6GB in use"
    has err invalid-memory-size
    run 3 "$HALO" resize $pro --memory 3GB
    has err invalid-memory-size
    run 3 "$HALO" resize $paused --memory 8GB --storage 16GB
    has err instance-action-unavailable
    equal "sizes after the refusals" "$(of $pro memory) $(of $paused memory)" "24GB 4GB"
}

test_wait() {
    seed '{"instances":[{"id":"900dcafe"}]}'
    run 0 "$HALO" wait 900dcafe running
    run 0 "$HALO" wait 900dcafe RUNNING,paused
    run 0 "$HALO" wait ffffffff deleted
    has out "ffffffff is deleted"
    run 4 "$HALO" wait 900dcafe paused --timeout 0.2
    has err running
    run 3 "$HALO" wait ffffffff running --timeout 20
    seed '{"instances":[{"id":"0badcafe","status":"loading failed"}]}'
    seed '{"instances":[{"id":"0badcaff","status":"suspended"}]}'
    run 3 "$HALO" wait 0badcafe running
    has err "loading failed"
    run 3 "$HALO" wait 0badcaff running
    has err suspended
    run 0 "$HALO" wait 0badcafe 'loading failed'
    run 2 "$HALO" wait 900dcafe
}

test_snapshot() {
    run 0 "$HALO" --dry-run snapshot $science
    equal "snapshots sent" "$(requests /snapshots$)" 0
    run 0 "$HALO" snapshot $science --interval 0.1 --json
    equal "status" "$(jq -r '"\(.status) \(.profile) \(.exportable)"' out)" "Completed AdHoc true"
    has err "Completed after"
    run 0 "$HALO" snapshot $science --interval 0.1
    run 3 "$HALO" snapshot $paused
    run 4 "$HALO" snapshot $science --interval 0.02 --timeout 0.01
    seed "{\"instances\":[{\"id\":\"$science\",\"snapshots\":[{\"snapshot_id\":\"s-1\",\"profile\":\"AdHoc\",
        \"status\":\"InProgress\",\"at\":1,\"starts\":1,\"ends\":1}]}]}"
    run 3 "$HALO" snapshot $science                             # one at a time
    has err snapshot-not-allowed
}

test_create() {
    local id
    # fresh MEMORY [option ...]
    fresh() {
        "$HALO" create --name fresh --type professional-db --cloud-provider aws --region us-east-1 --storage 4GB \
            --tenant-id $platform --memory "$@"
    }
    run 2 "$HALO" create --memory 2 --storage 4 --type free-db
    has err "--name is missing"
    run 0 fresh 2 --dry-run
    equal "directories after a dry run" "$(ls | grep -c aura-create)" 0
    run 0 fresh 2 --work-dir kept/
    id=$(jq -r .data.id kept/create-response.json)
    equal "password" "$(jq -r .data.password kept/create-response.json)" "$(of "$id" password)"
    equal "modes" "$(stat -c %a kept kept/* | tr '\n' ' ')" "700 600 600 "
    cat out err >all
    hasnt all "$(of "$id" password)"
    equal "the new one" "$(of "$id" name) $(of "$id" memory) $(of "$id" storage) $(of "$id" status)" "fresh 2GB 4GB running"
    cp -r kept copy
    run 0 fresh 2 --work-dir kept        # a finished one does nothing
    has err "it is finished, nothing is done"
    has out "$id"
    diff -r kept copy || fail "a finished creation was changed"
    run 2 fresh 4 --work-dir kept
    has err "other input (payload)"
    mkdir theirs
    cp kept/create-response.json theirs
    run 2 fresh 2 --work-dir theirs      # an answer is never overwritten
    has err "theirs/create-response.json exists"
    has err "halo wait $id running"
    equal "files" "$(ls -A theirs)" create-response.json
    run 3 fresh 2                        # asked for twice
    has err "$id"
    equal "creations sent" "$(requests "^POST /v1/instances$")" 1
    run 0 fresh 2 --duplicate --json
    equal "its file" "$(stat -c %a "$(jq -r .password_file out)")" 600
    [ "$(jq -r .data.id "$(jq -r .password_file out)")" = "$(jq -r .id out)" ] || fail "not the answer: $(cat out)"
    equal "what create has left" "$(ls -d aura-create-*)" "$(jq -r .password_file out | cut -d/ -f2)"
    run 3 fresh 3GB --duplicate
    has err invalid-
    hasnt err "to continue"
    run 3 fresh 3GB --duplicate --work-dir odd
    equal "what refused creations leave" "$(ls -A odd; ls -d aura-create-* | wc -l)" 1
    run 2 fresh 3TB --duplicate
    jq -n --arg tenant $platform '{name: "from-file", type: "enterprise-db", cloud_provider: "aws", version: "5",
        region: "eu-west-1", memory: "4GB", storage: "8GB", tenant_id: $tenant, vector_optimized: true}' >payload.json
    run 0 "$HALO" create --from payload.json --memory 8GB --storage 16GB --work-dir from
    id=$(jq -r .data.id from/create-response.json)
    equal "from a file" "$(of "$id" name) $(of "$id" memory) $(of "$id" vector_optimized)" "from-file 8GB true"
    run 2 "$HALO" create --from answer.missing
    echo nonsense >bad.json
    run 2 "$HALO" create --from bad.json
    has err bad.json
    run 1 fresh 2 --duplicate --work-dir /proc/none             # no place for the password
    equal "creations sent" "$(requests "^POST /v1/instances$")" 5
}

# A script of the operator's that keeps a journal: as it is told, continued and refused.
test_runs() {
    local speed=20
    own_sandbox
    cat >grow.lua <<'LUA'
local aura, run, settle = require "aura", require "run", require "settle"
return {
    summary = "Give an instance more memory.", effect = "change", args = { { "instance", "id", "id of the instance" } },
    run = function(args)
        local id, more = args.instance, { memory = "16GB", storage = "32GB", password = "pw-Q7x" }
        local job <close> = run.open(nil, { input = args })
        local before = job:step("look", function() return aura.get(id).memory end)
        job:step("grow", { settle = settle.patch(id, { memory = "16GB" }), payload = more }, function()
            return aura.patch(id, { memory = "16GB", storage = "32GB" })
        end)
        job:step("wait", function() aura.wait_for_status(id, "running") end)
        return job:finish { before = before }
    end,
}
LUA
    run 0 "$HALO" --dry-run run grow.lua $pro
    has err 'would do grow (change): {"memory":"16GB","password":"***","storage":"32GB"}'
    run 2 "$HALO" run grow.lua $pro
    has err "Give --work-dir DIR"
    begin "$HALO" -v run grow.lua $pro --work-dir kept
    poll grep -qs '"begin","n":[0-9]*,"step":"wait"' kept/journal.jsonl || fail "$(cat kept/journal.jsonl)"
    run 1 "$HALO" run grow.lua $pro --work-dir kept
    has err "is being used by another halo, process $pid"
    run 0 "$HALO" runs
    grep -q "^kept  *grow  *running .*, in wait, process $pid$" out || fail "not shown as running: $(cat out)"
    kill -TERM "$pid"
    ends 143
    run 0 "$HALO" runs --json
    equal "runs" "$(jq -rc '.[] | [.dir, .script, .state]' out)" '["kept","grow","unfinished"]'
    begin "$HALO" -v run grow.lua $pro --work-dir kept
    kill -INT "$pid"
    ends 130
    has err "to continue, run the same command again (journal in kept)"
    run 2 "$HALO" run grow.lua $critical --work-dir kept
    has err "other input (instance)"
    run 2 "$HALO" --yes migrate $pro --no-dump --work-dir kept
    has err "a run of grow, not of migrate"
    printf '{"sum":"1234' >>kept/journal.jsonl                      # torn by a power cut
    run 0 "$HALO" --json run grow.lua $pro --work-dir kept
    equal "before" "$(jq -r .before out)" 8GB
    equal "changes" "$(state '.effects | tostring')" '{"PATCH /v1/instances/{id}":1}'
    sed -i '2s/look/lock/' kept/journal.jsonl
    run 1 "$HALO" run grow.lua $pro --work-dir kept
    has err "kept/journal.jsonl: line 2 is damaged"
    run 1 "$HALO" --yes migrate $pro --no-dump --work-dir kept
    hasnt err "Nothing was deleted"                              # who knows
    run 0 "$HALO" runs kept
    grep -q "^kept  *-  *damaged " out || fail "not shown as damaged: $(cat out)"
}

test_delete() {
    seed '{"instances":[{"id":"de1e7e01","name":"first"}]}'
    run 6 "$HALO" delete de1e7e01
    has err "de1e7e01 (first)"
    run 0 "$HALO" delete de1e7e01 --yes
    equal "said" "$(cat out)" "de1e7e01 is deleted"
    equal "what is left" "$(of de1e7e01 id)" ""
    run 3 "$HALO" delete de1e7e01 --yes
    has err db-not-found
    equal "deletions sent" "$(requests "^DELETE /v1/instances/{id}$")" 1
    local speed=20                                              # slow enough to be seen at it
    own_sandbox
    seed '{"instances":[{"id":"de1e7e02"}]}'
    run 0 "$HALO" -e "require('aura').delete('de1e7e02')" --yes
    run 0 "$HALO" delete de1e7e02 --yes                         # is waited for, not sent again
    has err "being deleted already"
    equal "deletions sent" "$(requests "^DELETE /v1/instances/{id}$")" 1
}

start_sandbox --speed 600 --switch rate=0,token_rate=0
test_list
test_get
# What waits, each part with instances of its own.
at_once pause_and_resume resize wait snapshot create delete runs
stop_sandbox
unset AURA_BASE_URL AURA_CLIENT_ID AURA_CLIENT_SECRET INSTANCE_ID

# The same for one command, with a sandbox of its own.
run 0 "$HALO" --sandbox list --status
has out orders-prod
run 0 "$HALO" --sandbox get $pro --json
equal "--sandbox get" "$(jq -r .status out)" running
run 6 "$HALO" --sandbox delete $pro
run 3 "$HALO" --sandbox get ffffffff
run 0 "$HALO" --sandbox pause --dry-run                           # INSTANCE_ID is set too
has err "would bring $pro from running to paused"
run 2 "$HALO" get $pro                                          # without one there are no credentials
end
