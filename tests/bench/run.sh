#!/usr/bin/env bash
# ./bootstrap bench: halo beside other ways to do the same, in the same minutes, against the sandbox.
#
#   --rounds N    how often each is measured (7)
#   --rows REGEX  only the parts whose names fit: start get store sequential latency http2 pause growth waiting
#                 sandbox instructions pace host limit
#   --long        also the part "limit": 100 pauses at 125 requests a minute, which takes over a minute
#   --smoke       one round of everything, with few requests: whether it still works
#   --out DIR     where results.tsv and growth.svg go (build/bench)
#   AURA_CLI=PATH measures the official aura-cli as well
#
# How to read it: a round measures each program of a group once, one after the other, so that all have the
# same weather. Times are ms, median (least .. most). "x" is the median of a program's times divided by those
# of the group's first program in the same round: absolute times differ from one machine and minute to the next,
# "x" hardly does. MB is the most memory of any one process. Requests, connections and tokens are counted at the
# server, and are those of the last round. CPU is that of the program with all its children, not the sandbox's.
set -u
cd "$(dirname "$0")" || exit 1
here=$PWD
BUILD=${BUILD:-$(dirname "$HALO")}
BIN=$BUILD/tests/bench
rounds=7 rows=. long='' out=$BUILD/bench many=100 growth="1 10 100 1000"
speed=32 lasts=2 apart=2.1 waiters=1000 settled=7 watched=20 # s; a pause takes 64 s of the sandbox's time
while [ $# -gt 0 ]; do
    case $1 in
    --rounds) rounds=$2 && shift ;;
    --rows) rows=$2 && shift ;;
    --out) out=$2 && shift ;;
    --long) long=1 ;;
    --smoke) rounds=1 many=10 growth="1 10" speed=640 lasts=0.1 apart=0.2 waiters=20 settled=1 watched=1 ;;
    *) sed -n '2,/^set/s/^# \{0,1\}//p' "$here/run.sh" | sed '$d'; exit 2 ;;
    esac
    shift
done
mkdir -p "$out" && out=$(cd "$out" && pwd) || exit 1
results=$out/results.tsv
rm -f "$results" "$out/limit.tsv"

# shellcheck source=tests/e2e/lib.bash
. "$here/../e2e/lib.bash" # a folder of its own, start_sandbox, stop_sandbox, state
export HOME=$work/home AURA_RATE=0 LUA_CPATH="$BUILD/?.so;;" LC_ALL=C.UTF-8
unset XDG_CACHE_HOME XDG_STATE_HOME XDG_CONFIG_HOME HALO_PROFILE AURA_CA_FILE AURA_TOKEN INSTANCE_ID
mkdir "$HOME"
PATH=$PATH:/usr/sbin # nginx
nginx_pid=
stop_all() {
    [ -n "$nginx_pid" ] && kill "$nginx_pid" 2>/dev/null
    finish
}
trap stop_all EXIT

say() { printf '%s\n' "$*" >&2; }
part() { [[ $1 =~ $rows ]] && say "measuring: $1"; }

# ---- measuring ----

