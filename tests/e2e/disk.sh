# Full, read-only and missing directories, at every stage of a migration: nothing is deleted before all that
# is needed is on the disk, no password is lost, and with space again it goes on.
. "$SRC/tests/e2e/lib.bash" || exit 1
. "$SRC/tests/e2e/parts.bash" || exit 1
source_id=3fa29c1e
tenant=6b1f0c52-8d0a-4c7e-9a53-0f7c1d2e3b44
new_one=(--name small --type professional-db --cloud-provider aws --region us-east-1 --memory 2GB --storage 4GB
    --tenant-id $tenant)
as_other=()
chmod 711 "$work"

# Small file systems, one for each part that needs one.
mounted=()
small() {
    local part
    for part; do
        mkdir "$work/disk-$part"
        mount -t tmpfs -o size=64k,mode=700 tmpfs "$work/disk-$part" 2>>"$work/mount.err" || return 1
        mounted+=("$work/disk-$part")
    done
}
unmount() {
    [ "$BASHPID" = "$$" ] || return 0
    [ ${#mounted[@]} = 0 ] || umount -l "${mounted[@]}"
    finish
}
trap unmount EXIT

# fill DIR [PAGES]: until nothing more fits, but for so many pages of 4 KiB
fill() {
    cat /dev/zero >"$1/filler" 2>/dev/null
    [ -z "${2:-}" ] || truncate -s -$(($2 * 4096)) "$1/filler"
}

deletes() { requests '^DELETE '; }
sent() { [ "$(requests "$1")" -ge "$2" ]; }

# over CODE: how what was started has ended
over() {
    local got
    poll ended "$pid" || { fail "does not end"; kill -9 "$pid"; }
    wait "$pid" 2>/dev/null
    got=$?
    wait "$reader"
    equal "exit code" "$got" "$1" || cat err
}

# start command ...: in the background as $pid; what it says goes through pipes, which are never full
start() {
    rm -f said out err
    mkfifo said
    cat said >err &
    reader=$!
    "${as_other[@]}" "$HALO" --yes "$@" >/dev/null 2>said &
    pid=$!
}

# until_sent METHOD COUNT: a request is out whose answer takes a while
until_sent() {
    poll sent "$1" "$2" || fail "$1 is not sent"
}

# kept TEXT: nothing was deleted, and the reason is told
kept() {
    has err "$1"
    equal "deletions sent" "$(deletes)" 0
    equal "creations sent" "$(requests '^POST /v1/instances$')" 0
    equal "status of the source" "$(of $source_id status)" running
}

# whole: the source is gone, one successor runs, and its password is where the result says
whole() {
    local file new
    file=$(jq -r .password_file out)
    new=$(jq -r .instance out)
    equal "running ones of its name" "$(state '[.instances[] | select(.name == "orders-prod")
        | .id + " " + .status] | join(",")')" "$new running"
    equal "the source" "$(of $source_id id)" ""
    equal "password in $file" "$(jq -r .data.password "$file")" "$(of "$new" password)"
    equal "mode of $file" "$(stat -c %a "$file")" 600
}

# goes_on DIR: with space again
goes_on() {
    run 0 "${as_other[@]}" "$HALO" --yes --json migrate $source_id --work-dir "$1"
    whole
}

# The stages: the answer that is slow, and the requests there are when the disk becomes full.
declare -A fault=(
    [authenticate]='POST /oauth/token drip=3 x1'
    [capture]='GET /v1/instances/* drip=3 x1'
    [journal]='GET /v1/tenants/* hang=1 x1'
    [audit]='GET /v1/instances/* drip=3 x1 after 1'
    [delete]='DELETE /v1/instances/* drip=3 x1'
    [create]='POST /v1/instances drip=3 x1')
declare -A asked=(
    [authenticate]='^POST /oauth/token 1'
    [capture]='^GET /v1/instances/ 1'
    [journal]='^GET /v1/tenants/ 1'
    [audit]='^GET /v1/instances/ 2'
    [delete]='^DELETE 1'
    [create]='^POST /v1/instances$ 1')

# at STAGE DIR: begins a migration and returns when it waits for the slow answer of that stage
at() {
    own_sandbox --fault "${fault[$1]}"
    export TMPDIR=$PWD
    printf 'DZV1 dump' >orders.backup
    start migrate $source_id --dump orders.backup --work-dir "$2"
    until_sent "${asked[$1]% *}" "${asked[$1]##* }"
}

dump_there() {
    [ -s orders.backup ] || [ -s "$1/$source_id.backup" ] || fail "the dump is lost"
}

# A file system that becomes full.
full_before() {
    local dir=${work%/*}/disk-$1/moved
    at "$1" "$dir"
    fill "${dir%/*}"
    over 1
    kept "No space left on device"
    has err "Nothing was deleted"
    dump_there "$dir"
    rm "${dir%/*}/filler"
    goes_on "$dir"
}
test_authenticate() { full_before authenticate; }
test_capture() { full_before capture; }
test_journal() { full_before journal; }
test_audit() { full_before audit; }

# After the deletion what can go on without being recorded does; a password is saved somewhere, and named.
full_after() {
    local dir=${work%/*}/disk-$1/moved file code
    at "$1" "$dir"
    fill "${dir%/*}"
    poll ended "$pid" || fail "does not end"
    wait "$pid"
    code=$?
    wait "$reader"
    [[ $code = 0 || $code = 1 ]] || fail "exit code $code: $(cat err)"
    has err "No space left on device"
    equal "deletions sent" "$(deletes)" 1
    file=$(sed -n 's/.*the answer is saved in //p' err)
    if [ "$(requests '^POST /v1/instances$')" = 1 ]; then
        [ -n "$file" ] || fail "no place of the password is told: $(cat err)"
        equal "password" "$(jq -r .data.password "$file")" \
            "$(state '.instances[] | select(.name == "orders-prod").password')"
        equal "modes" "$(stat -c %a "$file" "$(dirname "$file")" | tr '\n' ' ')" "600 700 "
    fi
    [ "$code" = 0 ] || has err "halo create --from"
    [ "$code" = 0 ] || has err "halo migrate $source_id --work-dir"
    dump_there "$dir"
    rm "${dir%/*}/filler"
    goes_on "$dir"
}
test_delete() { full_after delete; }
test_create() { full_after create; }

# How much space there is from the beginning.
test_pages() {
    local dir=${work%/*}/disk-pages pages
    own_sandbox
    for ((pages = 0; pages < 16; pages++)); do
        fill "$dir" $pages
        "$HALO" --yes --json migrate $source_id --no-dump --work-dir "$dir/moved" >out 2>err && break
        kept "No space left on device"
        [ "$pages" -gt 0 ] || [ ! -s "$dir/moved/journal.jsonl" ] || fail "a journal on a full disk"
        rm -rf "$dir/moved"
    done
    [ "$pages" -lt 16 ] || fail "not even with 16 pages"
    whole
}

# A dump that does not fit stays where it was, whole.
test_dump() {
    local dir=${work%/*}/disk-dump
    own_sandbox
    { printf 'DZV1'; head -c 100000 /dev/zero | tr '\0' x; } >big.backup
    cp big.backup copy
    run 1 "$HALO" --yes migrate $source_id --dump big.backup --work-dir "$dir/moved"
    kept "No space left on device"
    cmp big.backup copy || fail "the dump is not what it was"
    equal "dumps and parts of them" "$(find "$dir" -name '*.backup' -o -name '*.tmp')" ""
    rm -rf "$dir/moved"
    mount -o remount,size=400k "$dir"
    run 0 "$HALO" --yes --json migrate $source_id --dump big.backup --work-dir "$dir/moved"
    whole
    cmp copy "$dir/moved/$source_id.backup" || fail "the dump is not the one given"
    [ ! -e big.backup ] || fail "the dump was not moved"
}

# create where there is no space for its journal: nothing is sent. Where there is none any more for the answer: it
# is saved elsewhere, or that instance is replaced once the run goes on.
test_save() {
    local dir=${work%/*}/disk-save file
    own_sandbox --fault 'POST /v1/instances drip=3 x1'
    export TMPDIR=$PWD
    fill "$dir"
    run 1 "$HALO" create "${new_one[@]}" --work-dir "$dir/made"
    has err "No space left on device"
    run 1 "$HALO" create "${new_one[@]}" --work-dir /proc/made
    equal "creations sent" "$(requests '^POST /v1/instances$')" 0
    rm "$dir/filler"
    start create "${new_one[@]}" --work-dir "$dir/made"
    until_sent '^POST /v1/instances$' 1
    fill "$dir"
    poll ended "$pid" || fail "does not end"
    wait "$pid" || has err "run the same command again (journal in $dir/made)"
    wait "$reader"
    has err "No space left on device"
    file=$(sed -n 's/.*the answer is saved in //p' err)
    equal "password" "$(jq -r .data.password "$file")" "$(state '.instances[] | select(.name == "small").password')"
    equal "modes" "$(stat -c %a "$file" "$(dirname "$file")" | tr '\n' ' ')" "600 700 "
    rm "$dir/filler"
    run 0 "$HALO" --yes --json create "${new_one[@]}" --work-dir "$dir/made"
    equal "password" "$(jq -r .data.password "$(jq -r .password_file out)")" \
        "$(state '.instances[] | select(.name == "small").password')"
}

# A limit on the size of files, from one moment on: nothing at all can be written any more.
limited_before() {
    at "$1" moved
    prlimit --pid "$pid" --fsize=0:unlimited
    over 1
    kept "File too large"
    dump_there moved
    goes_on moved
}
test_limit_authenticate() { limited_before authenticate; }
test_limit_capture() { limited_before capture; }
test_limit_journal() { limited_before journal; }
test_limit_audit() { limited_before audit; }

limited_after() {
    at "$1" moved
    prlimit --pid "$pid" --fsize=0:unlimited
    over 1
    has err "File too large"
    has err "halo migrate $source_id --work-dir moved"
    equal "deletions sent" "$(deletes)" 1
    dump_there moved
    goes_on moved
}
test_limit_delete() {
    limited_after delete
    equal "creations sent" "$(requests '^POST /v1/instances$')" 1
}
# The password cannot be kept anywhere: that empty instance is deleted, and created again.
test_limit_create() {
    limited_after create
    equal "creations sent" "$(requests '^POST /v1/instances$')" 2
}

# The same limit from the beginning. The signal that comes with it must not end the process.
test_limit() {
    local kib
    own_sandbox
    for kib in 0 1 4 23; do
        run 1 bash -c "(ulimit -f $kib; exec \"\$HALO\" --yes migrate $source_id --no-dump --work-dir moved-$kib 2>&1) |
            cat; exit \${PIPESTATUS[0]}"
        cp out err
        kept "File too large"
    done
}

# A directory that goes away, and comes back.
gone() {
    at "$1" moved
    mv moved away
    over 1
    kept "moved"
    has err "No such file or directory"
    mv away moved
    dump_there moved
    goes_on moved
}
test_gone_capture() { gone capture; }
test_gone_audit() { gone audit; }

test_gone_create() {
    at create moved
    mv moved away
    poll ended "$pid" || fail "does not end"
    wait "$pid"
    wait "$reader"
    local file
    file=$(sed -n 's/.*the answer is saved in //p' err)
    equal "password" "$(jq -r .data.password "$file")" \
        "$(state '.instances[] | select(.name == "orders-prod").password')"
    mv away moved
    goes_on moved
}

# Without the right to write.
others() {
    [ "$(id -u)" = 0 ] || return 0
    as_other=(setpriv --reuid=65534 --regid=65534 --clear-groups env HOME="$PWD")
    chown 65534:65534 .
}

test_readonly() {
    others
    own_sandbox
    printf 'DZV1 dump' >orders.backup
    mkdir closed
    chmod 555 closed
    run 1 "${as_other[@]}" "$HALO" --yes migrate $source_id --dump orders.backup --work-dir closed
    kept closed
    has err "Permission denied"
    run 1 "${as_other[@]}" "$HALO" --yes migrate $source_id --dump orders.backup --work-dir closed/deeper
    kept closed/deeper
    run 1 "${as_other[@]}" "$HALO" create "${new_one[@]}" --work-dir closed/made
    kept closed/made
    # A dump that may be read, but not moved away, is not lost; whatever is done, it is in its place.
    mkdir theirs
    mv orders.backup theirs
    chmod 555 theirs
    "${as_other[@]}" "$HALO" --yes migrate $source_id --dump theirs/orders.backup --work-dir moved >out 2>err
    [ -s theirs/orders.backup ] || [ -s moved/$source_id.backup ] || fail "the dump is lost"
    [ "$(deletes)" = 0 ] || cmp theirs/orders.backup moved/$source_id.backup || fail "deleted without the dump"
    [ "$(deletes)" = 1 ] || has err "Nothing was deleted"
}

readonly_at() {
    others
    at "$1" moved
    chmod 500 moved
    over 1
    kept "Permission denied"
    chmod 700 moved
    dump_there moved
    goes_on moved
}
test_readonly_capture() { readonly_at capture; }
test_readonly_audit() { readonly_at audit; }

parts=(limit_authenticate limit_capture limit_journal limit_audit limit_delete limit_create limit gone_capture
    gone_audit gone_create)
disks=(authenticate capture journal audit delete create pages dump save)
if small "${disks[@]}"; then
    parts+=("${disks[@]}")
else
    echo "skipped: a full file system (no tmpfs: $(head -1 "$work/mount.err"))"
fi
if [ "$(id -u)" != 0 ] || setpriv --reuid=65534 --regid=65534 --clear-groups test -x "$HALO"; then
    parts+=(readonly readonly_capture readonly_audit)
else
    echo "skipped: directories that may not be written (root, and no other user can run $HALO)"
fi
at_once "${parts[@]}"
end
