# Shared by the longer end-to-end tests, after lib.bash: waiting without sleeping, counting requests,
# and running the parts of a test at once.
export HALO AURA_RATE=0 HOME=$work/home
mkdir "$HOME"
never=$work/never
mkfifo "$never"

# poll command ...: until it succeeds, for 20 s at most
poll() {
    local i
    for ((i = 0; i < 400; i++)); do
        "$@" && return 0
        read -rt 0.05 <>"$never"
    done
    return 1
}

# requests REGEX: how many requests were sent to the sandbox so far whose "METHOD /path" fits
requests() {
    state "[.requests | to_entries[] | select(.key | test(\"$1\")).value] | add // 0"
}

# of ID FIELD: a field of an instance as the sandbox holds it
of() {
    state ".instances[] | select(.id == \"$1\").$2"
}

# seed JSON: puts something into the sandbox's state
seed() {
    curl -sS -o /dev/null -H 'Content-Type: application/json' "$AURA_BASE_URL/_sandbox/state" -d "$1"
}

ended() { [[ ! -d /proc/$1 || $(cat "/proc/$1/stat" 2>/dev/null) == *") Z "* ]]; }
filled() { [ -s "$1" ]; }

# begin command ...: in the background, as $pid, once it has said something on stderr
begin() {
    rm -f out err
    "$@" >out 2>err &
    pid=$!
    poll filled err || fail "says nothing: $*"
}

# ends CODE: how what began has ended
ends() {
    poll ended "$pid" || { fail "does not end"; kill -9 "$pid"; }
    wait "$pid" 2>/dev/null
    equal "exit code" $? "$1"
}

# at_once NAME ...: runs test_NAME for each, all at the same time, each in a folder of its own
at_once() {
    local part pid
    local -A pids=()
    for part; do
        mkdir "$work/$part"
        (
            work=$work/$part failures=0
            trap '[ -z "$sandbox_own" ] || stop_sandbox' EXIT
            cd "$work" || exit 1
            test_"$part" >log 2>&1
            exit "$failures"
        ) &
        pids[$part]=$!
    done
    for part; do
        wait "${pids[$part]}"
        failures=$((failures + $?))
        sed "s/^FAILED:/& $part:/" "$work/$part/log"
    done
}

# own_sandbox [option ...]: one for this part alone, $speed times faster, with $switches
speed=600 switches=
sandbox_own=
own_sandbox() {
    sandbox_own=1
    start_sandbox --speed $speed --switch "rate=0,token_rate=0${switches:+,$switches}" "$@"
}

# certificates: ca.pem, and for localhost front.pem, expired.pem and self.pem, each with its key
certificates() {
    {
        openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 1 -subj "/CN=a CA for tests" &&
            openssl req -newkey rsa:2048 -nodes -keyout key.pem -out request.pem -subj /CN=localhost &&
            echo subjectAltName=DNS:localhost >names &&
            openssl x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -extfile names -days 1 -out front.pem &&
            openssl x509 -req -in request.pem -CA ca.pem -CAkey ca.key -extfile names -days -1 -out expired.pem &&
            openssl x509 -req -in request.pem -signkey key.pem -extfile names -days 1 -out self.pem
    } >openssl.log 2>&1 || cat openssl.log
    local each
    for each in front expired self; do
        cat key.pem >>$each.pem
    done
}

# listens LOG ADDRESS TO: socat on a free port, which is $port; LOG has a line for each connection
listens() {
    rm -f "$1" # of an earlier one
    socat -d -d "${@:4}" "$2" "$3" 2>"$1" &
    poll grep -qs "listening on" "$1" || fail "socat does not listen: $(cat "$1")"
    port=$(sed -n 's/.*listening on .*:\([0-9]*\)$/\1/p;T;q' "$1")
}
connections() { grep -c "accepting connection" "$1"; }

# tls_front NAME: TLS with NAME.pem in front of the sandbox, on $port
tls_front() {
    listens "$1.log" "OPENSSL-LISTEN:0,bind=127.0.0.1,fork,cert=$1.pem,verify=0" "TCP:127.0.0.1:${AURA_BASE_URL##*:}"
}
