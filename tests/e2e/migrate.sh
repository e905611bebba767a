# The whole migration against the sandbox: what it leaves behind, what it refuses, and that nothing is
# ever deleted that was not shown to be possible to create again.
. "$SRC/tests/e2e/lib.bash" || exit 1
. "$SRC/tests/e2e/parts.bash" || exit 1
pro=3fa29c1e paused=7c41d09b critical=b8e2f5a6 vdc=a4406e1d

# backup FILE: something that passes for a dump
backup() {
    mkdir -p "$(dirname "$1")"
    { printf 'DZV1'; head -c 5000 /dev/zero | tr '\0' x; } >"$1"
}

# body ID: the API's answer for an instance, as curl gets it
body() {
    local token
    token=$(curl -sS -u sandbox:sandbox -d grant_type=client_credentials "$AURA_BASE_URL/oauth/token" | jq -r .access_token)
    curl -sS -H "Authorization: Bearer $token" "$AURA_BASE_URL/v1/instances/$1"
}

changes() {
    requests "^(POST|PATCH|DELETE) /v1/"
}

# unchanged CODE ID option ...: a migration that must end before it changes anything, the dump included
unchanged() {
    local code=$1 id=$2 status
    shift 2
    status=$(of "$id" status)
    [ -e keep.backup ] || backup keep.backup
    run "$code" "$HALO" --yes migrate "$id" "$@"
    equal "changes sent by: migrate $id $*" "$(changes)" 0
    equal "status of $id" "$(of "$id" status)" "$status"
    [ -s keep.backup ] || fail "the dump was moved: migrate $id $*"
}

# recreated FILE: the id of the instance that took the place of a source that is gone
recreated() {
    jq -r .data.id "$1/create-response.json"
}

# Runbook 6: a work directory with a space in its name. Its request was empty then, sent after the deletion.
test_whole() {
    local dir="$work/a work dir" before now new password file speed=100
    own_sandbox
    before=$(body $pro)
    backup "my dumps/orders prod.backup"
    cp "my dumps/orders prod.backup" copy
    run 0 "$HALO" --yes --log calls.log -v migrate $pro --dump "my dumps/orders prod.backup" --work-dir "$dir/"
    cat out err >all
    now=$(date -u +%Y-%m-%dT%H)
    new=$(recreated "$dir")
    password=$(of "$new" password)

    equal "steps" "$(grep -o '^Step [0-9]' err | tr -dc 0-9)" 01234567
    equal "ends of steps" "$(grep -c '^        = .*([0-9.]* m\?s\(in\)\?.*)$' err)" 8
    for text in "running" "orders-prod" "us-east-1" "8GB" "16GB" "destroying -> deleted after" "creating -> running after"; do
        has err "$text"
    done
    has out "$new"
    has out "create-response.json"
    equal "the source" "$(of $pro id)" ""
    equal "the new one" "$(of "$new" name) $(of "$new" status)" "orders-prod running"

    # Every file, readable by its owner alone; the dump keeps its mode in a directory that is private.
    for file in $pro.backup create-payload.json create-response.json delete-response.json instance-config.json \
        migration-summary.txt new-instance-config.json; do
        [ -s "$dir/$file" ] || fail "no $file"
        [ "$file" = $pro.backup ] || equal "mode of $file" "$(stat -c %a "$dir/$file")" 600
    done
    equal "mode of the work directory" "$(stat -c %a "$dir")" 700
    for file in "$dir"/* "$dir"/.[!.]*; do
        case ${file##*/} in
            $pro.backup | create-payload.json | create-response.json | delete-response.json | *instance-config.json | \
                migration-summary.txt | journal.jsonl | report.html | '.[!.]*') ;;
            *) fail "a file of no use: $file" ;;
        esac
    done
    equal "instance-config.json" "$(jq -S . "$dir/instance-config.json")" "$(jq -S . <<<"$before")"
    equal "text of instance-config.json" "$(cat "$dir/instance-config.json")" "$(jq . <<<"$before")"
    equal "new-instance-config.json" "$(jq -S . "$dir/new-instance-config.json")" "$(body "$new" | jq -S .)"
    equal "delete-response.json" "$(jq -r '"\(.data.id) \(.data.status)"' "$dir/delete-response.json")" "$pro destroying"
    equal "create-payload.json" "$(jq -Sc . "$dir/create-payload.json")" \
        "$(jq -Sc '.data | {name, type, region, cloud_provider, tenant_id, memory, storage, version: "5",
            graph_analytics_plugin, vector_optimized}' <<<"$before")"
    cmp copy "$dir/$pro.backup" || fail "the dump is another one"
    [ ! -e "my dumps/orders prod.backup" ] || fail "the dump was not moved"

    # The password: the service's own, in one file and nowhere else. Tokens and secrets: nowhere.
    equal "password" "$(jq -r .data.password "$dir/create-response.json")" "$password"
    equal "files with the password" "$(grep -rlF "$password" . "$dir")" "./a work dir/create-response.json