# Sets requests, connections and tokens to what the server has counted so far.
count() {
    if [ -n "$nginx_pid" ]; then
        read -r requests connections tokens < <(awk '{ seen[$1] = 1; tokens += $3 == "/oauth/token" }
            END { print NR, length(seen), tokens + 0 }' "$work/access.log")
        return
    fi
    read -r requests connections tokens < <(state '"\([.requests | to_entries[]
        | select(.key | test("_sandbox") | not).value] | add // 0) \(.connections) \(.tokens.issued)"')
    looked=$((looked + 1)) connections=$((connections - looked)) # these looks are connections, too
}

# once GROUP PROGRAM COMMAND...
once() {
    local group=$1 program=$2 before
    shift 2
    count
    before=("$requests" "$connections" "$tokens")
    if ! "${wrap[@]}" "$BIN/measure" "$work/took" "$@" >"$work/stdout" 2>"$work/stderr"; then
        fail "$group, $program: $(tail -n 3 "$work/stderr")"
        return
    fi
    count
    printf '%s\t%s\t%s\t%d\t%d\t%d\n' "$group" "$program" "$(<"$work/took")" $((requests - before[0])) \
        $((connections - before[1])) $((tokens - before[2])) >>"$results"
}

# with PROGRAM COMMAND...: one more in the group to be measured
programs=() commands=() wrap=()
with() {
    programs+=("$1")
    shift
    commands+=("${*@Q}")
}

# group NAME [ROUNDS [COMMAND]]: measures them; the command comes before each, unmeasured
group() {
    local round i
    for ((round = 0; round < ${2:-$rounds}; round++)); do
        for i in "${!programs[@]}"; do
            ${3:-:}
            eval "once ${1@Q} ${programs[i]@Q} ${commands[i]}"
        done
    done
    programs=() commands=()
}

# ---- the server ----

begin_sandbox() {
    looked=0 requests=0 connections=0 tokens=0
    rm -rf "$HOME/.cache"
    start_sandbox --switch "rate=${rate:-0},token_rate=0" "$@"
}

# instances N [STATUS]: replaces all by the running instances 00000001 to N (hexadecimal)
instances() {
    local n list=
    for ((n = 1; n <= $1; n++)); do
        printf -v list '%s%s{"id":"%08x","name":"i%d","memory":"1GB","type":"professional-db","status":"%s"}' \
            "$list" "${list:+,}" "$n" "$n" "${2:-running}"
    done
    printf '{"replace":true,"instances":[%s]}' "$list" >"$work/seed"
    curl -sS -o "$work/seeded" -H 'Content-Type: application/json' "$AURA_BASE_URL/_sandbox/state" -d @"$work/seed"
    looked=$((looked + 1))
}

# A token for the programs that are given one, in a file of headers and as AURA_TOKEN.
take_token() {
    token=$(curl -sS ${AURA_CA_FILE:+--cacert "$AURA_CA_FILE"} -u sandbox:sandbox \
        -d grant_type=client_credentials "$AURA_BASE_URL/oauth/token" | jq -r .access_token)
    looked=$((looked + 1))
    printf 'Authorization: Bearer %s\n' "$token" >"$work/headers"
    export url=$AURA_BASE_URL/v1/instances headers=$work/headers
    "$HALO" --quiet get "$id" >"$work/stdout" || fail "no token"
    looked=$((looked + 1))
    if [ -n "${AURA_CLI:-}" ]; then
        "$AURA_CLI" config set base-url "$AURA_BASE_URL/v1" >"$work/stdout"
        "$AURA_CLI" config set auth-url "$AURA_BASE_URL/oauth/token" >"$work/stdout"
        "$AURA_CLI" credential remove bench >"$work/stdout" 2>&1
        "$AURA_CLI" credential add --name bench --client-id sandbox --client-secret sandbox >"$work/stdout"
        "$AURA_CLI" instance get "$id" >"$work/stdout" || fail "aura-cli does not work"
    fi
}

# front: nginx with TLS before the sandbox; $h1 and $h2 are its addresses, HTTP/1.1 and HTTP/2
front() {
    local port tries ca=$work/ca key=(-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes)
    rm -f "$work/access.log" # it numbers connections anew
    openssl req -x509 "${key[@]}" -days 2 -subj /CN=bench-ca -keyout "$ca.key" -out "$ca.pem" 2>"$work/ssl"
    openssl req "${key[@]}" -subj /CN=localhost -keyout "$work/tls.key" -out "$work/tls.csr" 2>"$work/ssl"
    openssl x509 -req -days 2 -in "$work/tls.csr" -CA "$ca.pem" -CAkey "$ca.key" -CAcreateserial \
        -extfile <(echo subjectAltName=DNS:localhost) -out "$work/tls.pem" 2>"$work/ssl"
    for _ in 1 2 3 4 5; do # until the ports are free
        port=$((20000 + RANDOM % 20000))
        cat >"$work/nginx.conf" <<EOF
daemon off; pid $work/nginx.pid; error_log $work/nginx.err; worker_processes 1;
events { worker_connections 2000; }
http {
    log_format bench '\$connection \$request_method \$uri \$server_protocol';
    access_log $work/access.log bench;
    client_body_temp_path $work/t1; proxy_temp_path $work/t2; fastcgi_temp_path $work/t3;
    uwsgi_temp_path $work/t4; scgi_temp_path $work/t5;
    ssl_certificate $work/tls.pem; ssl_certificate_key $work/tls.key; keepalive_requests 100000;
    upstream sandbox { server ${AURA_BASE_URL#http://}; keepalive 100; }
    server {
        listen 127.0.0.1:$port ssl; listen 127.0.0.1:$((port + 1)) ssl http2; server_name localhost;
        location / { proxy_pass http://sandbox; proxy_http_version 1.1; proxy_set_header Connection ""; }
    }
}
EOF
        nginx -c "$work/nginx.conf" 2>>"$work/nginx.err" &
        nginx_pid=$!
        h1=https://localhost:$port h2=https://localhost:$((port + 1))
        for ((tries = 0; tries < 100; tries++)); do
            curl -sS --cacert "$ca.pem" -o "$work/stdout" "$h2/_sandbox/state" 2>"$work/stderr" && return
            kill -0 "$nginx_pid" 2>/dev/null && sleep 0.05
        done
        stop_front
    done
    fail "nginx does not start: $(tail -n 3 "$work/nginx.err")"
    return 1
}

stop_front() {
    kill "$nginx_pid" && wait "$nginx_pid"
    nginx_pid=
} 2>/dev/null

# ---- what is measured ----

id=3fa29c1e

if part start; then
    begin_sandbox
    with "curl --version" curl --version
    with "halo -e ''" "$HALO" -e ''
    with "halo --version" "$HALO" --version
    with "lua5.4 -e ''" lua5.4 -e ''
    group "a start (halo -e '': at most curl --version)"
    stop_sandbox
fi

if part get; then
    begin_sandbox
    take_token
    with "curl alone" curl -sS -H @"$headers" "$url/$id"
    with halo "$HALO" -e "require 'aura'.get('$id')"
    with "halo get" "$HALO" get "$id"
    with "C, bare libcurl" env AURA_TOKEN="$token" "$BIN/floor" gets "$id" 1
    with "lua5.4, module" lua5.4 "$here/gets.lua" "$id" 1
    with "bash, curl, jq" bash -c 'curl -sS -H @"$headers" "$url/$1" | jq -r .data.status' - "$id"
    [ -z "${AURA_CLI:-}" ] || with aura-cli "$AURA_CLI" instance get "$id"
    group "one get, http, cached token"
    stop_sandbox
fi

# The system's store, with the certificate of the front added to it, in the place of the system's.
if part store; then
    begin_sandbox
    front && {
        cp -rL /etc/ssl/certs "$work/store"
        cat "$work/ca.pem" >>"$work/store/ca-certificates.crt"
        cp "$work/ca.pem" "$work/store/$(openssl x509 -hash -noout -in "$work/ca.pem").0"
        export AURA_BASE_URL=$h1 AURA_CA_FILE=$work/ca.pem
        take_token
        unset AURA_CA_FILE
        # shellcheck disable=SC2016 # for the other shell
        wrap=(unshare -rm sh -c 'mount --bind "$0" /etc/ssl/certs && exec "$@"' "$work/store")
        if "${wrap[@]}" true 2>"$work/stderr"; then
            with "curl alone" curl -sS -H @"$headers" "$url/$id"
            with halo "$HALO" -e "require 'aura'.get('$id')"
            with "halo get" "$HALO" get "$id"
            with "C, bare libcurl" env AURA_TOKEN="$token" "$BIN/floor" gets "$id" 1
            [ -z "${AURA_CLI:-}" ] || with aura-cli "$AURA_CLI" instance get "$id"
            group "one get, https, cached token, system's store"
        else
            say "skipped: no namespace of its own here: $(<"$work/stderr")"
        fi
        export AURA_CA_FILE=$work/ca.pem
        wrap=()
        with "curl alone" curl -sS --cacert "$work/ca.pem" -H @"$headers" "$url/$id"
        with halo "$HALO" -e "require 'aura'.get('$id')"
        with "C, bare libcurl" env AURA_TOKEN="$token" "$BIN/floor" gets "$id" 1
        group "one get, https, cached token, a CA file"
        unset AURA_CA_FILE
        stop_front
    }
    stop_sandbox
fi

if part sequential; then
    begin_sandbox
    take_token
    with "C, bare libcurl" "$BIN/floor" gets "$id" "$many"
    with halo "$HALO" --no-token-cache run "$here/gets.lua" "$id" "$many"
    with "lua5.4, module" lua5.4 "$here/gets.lua" "$id" "$many"
    with "curl alone" curl -sS -H @"$headers" "$url/$id?[1-$many]"
    with "bash, curl, jq" bash -c 'for ((i = 0; i < $2; i++)); do
        curl -sS -H @"$headers" "$url/$1" | jq -r .data.status; done' - "$id" "$many"
    # shellcheck disable=SC2016 # for the other shell
    [ -z "${AURA_CLI:-}" ] ||
        with aura-cli bash -c 'for ((i = 0; i < $3; i++)); do "$1" instance get "$2"; done' - "$AURA_CLI" "$id" "$many"
    group "$many gets, one after another (halo: at most 1.2x wall, 1.5x CPU of C; 1 connection)" $((rounds * 2))
    stop_sandbox
fi

if part latency; then
    begin_sandbox --latency 60
    take_token
    with halo "$HALO" --no-token-cache run "$here/concurrent.lua" "$id" "$many"
    with "halo, cached token" "$HALO" run "$here/concurrent.lua" "$id" "$many"
    with "curl -Z" curl -sSZ --parallel-max 8 -H @"$headers" "$url/$id?[1-$many]"
    group "$many gets at once, answers after 60 ms (halo: below 500 ms)"
    stop_sandbox
fi

if part http2; then
    begin_sandbox
    front && {
        export AURA_CA_FILE=$work/ca.pem
        for latency in 0 60; do
            [ $latency = 0 ] || { stop_front; stop_sandbox; begin_sandbox --latency 60; front; }
            gets=("$HALO" --no-token-cache run "$here/concurrent.lua" "$id" "$many")
            with "halo, HTTP/2" env AURA_BASE_URL="$h2" "${gets[@]}"
            with "halo, HTTP/1.1" env AURA_BASE_URL="$h1" "${gets[@]}"
            group "$many gets at once, https, answers after $latency ms (HTTP/2: 1 connection)"
        done
        unset AURA_CA_FILE
        stop_front
    }
    stop_sandbox
fi

if part pause; then
    begin_sandbox --speed $speed
    seed_many() {
        instances "$many"
        rm -rf "$work/none"
    }
    seed_many
    for ((n = 0; n < rounds; n += 3)); do # to learn from
        "$HALO" run "$here/pause.lua" "$many" 2>"$work/stderr" || fail "pause: $(<"$work/stderr")"
        seed_many
    done
    with "C, bare libcurl" "$BIN/floor" pause "$many" $lasts
    with "halo, $apart s apart" "$HALO" --no-token-cache run "$here/pause.lua" "$many" $apart
    with "halo, learned" "$HALO" run "$here/pause.lua" "$many"
    with "halo, first time" env XDG_STATE_HOME="$work/none" XDG_CACHE_HOME="$work/none" \
        "$HALO" --no-token-cache run "$here/pause.lua" "$many"
    with "lua5.4, module" lua5.4 "$here/pause.lua" "$many" $apart
    name="pause $many and wait, $lasts s each"
    group "$name (at most 1.15 times that, 100 ms CPU, 300 requests, 8 connections)" "" seed_many
    stop_sandbox
fi

# The share of a core and the memory of a process, over some seconds: "0.8 % of a core, 20.1 MB".
usage_of() { # PID SECONDS
    local hz before after
    hz=$(getconf CLK_TCK)
    before=$(awk '{ print $14 + $15 }' "/proc/$1/stat")
    sleep "$2"
    after=$(awk '{ print $14 + $15 }' "/proc/$1/stat")
    awk -v ticks=$((after - before)) -v s="$2" -v hz="$hz" \
        '/^VmHWM/ { printf "%.2f %% of a core, at most %.1f MB\n", 100 * ticks / hz / s, $2 / 1024 }' "/proc/$1/status"
}

if part growth; then
    begin_sandbox --speed $speed
    for n in $growth; do
        seed_growth() { instances "$n"; }
        seed_growth
        with "$n" "$HALO" --no-token-cache run "$here/list.lua"
        group "growth: list and get N" $(((rounds + 1) / 2))
        with "$n" "$HALO" run "$here/pause.lua" "$n"
        group "growth: pause N and wait" $(((rounds + 3) / 4)) seed_growth
    done
    stop_sandbox
fi

[ ! -e "$results" ] || "$HALO" run "$here/table.lua" "$results" "$out/growth.svg"

if part waiting; then
    begin_sandbox
    instances $waiters pausing
    "$HALO" run "$here/waiting.lua" $waiters >"$work/stdout" 2>"$work/stderr" &
    waiting=$!
    sleep $settled # the first looks are over
    printf '\n%d tasks wait, each looks every 20 s: %s\n' $waiters "$(usage_of $waiting $watched)"
    kill $waiting
    wait $waiting
    stop_sandbox
fi

if part sandbox; then
    begin_sandbox
    n=$((many * 50))
    ticks() { awk '{ print $14 + $15 }' "/proc/$sandbox_pid/stat"; }
    before=$(ticks)
    "$BIN/floor" gets "$id" "$n" || fail "the sandbox"
    awk -v n="$n" -v ticks=$(($(ticks) - before)) -v hz="$(getconf CLK_TCK)" 'BEGIN {
        printf "\nThe sandbox answers %d gets a second of CPU time (5000 are enough not to be what is measured)\n",
            n * hz / (ticks ? ticks : 1) }'
    stop_sandbox
fi

# instructions COMMAND N: instructions of one get more, (N gets - 1 get) / (N - 1), by where they are executed
instructions() {
    local n=$1 i
    shift
    for i in 1 "$n"; do
        valgrind --tool=callgrind --callgrind-out-file="$work/callgrind.$i" "$@" "$i" >"$work/stdout" 2>&1 ||
            fail "valgrind: $(tail -n 3 "$work/stdout")"
        callgrind_annotate --threshold=100 --show-percs=no "$work/callgrind.$i" >"$work/annotated.$i"
    done
    awk -v n="$n" -f "$here/instructions.awk" "$work/annotated.1" "$work/annotated.$n"
}

if part instructions; then
    begin_sandbox
    printf '\nInstructions of one get, without the start of the program\n'
    instructions $((many / 2 + 1)) "$HALO" --no-token-cache run "$here/gets.lua" "$id"
    printf 'of which a bare libcurl loop in C has\n'
    instructions $((many / 2 + 1)) "$BIN/floor" gets "$id"
    stop_sandbox
fi

part pace && "$BIN/pace"

if part host; then
    "$BIN/host"
    strip -o "$work/libhalo.so" "$BUILD"/libhalo.so
    echo "libhalo.so, stripped: $(($(stat -c %s "$work/libhalo.so") / 1024)) KB"
fi

if [ -n "$long" ] && part limit; then
    rate=125 begin_sandbox --speed $speed
    instances 100
    results=$out/limit.tsv
    with halo env AURA_RATE=125 "$HALO" --log "$work/calls" run "$here/pause.lua" 100
    group "pause 100 and wait at 125 requests a minute (at least 60000 ms)" 1
    "$HALO" run "$here/table.lua" "$results"
    printf 'answered with 429: %d\n' "$(grep -c '"status":429' "$work/calls")"
    stop_sandbox
fi

say "results: $out"
[ "$failures" = 0 ] || { say "$failures failed"; exit 1; }
