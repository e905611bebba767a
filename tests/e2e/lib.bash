# Shared by the end-to-end tests: a folder of its own, a sandbox to start, checks that say what failed.
set -u
work=$(mktemp -d)
sandbox_pid=
finish() {
    [ "$BASHPID" = "$$" ] || return 0 # a background job inherits the trap
    [ -n "$sandbox_pid" ] && kill "$sandbox_pid" && wait "$sandbox_pid"
    mapfile -t jobs < <(jobs -p)
    [ ${#jobs[@]} = 0 ] || kill "${jobs[@]}"
    [ -n "${KEEP:-}" ] || rm -rf "$work"
} 2>/dev/null
trap finish EXIT
cd "$work" || exit 1
failures=0

fail() {
    printf 'FAILED: %s\n' "$*"
    failures=$((failures + 1))
}

# start_sandbox [option ...]: starts one on a free port and takes over what it exports
start_sandbox() {
    mkfifo "$work/sandbox.out"
    "$HALO" sandbox --port=0 "$@" >"$work/sandbox.out" 2>"$work/sandbox.err" &
    sandbox_pid=$!
    exec 7<"$work/sandbox.out"
    local line
    while read -r -t 20 line <&7 && [ "$line" != ready ]; do
        eval "$line"
    done
    [ "${line:-}" = ready ] || { cat "$work/sandbox.err"; echo "the sandbox did not start"; exit 1; }
}

stop_sandbox() {
    kill "$sandbox_pid"
    wait "$sandbox_pid"
    sandbox_pid=
    exec 7<&-
    rm -f "$work/sandbox.out"
} 2>/dev/null

# state FILTER: jq on what the sandbox holds
state() {
    curl -sS "$AURA_BASE_URL/_sandbox/state" | jq -r "$1"
}

# run CODE command ...: runs it with its output in $work/out and $work/err and checks the exit code
run() {
    local want=$1 got
    shift
    "$@" >"$work/out" 2>"$work/err" </dev/null
    got=$?
    if [ "$got" != "$want" ]; then
        fail "exit code $got instead of $want: $*"
        sed 's/^/    out: /' "$work/out"
        sed 's/^/    err: /' "$work/err"
    fi
}

# has FILE TEXT, hasnt FILE TEXT
has() {
    grep -qF -- "$2" "$1" || { fail "no \"$2\" in $1:"; sed 's/^/    /' "$1"; }
}
hasnt() {
    ! grep -qF -- "$2" "$1" || { fail "\"$2\" in $1:"; sed 's/^/    /' "$1"; }
}

# equal WHAT GOT WANT
equal() {
    [ "$2" = "$3" ] || fail "$1 is \"$2\", not \"$3\""
}

end() {
    [ "$failures" = 0 ] && echo "all passed" && exit 0
    echo "$failures checks failed"
    exit 1
}
