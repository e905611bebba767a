# The kill -9 matrix: migrate is killed at every event of its journal, at bytes it writes and at random times, and
# started again until it ends; so is create, and so are the other scripts that change something. Each time there is
# exactly one instance as asked, its password is on the disk and the audit is complete. (Runbook 7: killed after the
# deletion and started again, it overwrote the only copy of the configuration.)
# KILLS=N: how many random points (200 for a long run), SEED=N: which ones, JOBS=N: how many at once.
. "$SRC/tests/e2e/lib.bash" || exit 1
. "$SRC/tests/e2e/parts.bash" || exit 1
ulimit -c 0
all=$work kills=${KILLS:-15} jobs=${JOBS:-8} points=0 speed=1000
RANDOM=${SEED:-1}

# source_of NAME ID: an instance to migrate, with something that only a patch can set
source_of() {
    seed "{\"instances\":[{\"id\":\"$2\",\"name\":\"$1\",\"type\":\"enterprise-db\",\"cloud_provider\":\"aws\",
        \"region\":\"eu-west-1\",\"memory\":\"8GB\",\"storage\":\"16GB\",\"secondaries_count\":1,
        \"cdc_enrichment_mode\":\"DIFF\"}]}"
}

# counted: what counts of an instance, given on stdin
counted() {
    jq -Sc '{name, type, region, cloud_provider, memory, storage, secondaries_count, cdc_enrichment_mode, status}'
}

journal='moved/journal.jsonl'
# killed_at_event K command ...: kills it once its journal has K lines
killed_at_event() {
    local k=$1 lines file pid
    shift
    "$@" &
    pid=$!
    while [ -d "/proc/$pid" ]; do
        for file in $journal; do
            mapfile -t lines 2>/dev/null <"$file" && [ "${#lines[@]}" -ge "$k" ] && break 2
        done
        read -rt 0.001 <>"$never"
        [[ $(cat "/proc/$pid/stat" 2>/dev/null) != *") Z "* ]] || break
    done
    kill -9 "$pid"
    wait "$pid"
} 2>/dev/null

# killed_at_byte N command ...: killed by the system when a file of it grows beyond N bytes
killed_at_byte() {
    local n=$1
    shift
    prlimit --fsize="$n" "$@"
} 2>/dev/null

# killed_at_time MS command ...
killed_at_time() {
    local ms=$1 pid i
    shift
    "$@" &
    pid=$!
    read -rt "$(printf '%d.%03d' $((ms / 1000)) $((ms % 1000)))" <>"$never"
    kill -9 "$pid"
    wait "$pid"
} 2>/dev/null

# was_doing: the last line of the journal tells what was cut off; or that it had ended before
was_doing() {
    if ! grep -qs . $journal; then
        echo "nothing"
    else
        tail -qn 1 $journal | tail -n 1 | jq -r '"\(.event) \(.step // "")"' 2>/dev/null || echo "torn"
    fi >>"$all/killed"
}

