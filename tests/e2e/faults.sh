# Single faults put into a migration, and into the other scripts. Under fourteen of them the runbook's commands lose
# a database or a password, or stand still for ever; here each ends with the source, its successor, or the command
# that makes it. "Runbook N" is where: faults 2, 5, 6 and 13 are in migrate.sh, 7 is in kill.sh as well.
. "$SRC/tests/e2e/lib.bash" || exit 1
. "$SRC/tests/e2e/parts.bash" || exit 1
source_id=3fa29c1e

# name, exit code, what there is afterwards, fault, and perhaps a switch of the sandbox or a time limit
#   moved: the successor runs; kept: the source runs; going: it is being deleted;
#   stranded: neither is there; made: a successor is there, but not known to run
cases=(
    # Runbook 1: the first GET fails; an empty configuration is saved, and then deleted by
    "capture_500        0 moved    'GET /v1/instances/* 500 x1'"
    "capture_429        0 moved    'GET /v1/instances/* 429:seconds=1 x1'"
    "capture_html       0 moved    'GET /v1/instances/* 502:html:seconds=1 x1'"
    "capture_cut        3 kept     'GET /v1/instances/* cut x1'"
    "capture_for_ever   3 kept     'GET /v1/instances/* 500:seconds=1'"
    "offers_for_ever    3 kept     'GET /v1/tenants/* 503:seconds=1'"
    "offers_empty       3 kept     'GET /v1/tenants/* 200 x1'"
    # before anything is read
    "token_500          0 moved    'POST /oauth/token 500 x1'"
    "token_html         3 kept     'POST /oauth/token 403:html'"
    "everything_503     0 moved    '* * 503:seconds=1 x3'"
    # Runbook 8: the token ends in the middle
    "expired_401        0 moved    'GET /v1/instances/* expire x1 after 2' switch:expired=401"
    "expired_403        0 moved    'GET /v1/instances/* expire x1 after 2' switch:expired=403"
    # Runbook 12: the deletion is put off
    "delete_429         0 moved    'DELETE /v1/instances/* 429:seconds=1 x1'"
    "delete_503         0 moved    'DELETE /v1/instances/* 503:date=1 x1'"
    "delete_409         0 moved    'DELETE /v1/instances/* 409 x1'"
    # refused
    "delete_403         3 kept     'DELETE /v1/instances/* 403'"
    # Runbook 11: the answer to the deletion is lost (and a body of an older run shown: test_stale)
    "delete_reset       0 moved    'DELETE /v1/instances/* reset x1'"
    "delete_lost        0 moved    'DELETE /v1/instances/* lost x1'"
    "delete_lost_410    0 moved    'DELETE /v1/instances/* lost x1' switch:deleted_twice=410"
    "delete_204         0 moved    'DELETE /v1/instances/* 204:acted x1'"
    "delete_stuck       4 going    'DELETE /v1/instances/* stuck' --timeout=1"
    # Runbook 10: a look hangs; 9: or shows what nobody has heard of
    "poll_hangs         0 moved    'GET /v1/instances/* hang=2 x1 after 2'"
    "poll_html          0 moved    'GET /v1/instances/* 502:html:seconds=1 x1 after 2'"
    "poll_unknown       0 moved    'GET /v1/instances/* status=brooding x1 after 2'"
    # Runbook 3: the creation fails, once
    "create_429         0 moved    'POST /v1/instances 429:seconds=1 x1'"
    "create_500         0 moved    'POST /v1/instances 500 x1'"
    "create_reset       0 moved    'POST /v1/instances reset x1'"
    # Runbook 4: its answer is lost, or cut
    "create_lost        0 remade   'POST /v1/instances lost x1'"
    "create_cut         0 remade   'POST /v1/instances cut x1'"
    # it is refused
    "create_400         3 stranded 'POST /v1/instances 400 x1'"
    "create_422         3 stranded 'POST /v1/instances 422 x1'"
    "create_403         3 stranded 'POST /v1/instances 403'"
    # Runbook 14 and 9: the new one ends as "loading failed"; or never runs
    "create_fails       0 moved    'POST /v1/instances loading failed x1'"
    "create_stuck       4 made     'POST /v1/instances stuck' --timeout=1"
    # Runbook 5: the API wants a version
    "version_required   0 moved    'GET /none 500' switch:strict_version=true"
)

# successor: id of a running instance of the source's name
successor() {
    state "[.instances[] | select(.name == \"orders-prod\" and .id != \"$source_id\" and .status == \"running\").id]
        | first // empty"
}