$dir/create-response.json"
    grep -qiE 'bearer|access_token|Basic [A-Za-z0-9]{8}' all calls.log "$dir"/* && fail "a token or secret is told"

    # The summary has every line of the runbook's.
    cp "$dir/migration-summary.txt" summary
    for text in "Neo4j Aura Migration: Pre-Deletion Summary" "Operator: *$(whoami)" "Date: *${now:0:10}.*Z" \
        "Source Instance" "Instance ID: *$pro" "Name: *orders-prod" "Type/Tier: *professional-db" \
        "Cloud Provider: *aws" "AWS Region: *us-east-1" "Memory (GB): *8GB" "Storage (GB): *16GB" \
        "Project ID: *6b1f0c52-8d0a-4c7e-9a53-0f7c1d2e3b44" "Dump File" "Local path: *$dir/$pro.backup" \
        "Source: *Hourly automatic snapshot exported from Aura Console.*" "Size: *5004 bytes" \
        "SHA-256: *$(sha256sum copy | cut -d' ' -f1)" "Status" "Dump verified: *YES.*" \
        "Config saved: *$dir/instance-config.json" "New Instance" "New Instance ID: *$new" \
        "Password saved: *${now:0:10}.*Z.*" ".*no mismatch"; do
        grep -qx -- "$text" summary || fail "the summary has no line \"$text\": $(cat summary)"
    done
    # All captured fields are compared.
    for file in $(jq -r '.data | keys[]' "$dir/instance-config.json"); do
        grep -q "^ *$file  " err || fail "$file is not compared"
        grep -q "^$file  " summary || fail "$file is not compared in the summary"
    done

    # It is safe to run again: the same directory is another migration's.
    backup again.backup
    run 2 "$HALO" --yes migrate "$new" --dump again.backup --work-dir "$dir"
    has err "$dir"
    equal "text of instance-config.json" "$(cat "$dir/instance-config.json")" "$(jq . <<<"$before")"
    [ -s again.backup ] || fail "the second dump was moved"
}

# The move to another tier, without a dump, and its result for programs. Runbook 5: sizes are sent as the API
# wants them (8GB; the emulator refuses 8 and 8Gi), and a version where one is required.
test_vdc() {
    local before switches=strict_version=true
    own_sandbox
    before=$(changes)
    run 0 "$HALO" migrate $pro --no-dump --work-dir moved --target-type enterprise-db --name orders-vdc \
        --region eu-west-1 --memory 16 --storage 32GB --yes --json
    jq -e . out >/dev/null || fail "stdout is not JSON"
    equal "lines on stdout" "$(wc -l <out)" 1
    local new
    new=$(jq -r .instance out)
    equal "result" "$(jq -r '"\(.source) \(.mismatches) \(.password_file)"' out)" "$pro [] moved/create-response.json"
    equal "the new one" "$(of "$new" type) $(of "$new" name) $(of "$new" region) $(of "$new" memory) $(of "$new" storage)" \
        "enterprise-db orders-vdc eu-west-1 16GB 32GB"
    equal "changes sent" "$(($(changes) - before))" 2
    equal "what was sent" "$(jq -r '"\(.memory) \(.storage) \(.version)"' moved/create-payload.json)" "16GB 32GB 5"
    has err "changed, as asked for"
    has err "NO DUMP"
    grep -q '^Dump verified: *NO DUMP' moved/migration-summary.txt || fail "the summary does not say that there is no dump"
    grep -q '^Local path: *NONE' moved/migration-summary.txt || fail "the summary names a dump"
}

# What create cannot set is patched; an encryption key is kept.
test_carried() {
    own_sandbox
    run 0 "$HALO" migrate $vdc --no-dump --work-dir moved --yes
    local new
    new=$(recreated moved)
    equal "secondaries, CDC" "$(of "$new" secondaries_count) $(of "$new" cdc_enrichment_mode)" "2 FULL"
    equal "key" "$(of "$new" customer_managed_key_id)" 9e3d5b70-14c2-4f8a-b6d1-0c8f27a4e513
    has err "secondaries_count = 2, once it runs"
    has moved/migration-summary.txt "no mismatch"
}

# What cannot be kept is named before the question.
test_lost() {
    own_sandbox
    unchanged 0 $critical --dry-run --no-dump --target-type professional-db
    run 6 "$HALO" migrate $critical --no-dump --work-dir moved --target-type professional-db
    grep -q "Not kept: *secondaries_count 1" err || fail "secondaries_count is not named: $(cat err)"
    grep -q "Not kept: *cdc_enrichment_mode DIFF" err || fail "cdc_enrichment_mode is not named"
    equal "changes sent" "$(changes)" 0
    run 0 "$HALO" migrate $critical --no-dump --work-dir moved-2 --target-type professional-db --yes
    has err "not carried over, as announced"
    has moved-2/migration-summary.txt "Not carried over:  cdc_enrichment_mode DIFF"
}

# A new instance that is not what was captured: exit 5, and everything is on the disk.
test_mismatch() {
    local new= speed=200
    own_sandbox
    begin "$HALO" migrate $vdc --no-dump --work-dir moved --yes
    poll filled moved/create-response.json || fail "nothing is created"
    new=$(recreated moved)
    seed "{\"instances\":[{\"id\":\"$new\",\"vector_optimized\":true,\"region\":\"us-east-1\"}]}"
    ends 5
    equal "fields with MISMATCH" "$(awk '/MISMATCH$/ { print $1 }' err | sort | tr '\n' ' ')" "region vector_optimized "
    has moved/migration-summary.txt "MISMATCH in region, vector_optimized"
    has err "region, vector_optimized"
    equal "new-instance-config.json" "$(jq -r .data.region moved/new-instance-config.json)" us-east-1
    equal "password" "$(jq -r .data.password moved/create-response.json)" "$(of "$new" password)"
}

# The copy in S3, by whatever `aws` there is.
test_s3() {
    own_sandbox
    mkdir bin none
    cat >bin/aws <<'SH'
#!/bin/sh
printf '%s\n' "$@" >"$AWS_LOG"
[ ! -e "$AWS_LOG.fail" ] || { echo "fatal error: Unable to locate credentials" >&2; exit 255; }
SH
    chmod +x bin/aws
    export AWS_LOG=$work/aws.log
    local path=$PATH
    backup a.backup
    touch aws.log.fail
    PATH=$work/bin:$path run 3 "$HALO" --yes migrate $pro --dump a.backup --s3 s3://bucket/kept --work-dir failed
    has err "Unable to locate credentials"
    has err "Nothing was deleted"
    equal "changes sent" "$(changes)" 0
    cmp failed/$pro.backup <(backup b.backup; cat b.backup) || fail "the dump is lost"
    rm aws.log.fail
    PATH=$work/none run 1 "$HALO" --yes migrate $pro --dump failed/$pro.backup --s3 s3://bucket/kept --work-dir absent
    has err aws
    equal "changes sent" "$(changes)" 0
    PATH=$work/bin:$path run 0 "$HALO" --yes migrate $pro --dump absent/$pro.backup --s3 s3://bucket/kept/ --work-dir moved
    equal "aws was called with" "$(sed 's/[0-9]\{8\}-[0-9]\{6\}/TIME/' aws.log | tr '\n' ' ')" \
        "s3 cp --only-show-errors moved/$pro.backup s3://bucket/kept/neo4j-backups/$pro/TIME-$pro.backup "
    grep -qx "Copy in S3: *$(tail -1 aws.log)" moved/migration-summary.txt || fail "the copy is not in the summary"
}

# What is wrong with the command line or with the dump is told before any request.
test_usage() {
    own_sandbox
    mkdir folder.backup
    : >empty.dump
    echo "a dump" >orders.tar
    echo "<!DOCTYPE html><html><body>403 Forbidden</body></html>" >page.dump
    printf '\xef\xbb\xbf\n <?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>' >xml.backup
    echo ' {"errors":[{"message":"expired","reason":"expired"}]}' >error.backup
    printf ' \n\n\0\0' >blank.dump
    local file
    for file in missing.backup folder.backup empty.dump orders.tar page.dump xml.backup error.backup blank.dump; do
        unchanged 2 $pro --dump $file --work-dir moved
        has err "$file"
        [ "$file" = missing.backup ] || [ -e "$file" ] || fail "$file was moved"
    done
    has err "holds nothing but blanks"
    unchanged 2 $pro --work-dir moved
    has err --no-dump
    unchanged 2 $pro --work-dir moved --dump keep.backup --no-dump
    unchanged 2 $pro --work-dir moved --no-dump --s3 s3://bucket
    unchanged 2 $pro --work-dir moved --dump keep.backup --s3 bucket
    unchanged 2 $pro --work-dir moved --dump keep.backup --memory lots
    unchanged 2 $pro --work-dir moved --dump keep.backup --target-typ enterprise-db
    has err "did you mean --target-type?"
    unchanged 2 '../b8e2f5a6' --work-dir moved --dump keep.backup
    DUMP_FILE=gone.backup unchanged 2 $pro --work-dir moved
    has err gone.backup
    [ ! -e moved ] || fail "a work directory was made: $(ls -A moved)"

    mkdir mine
    echo "{}" >mine/instance-config.json
    unchanged 2 $pro --work-dir mine --dump keep.backup
    has err "nothing in it is overwritten"
    equal "the other's file" "$(cat mine/instance-config.json)" "{}"
    mkdir taken
    echo "another dump" >taken/$pro.backup
    unchanged 2 $pro --work-dir taken --dump keep.backup
    has err "taken/$pro.backup exists"
    equal "the other's dump" "$(cat taken/$pro.backup)" "another dump"
    equal "requests" "$(requests '/v1/|oauth')" 0

    echo text >file
    unchanged 1 $pro --work-dir file/moved --dump keep.backup
    unchanged 1 $pro --work-dir file --dump keep.backup
    equal "the file" "$(cat file)" text
    unchanged 1 $pro --work-dir /proc/moved --dump keep.backup
    has err /proc/moved
    if [ "$(id -u)" = 0 ]; then
        echo "skipped: a read-only work directory (root may write everywhere)"
    else
        mkdir -m 500 readonly
        unchanged 1 $pro --work-dir readonly --dump keep.backup
        has err readonly
    fi
    # A directory with something else in it is fine, and keeps it.
    mkdir -m 755 busy
    echo notes >busy/notes.txt
    run 0 "$HALO" --yes migrate $pro --dump keep.backup --work-dir busy
    equal "what was there" "$(cat busy/notes.txt)" notes
    # The dump may lie in its place already.
    mkdir there
    backup there/$critical.backup
    run 0 "$HALO" --yes migrate $critical --dump ./there/$critical.backup --work-dir there
    [ -s there/$critical.backup ] || fail "the dump is gone"
}

# What only the API can tell: nothing is deleted, and the dump stays where it was.
test_refused() {
    own_sandbox
    # Runbook 13: bad credentials. It went on to the question, with empty fields.
    AURA_CLIENT_SECRET=wrong unchanged 3 $pro --dump keep.backup --work-dir w1
    has err AURA_CLIENT_SECRET
    has err "Nothing was deleted."
    hasnt err "Step 2"
    hasnt err "null"
    AURA_CLIENT_ID=nobody unchanged 3 $pro --dump keep.backup --work-dir w1-id
    unchanged 3 ffffffff --dump keep.backup --work-dir w2
    has err "404 not_found"
    unchanged 2 $pro --dump keep.backup --work-dir w3 --memory 5GB --storage 10GB
    has err "memory 5GB is not offered"
    unchanged 2 $pro --dump keep.backup --work-dir w4 --region us-esat-1
    has err "us-east-1"
    unchanged 2 $pro --dump keep.backup --work-dir w5 --target-type enterprise
    has err "enterprise-db"
    unchanged 2 $pro --dump keep.backup --work-dir w6 --version 7
    unchanged 2 $pro --dump keep.backup --work-dir w7 --cloud-provider azure
    unchanged 2 $pro --dump keep.backup --work-dir w8 --name "a name of more than thirty characters"
    has err --name
    unchanged 2 52d7a3e9 --no-dump --work-dir w9 --target-type enterprise-db
    has err --storage
    unchanged 2 $paused --dump keep.backup --work-dir w10 --memory 1GB --storage 2GB --target-type enterprise-ds
    # A project without a contract does not offer the type.
    seed '{"tenants":[{"id":"11111111-2222-4333-8444-555555555555","name":"Small","types":["professional-db"]}],
        "instances":[{"id":"5ma11000","type":"professional-db","tenant_id":"11111111-2222-4333-8444-555555555555"}]}'
    unchanged 2 5ma11000 --dump keep.backup --work-dir w11 --target-type enterprise-db
    has err contract
    # A busy source, and one that cannot be migrated.
    seed '{"instances":[{"id":"badbad00","status":"loading failed"},{"id":"bada0000","status":"updating"}]}'
    unchanged 3 badbad00 --dump keep.backup --work-dir w12
    has err "loading failed"
    unchanged 3 bada0000 --dump keep.backup --work-dir w13
    # A key that is not ready.
    seed '{"keys":[{"id":"9e3d5b70-14c2-4f8a-b6d1-0c8f27a4e513","ready_at":99999999999}]}'
    unchanged 2 $vdc --dump keep.backup --work-dir w14
    has err "not ready"
    # No terminal to ask on: the dump is in its place by then, and the message says so.
    backup given.backup
    run 6 "$HALO" migrate $pro --dump given.backup --work-dir w15
    has err "$pro (orders-prod)"
    has err "Nothing was deleted."
    has err "--dump w15/$pro.backup"
    equal "changes sent" "$(changes)" 0
    run 0 "$HALO" --yes migrate $pro --dump w15/$pro.backup --work-dir w16
}

# Runbook 2: a paused source, which may not show its sizes.
test_paused() {
    own_sandbox
    run 0 "$HALO" --yes migrate $paused --no-dump --work-dir shown
    has err "it is paused"
    equal "the new one" "$(of "$(recreated shown)" memory) $(of "$(recreated shown)" status)" "4GB running"
    seed '{"instances":[{"id":"9a05ed00","status":"paused","memory":"8GB","storage":"16GB","hide":["memory","storage"]}]}'
    local before
    before=$(changes)
    run 2 "$HALO" --yes migrate 9a05ed00 --no-dump --work-dir hidden
    has err --memory
    has err --storage
    run 2 "$HALO" --yes migrate 9a05ed00 --no-dump --work-dir hidden-2 --memory 8GB
    has err --storage
    equal "changes sent" "$(changes)" "$before"
    equal "status" "$(of 9a05ed00 status)" paused
    run 0 "$HALO" --yes migrate 9a05ed00 --no-dump --work-dir hidden-3 --memory 8GB --storage 16GB
    equal "the new one" "$(of "$(recreated hidden-3)" memory) $(of "$(recreated hidden-3)" storage)" "8GB 16GB"
}

test_dry_run() {
    own_sandbox
    backup a.dump
    find . | sort >../listing
    run 0 "$HALO" --dry-run migrate $pro --dump a.dump --work-dir moved --memory 16GB --storage 32GB
    equal "payload" "$(jq -r '"\(.name) \(.memory) \(.storage) \(.version)"' out)" "orders-prod 16GB 32GB 4"
    run 0 "$HALO" --dry-run migrate $pro --no-dump
    run 0 "$HALO" --dry-run migrate $pro --no-dump --json
    equal "payload" "$(jq -r '"\(.dry_run) \(.payload.memory)"' out)" "true 8GB"
    equal "changes sent" "$(changes)" 0
    rm -f out err
    find . | sort | diff ../listing - || fail "a dry run leaves files"
}

# A configuration that names the project project_id.
test_captured() {
    echo '{"data":{"id":"0badcafe","name":"captured","type":"professional-db","cloud_provider":"aws","region":"us-east-1",
        "memory":"4GB","storage":"8GB","status":"running","project_id":"11111111-2222-4333-8444-555555555555",
        "connection_url":"neo4j+s://0badcafe.databases.neo4j.io"}}' >captured.json
    own_sandbox --seed captured.json
    run 0 "$HALO" --yes migrate --no-dump --work-dir moved
    equal "project" "$(of "$(recreated moved)" tenant_id)" 11111111-2222-4333-8444-555555555555
}

# On a terminal: NO leaves everything, YES migrates.
test_terminal() {
    own_sandbox
    mkfifo keys
    # typed CODE TEXT DIR
    typed() {
        rm -f screen
        script -qec "'$HALO' migrate $pro --no-dump --work-dir $3" /dev/null <keys >screen 2>&1 &
        pid=$!
        exec 8>keys
        poll grep -qsF "Type YES" screen || fail "no question: $(cat screen)"
        has screen "$pro (orders-prod)"
        printf '%b' "$2" >&8
        ends "$1"
        exec 8>&-
    }
    typed 6 'NO\n' no
    equal "changes sent" "$(changes)" 0
    has screen "Nothing was deleted"
    typed 0 'YES\n' yes
    equal "the new one" "$(of "$(recreated yes)" status)" running
}

at_once whole vdc carried lost mismatch s3 usage refused paused dry_run captured terminal
end