# migration NAME POINT ...: one instance, killed at each point in turn (event:K byte:N time:MS), then not
migration() {
    local name=$1 id point code file want
    id=$(printf '%08x' $((0x5eed0000 + RANDOM * 32768 + RANDOM)))
    shift
    mkdir "$work/$name" && cd "$work/$name" || exit 1
    source_of "$name" "$id"
    want=$(state ".instances[] | select(.id == \"$id\")" | counted)
    { printf 'DZV1'; head -c 500 /dev/zero | tr '\0' x; } >a.backup
    cp a.backup copy
    for point; do
        # The output goes through a pipe: only files count against prlimit.
        "killed_at_${point%%:*}" "${point#*:}" "$HALO" --yes migrate "$id" --dump a.backup --work-dir moved \
            2>&1 | cat >>killed.err
        was_doing
    done
    "$HALO" --yes migrate "$id" --dump a.backup --work-dir moved >out 2>err
    equal "exit code" $? 0
    equal "the source" "$(of "$id" id)" ""
    equal "instances" "$(state "[.instances[] | select(.name == \"$name\")] | length")" 1
    equal "the new one" "$(state ".instances[] | select(.name == \"$name\")" | counted)" "$want"
    id=$(state ".instances[] | select(.name == \"$name\").id")
    equal "id on the disk" "$(jq -r .data.id moved/create-response.json)" "$id"
    equal "password on the disk" "$(jq -r .data.password moved/create-response.json)" "$(of "$id" password)"
    cmp -s copy moved/*.backup || fail "the dump is not in its place"
    [ ! -e a.backup ] || fail "the dump was not moved"
    for file in instance-config.json delete-response.json create-payload.json new-instance-config.json; do
        jq -e . "moved/$file" >/dev/null || fail "$file is not whole"
    done
    for file in "Pre-Deletion Summary" "New Instance ID:  $id" "Verification" "no mismatch"; do
        equal "\"$file\" in the summary" "$(grep -cF -- "$file" moved/migration-summary.txt)" 1
    done
    equal "steps done" "$(jq -r 'select(.event == "done").step' moved/journal.jsonl | tr '\n' ' ')" \
        "authenticate capture dump audit delete deleted create running set cdc_enrichment_mode set secondaries_count verify "
    equal "numbers of the events" "$(jq .n moved/journal.jsonl | tr '\n' ' ')" "$(seq -s ' ' "$(wc -l <moved/journal.jsonl)") "
    equal "mode of the journal" "$(stat -c %a moved/journal.jsonl)" 600
    equal "other files" "$(ls -A moved | grep -cvxE ".*\.backup|(create-payload|(create|delete)-response|(new-)?instance-config).json|create-response-cut.json|migration-summary.txt|journal.jsonl")" 0
    hasnt moved/journal.jsonl "$(of "$id" password)"
    wc -l <moved/journal.jsonl >"$work/events"
    # A finished one changes nothing.
    cp -r moved kept
    "$HALO" --yes migrate "$(jq -r .data.id moved/instance-config.json)" --work-dir moved >out2 2>err2
    equal "exit code, once finished" $? 0
    diff -r moved kept || fail "a finished migration was changed"
    grep -q "finished migration" err2 || fail "does not say that it is finished: $(cat err2)"
    [ "$failures" = 0 ] || { sed 's/^/    err: /' killed.err err; sed 's/^/    /' moved/journal.jsonl; }
    [ -n "${KEEP:-}" ] || rm -rf "$work/$name"
}

# creation NAME POINT ...: create, killed at each point in turn, then not: the same command finds its own run
creation() {
    local name=$1 id point code ended=0 journal='aura-create-*/journal.jsonl' before=$failures
    local command=("$HALO" --yes create --name "$1" --type professional-db --cloud-provider aws --region us-east-1
        --memory 2GB --storage 4GB --tenant-id 6b1f0c52-8d0a-4c7e-9a53-0f7c1d2e3b44)
    shift
    mkdir "$all/$name" && cd "$all/$name" || exit 1
    local work=$PWD
    for point; do
        "killed_at_${point%%:*}" "${point#*:}" "${command[@]}" 2>&1 | cat >>killed.err
        was_doing
    done
    grep -qs '"event":"end"' $journal && ended=3        # then it is refused: there is one of that name
    "${command[@]}" >out 2>err
    code=$?
    equal "exit code" "$code" "$ended"
    equal "instances" "$(state "[.instances[] | select(.name == \"$name\")] | length")" 1
    id=$(state ".instances[] | select(.name == \"$name\").id")
    equal "status" "$(of "$id" status)" running
    equal "id and password on the disk" "$(jq -r '.data | .id + " " + .password' aura-create-*/create-response.json)" \
        "$id $(of "$id" password)"
    equal "modes" "$(stat -c '%A' aura-create-*/. aura-create-*/* | sort -u | tr '\n' ' ')" "-rw------- drwx------ "
    equal "steps done" "$(jq -r 'select(.event == "done").step' $journal | tr '\n' ' ')" "place create running "
    cat $journal >events
    hasnt events "$(of "$id" password)"
    run 0 "$HALO" --json runs
    equal "runs" "$(jq -r '.[] | .script + " " + .state' out)" "create finished"
    wc -l <events >"$all/created"
    [ "$failures" = "$before" ] || { sed 's/^/    err: /' killed.err err; sed 's/^/    /' $journal; }
    [ -n "${KEEP:-}" ] || rm -rf "$work"
}

# begin_part command ...: at most $jobs at once, each in a process of its own
begin_part() {
    while [ "$(jobs -rp | grep -cvx "$sandbox_pid")" -ge "$jobs" ]; do
        wait -n -p _
    done
    points=$((points + 1))
    RANDOM=$((RANDOM + points))
    (trap - EXIT; failures=0; "$@" >"$work/log.$points" 2>&1; [ "$failures" = 0 ] || : >"$work/failed.$points") &
}

# The other scripts: killed at random times, then started until they succeed.
again() {
    local ms=$1 i
    shift
    killed_at_time "$ms" "$@" >/dev/null 2>&1
    for ((i = 0; i < 20; i++)); do
        timeout 60 "$@" >out 2>err && return 0
        read -rt 0.2 <>"$never"
    done
    fail "never ends well: $*: $(cat err)"
}

others() {
    local name=$1 ms=$2 id
    id=$(printf '%08x' $((0x07e50000 + RANDOM * 32768 + RANDOM)))
    mkdir "$work/$name" && cd "$work/$name" || exit 1
    source_of "$name" "$id"
    again "$ms" "$HALO" pause "$id"
    equal "$name: paused after $ms ms" "$(of "$id" status)" paused
    again "$ms" "$HALO" resume "$id"
    equal "$name: resumed after $ms ms" "$(of "$id" status)" running
    killed_at_time "$ms" "$HALO" resize "$id" --memory 16GB --storage 32GB >/dev/null 2>&1
    "$HALO" resize "$id" --memory 16GB --storage 32GB >out 2>err    # 2: it is what was asked for already
    [ $? = 0 ] || has err "nothing to change"
    "$HALO" wait "$id" running >/dev/null 2>&1
    equal "$name: resized after $ms ms" "$(of "$id" memory) $(of "$id" storage)" "16GB 32GB"
    again "$ms" "$HALO" snapshot "$id" --interval 0.1
    killed_at_time "$ms" "$HALO" --yes delete "$id" >/dev/null 2>&1
    "$HALO" --yes delete "$id" >out 2>err || has err not_found
    equal "$name: deleted after $ms ms" "$(of "$id" id)" ""
}

# A script of the operator's own, with --work-dir: its steps are done once, however often it is killed.
own_script() {
    local ms=$1 id i
    id=$(printf '%08x' $((0x0a5c0000 + RANDOM * 32768 + RANDOM)))
    mkdir "$work/own-$ms" && cd "$work/own-$ms" || exit 1
    local work=$PWD
    source_of "own-$ms" "$id"
    cat >grow.lua <<'LUA'
local aura, run = require "aura", require "run"
return {
    summary = "Give an instance more memory.",
    effect = "change",
    args = { { "instance", "id", "id of the instance" } },
    run = function(args)
        local job = run.open(nil, { input = args })
        local before = job:step("look", function() return aura.get(args.instance).memory end)
        job:step("grow", { settle = function()
            local now = aura.wait_for_status(args.instance, "running").memory
            return now == before and { again = true } or { done = now }
        end }, function()
            aura.patch(args.instance, { memory = "16GB", storage = "32GB" })
            return aura.wait_for_status(args.instance, "running").memory
        end)
        return job:finish { before = before, after = job:step("look again", function()
            return aura.get(args.instance).memory
        end) }
    end,
}
LUA
    for ((i = 1; i <= 3; i++)); do
        killed_at_time $((ms * i)) "$HALO" run grow.lua "$id" --work-dir kept >/dev/null 2>&1
    done
    run 0 "$HALO" --json run grow.lua "$id" --work-dir=kept
    equal "own script, $ms ms" "$(jq -r '"\(.before) \(.after)"' "$work/out")" "8GB 16GB"
    run 0 "$HALO" runs kept
    grep -q "^kept  *grow  *finished " "$work/out" || fail "$(cat "$work/out")"
    run 2 "$HALO" run grow.lua other --work-dir kept
    has "$work/err" "other input (instance)"
}

start_sandbox --speed $speed --switch rate=0,token_rate=0

# How many events a journal has that was never cut off: each of them is a point.
migration whole
[ "$failures" = 0 ] || end
events=$(cat "$work/events")
creation whole-create
[ "$failures" = 0 ] || end
created=$(cat "$all/created")
for ((k = 1; k <= events; k++)); do
    begin_part migration "event-$k" "event:$k"
done
for ((k = 1; k <= created; k++)); do
    begin_part creation "create-$k" "event:$k"
done
for ((k = 1; k <= kills; k++)); do
    case $((k % 3)) in
    0) begin_part migration "random-$k" "byte:$((RANDOM % 7000 + 1))" ;;
    1) begin_part migration "random-$k" "time:$((RANDOM % 1500))" ;;
    *) begin_part migration "random-$k" "time:$((RANDOM % 700))" "byte:$((RANDOM % 7000 + 1))" "event:$((RANDOM % events + 1))" ;;
    esac
done
for ((k = 1; k <= (kills + 4) / 5; k++)); do
    begin_part others "others-$k" $((RANDOM % 700))
    begin_part own_script $((RANDOM % 300 + k))
    begin_part creation "create-at-$k" "time:$((RANDOM % 300))" "event:$((RANDOM % created + 1))" "byte:$((RANDOM % 900 + 1))"
done
for pid in $(jobs -rp | grep -vx "$sandbox_pid"); do
    wait "$pid"
done
for file in "$work"/failed.*; do
    [ -e "$file" ] || continue
    failures=$((failures + 1))
    echo "point ${file##*.}:"
    cat "$work/log.${file##*.}"
done
echo "$points points; killed after, or in the middle of:"
sort "$work/killed" | uniq -c
end