# inject CODE END FAULT [switch:NAME=VALUE | --timeout=SECONDS]
inject() {
    local code=$1 end=$2 fault=$3 option=${4:---timeout=60} new switches=
    [[ $option != switch:* ]] || switches=${option#switch:} option=--timeout=60
    own_sandbox --fault "$fault"
    printf 'DZV1 dump' >orders.backup
    run "$code" "$HALO" --yes migrate $source_id --dump orders.backup --work-dir moved "$option"
    equal "whether the fault acted" "$(curl -sS "$AURA_BASE_URL/_sandbox/faults" | jq '.faults[0].hits > 0')" \
        "$([[ $fault == *none* ]] && echo false || echo true)"
    [ -s orders.backup ] || [ -s moved/$source_id.backup ] || fail "the dump is lost"
    [ "$end" = kept ] || jq -e .data.id moved/instance-config.json >/dev/null || fail "the configuration is lost"
    new=$(successor)
    case $end in
        moved | remade) # remade: the lost one, whose password nobody has seen, is deleted again
            [ "$end" = moved ] || equal "creations sent" "$(requests '^POST /v1/instances$')" 2
            equal "running ones of its name" "$(state '[.instances[] | select(.name == "orders-prod"
                and .status == "running")] | length')" 1
            [ -n "$new" ] || fail "no successor runs"
            equal "the source" "$(of $source_id id)" ""
            equal "password" "$(jq -r .data.password moved/create-response.json)" "$(of "$new" password)"
            return ;;
        kept)
            equal "status of the source" "$(of $source_id status)" running
            equal "creations sent" "$(requests '^POST /v1/instances$')" 0
            return ;;
        going)
            equal "status of the source" "$(of $source_id status)" destroying
            has err "halo wait $source_id deleted" ;;
        made)
            new=$(state "[.instances[] | select(.name == \"orders-prod\").id] | first // empty")
            [ -n "$new" ] || fail "no successor was made"
            equal "creations sent" "$(requests '^POST /v1/instances$')" 1
            grep -qE "$new|: halo list$" err || fail "the successor is not told: $(cat err)" ;;
        stranded)
            equal "instances of its name" "$(state '[.instances[] | select(.name == "orders-prod")] | length')" 0
            has err "IS DELETED" ;;
    esac
    # What to do is told, on the screen and in the summary, and it works.
    has err "halo create --from moved/create-payload.json"
    has moved/migration-summary.txt "halo create --from moved/create-payload.json"
    if [ "$end" = stranded ]; then
        curl -sS -o cleared -H 'Content-Type: application/json' -d '{"clear":true}' "$AURA_BASE_URL/_sandbox/faults"
        run 0 "$HALO" create --from moved/create-payload.json
        [ -n "$(successor)" ] || fail "the command told makes no successor"
        run 0 "$HALO" --yes migrate $source_id --work-dir moved      # finds what was created by hand
        equal "instances of its name" "$(state '[.instances[] | select(.name == "orders-prod")] | length')" 1
        equal "password" "$(jq -r .data.password moved/create-response.json)" "$(of "$(successor)" password)"
    fi
}

# Runbook 11: what an older run has left in /tmp is neither shown nor kept nor touched.
test_stale() {
    local file made=() stale="HTTP/1.1 418 stale of $RANDOM"
    own_sandbox --fault 'DELETE /v1/instances/* lost x1'
    for file in /tmp/aura_delete_headers.txt /tmp/aura_delete_body.txt; do
        [ -e $file ] || { echo "$stale" >$file; made+=($file); }
    done
    run 0 "$HALO" --yes migrate $source_id --no-dump --work-dir moved
    cat out err moved/* >all
    hasnt all stale
    for file in "${made[@]}"; do
        equal "$file" "$(cat "$file")" "$stale"
        rm "$file"
    done
}

# Runbook 7: interrupted and killed after the deletion: what is left says how to go on, and that works.
test_stopped() {
    local speed=60
    own_sandbox
    printf 'DZV1 dump' >a.backup
    begin "$HALO" --yes migrate $source_id --dump a.backup --work-dir "cut off"
    poll grep -qs "destroying" err
    cp "cut off/instance-config.json" config
    "$HALO" create --from "cut off/create-payload.json" >out2 2>err2 && fail "two create it at a time"
    has err2 "cut off/ is being used by another halo"
    kill -INT "$pid"
    ends 130
    grep -q "$source_id is being deleted, and nothing was created" err || fail "does not say what is left: $(cat err)"
    has "cut off/migration-summary.txt" "halo create --from 'cut off/create-payload.json'"
    run 2 "$HALO" --yes migrate $source_id --no-dump --work-dir "cut off"
    cmp config "cut off/instance-config.json" || fail "the configuration was overwritten"
    run 0 "$HALO" wait $source_id deleted
    run 0 "$HALO" create --from "cut off/create-payload.json" --work-dir "by hand"
    equal "the new one" "$(of "$(jq -r .data.id "cut off/create-response.json")" name)" orders-prod

    begin "$HALO" --yes migrate b8e2f5a6 --no-dump --work-dir killed
    poll grep -qs "destroying" err
    kill -KILL "$pid"
    ends 137
    run 0 bash -c "$(sed -n "/^If this stops: */{ s///; s#halo #'$HALO' #gp }" killed/migration-summary.txt)"
    equal "instances of the name" "$(state '[.instances[] | select(.name == "customers-live")] | length')" 1
}

# Answers of the other scripts that are lost, or cut, or say nothing: each change is done once. `create` finds its own.
changes=("lost" "cut" "500:acted" "502:html:acted" "hang=1:acted")
new_one=(--name small --type professional-db --cloud-provider aws --region us-east-1 --memory 2GB --storage 4GB
    --tenant-id 6b1f0c52-8d0a-4c7e-9a53-0f7c1d2e3b44)

# once NAME METHOD PATH command ...: the command succeeds, and has done it once
effects() { state "[.effects | to_entries[] | select(.key | test(\"$1\")).value] | add // 0"; }
once() {
    local fault text before
    fault=$1 text="^$2 /v1/instances$3\$"
    before=$(effects "$text")
    faulty "$2 /v1/instances** $fault x1"
    run 0 "${@:4}"
    equal "hits of $2 $fault" "$(curl -sS "$AURA_BASE_URL/_sandbox/faults" | jq '.faults[0].hits')" 1
    equal "effects of $2 $3 $fault" "$(($(effects "$text") - before))" 1
}

# change FAULT NAME ...: these scripts, one after the other
change() {
    local fault=$1 name
    own_sandbox
    seed '{"instances":[{"id":"c4a49e01","name":"changing","type":"professional-db"}]}'
    for name in "${@:2}"; do
        case $name in
        pause) once "$fault" POST "/{id}/pause" "$HALO" pause c4a49e01 ;;
        resume)
            seed '{"instances":[{"id":"c4a49e01","status":"paused"}]}'
            once "$fault" POST "/{id}/resume" "$HALO" resume c4a49e01 ;;
        resize) once "$fault" PATCH "/{id}" "$HALO" resize c4a49e01 --memory 16GB --storage 32GB ;;
        snapshot) once "$fault" POST "/{id}/snapshots" "$HALO" snapshot c4a49e01 --interval 0.1 ;;
        delete) once "$fault" DELETE "/{id}" "$HALO" --yes delete c4a49e01 ;;
        esac
    done
}

# faulty FAULT: nothing else goes wrong from here on
faulty() {
    curl -sS -o cleared -H 'Content-Type: application/json' -d "{\"clear\":true,\"faults\":[\"$1\"]}" \
        "$AURA_BASE_URL/_sandbox/faults"
}

# found_again NAME: the same command deletes the one that was lost, and creates another one
found_again() {
    run 0 "$HALO" --json runs
    equal "state" "$(jq -r '.[-1].state' out)" unfinished
    run 0 "$HALO" --yes --json create "${new_one[@]}"
    has err "it is deleted and created again"
    equal "instances" "$(state "[.instances[] | select(.name == \"$1\").id] | join(\" \")")" "$(jq -r .id out)"
    equal "password" "$(jq -r .data.password "$(jq -r .password_file out)")" "$(of "$(jq -r .id out)" password)"
}

# create: a lost one is deleted and created again, if that is wanted.
test_created() {
    local fault n=0
    own_sandbox
    for fault in lost cut 500:acted hang=1:acted 200:acted:html; do
        n=$((n + 1))
        new_one[1]=small-$n
        faulty "POST /v1/instances $fault x1"
        run 6 "$HALO" create "${new_one[@]}"
        has err "nothing is lost: to continue, run the same command again"
        found_again small-$n
    done
    # Killed while the answer comes.
    new_one[1]=killed
    faulty "POST /v1/instances drip=20 x1"
    begin "$HALO" create "${new_one[@]}"
    poll is_there killed || fail "nothing is created to be killed in: $(cat err)"
    kill -KILL "$pid"
    ends 137
    equal "answers on the disk" "$(grep -l killed aura-create-*/create-response.json)" ""
    found_again killed
    equal "effects" "$(effects '^POST /v1/instances$') $(effects '^DELETE ')" "12 6"
}
is_there() { [ "$(state "[.instances[] | select(.name == \"$1\")] | length")" = 1 ]; }

names=(stopped stale created)
for each in "${changes[@]}"; do
    names+=("change_$each")
    eval "test_change_$each() { change '$each' pause resume resize snapshot delete; }"
done
for each in pause resume resize snapshot delete; do          # nothing was done: seen to after 15 s, all at a time
    names+=("reset_$each")
    eval "test_reset_$each() { change reset $each; }"
done
for each in "${cases[@]}"; do
    read -r name code end rest <<<"$each"
    names+=("$name")
    eval "test_$name() { inject $code $end $rest; }"
done
at_once "${names[@]}"
end
