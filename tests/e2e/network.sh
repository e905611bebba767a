# TLS and proxies: what is trusted, what goes through a proxy and what it sees, and that nothing is sent
# where something is wrong. The emulator stands behind a TLS front.
. "$SRC/tests/e2e/lib.bash" || exit 1
. "$SRC/tests/e2e/parts.bash" || exit 1
secret=s3cret.$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
password=pr0xy-pa55

state() { curl -sS "$plain/_sandbox/state" | jq -r "$1"; } # not by way of the front

# refused CODE TEXT HINT command ...: one message with both, and the service has received nothing
refused() {
    local before
    before=$(requests "oauth|v1/")
    run "$1" "${@:4}"
    has err "$2"
    has err "$3"
    equal "messages of: ${*:4}" "$(grep -c '^halo: ' err)" 1
    equal "requests that came of: ${*:4}" "$(requests "oauth|v1/")" "$before"
    hasnt err "$secret"
    hasnt err "$password"
}

# once LOG command ...: makes one connection
once() {
    local before
    before=$(connections "$1")
    "${@:2}"
    equal "connections of: ${*:2}" "$(($(connections "$1") - before))" 1
}

test_tls() {
    local good expired self skip="halo never skips the check"
    tls_front front && good=$port
    tls_front expired && expired=$port
    tls_front self && self=$port
    export AURA_BASE_URL=https://localhost:$good
    once front.log refused 3 "certificate" "--cacert or AURA_CA_FILE; $skip" "$HALO" list
    run 0 "$HALO" --cacert ca.pem list
    run 0 env AURA_CA_FILE=ca.pem "$HALO" list
    run 0 env AURA_CA_FILE=self.pem "$HALO" --cacert ca.pem list    # the option wins
    once front.log refused 3 certificate "$skip" env AURA_CA_FILE=ca.pem "$HALO" --cacert self.pem list
    rm -r "$HOME/.cache"    # no token is there: it is not asked for
    local token
    for token in "" "a token is there"; do
        once self.log refused 3 "self-signed certificate" "$skip" \
            env AURA_BASE_URL="https://localhost:$self" "$HALO" --cacert ca.pem list
        once expired.log refused 3 "certificate has expired" "clock of this machine" \
            env AURA_BASE_URL="https://localhost:$expired" "$HALO" --cacert ca.pem list
        once front.log refused 3 "no alternative certificate subject name matches target host name '127.0.0.1'" \
            "is for another host: check AURA_BASE_URL" \
            env AURA_BASE_URL="https://127.0.0.1:$good" "$HALO" --cacert ca.pem list
        # A change that was not sent is not ambiguous.
        once expired.log refused 3 "transport" "clock" \
            env AURA_BASE_URL="https://localhost:$expired" "$HALO" --cacert ca.pem pause 3fa29c1e
        run 0 "$HALO" --cacert ca.pem list
    done
    # Files that are none.
    echo text >text.pem
    : >empty.pem
    refused 2 "cannot read the CA file missing.pem: No such file" "" "$HALO" --cacert missing.pem list
    refused 2 "cannot read the CA file $work: Is a directory" "" env AURA_CA_FILE="$work" "$HALO" list
    refused 2 "cannot read the CA file empty.pem: it is empty" "" "$HALO" --cacert empty.pem list
    refused 3 "text.pem" "--cacert" "$HALO" --cacert text.pem list
    refused 2 "--cacert needs a value" "" "$HALO" --cacert
    # TLS is never left out.
    refused 3 "" "" env AURA_BASE_URL="https://localhost:${plain##*:}" "$HALO" list
}

# start_proxy LINE ...: tinyproxy, seen through a socat that keeps all it is sent; sets $proxy to host:port
start_proxy() {
    local at log=$work/tinyproxy.log
    rm -f "$log"
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        at=$((20000 + RANDOM))
        printf '%s\n' "Port $at" "Listen 127.0.0.1" "LogFile \"$log\"" "LogLevel Info" "$@" >proxy.conf
        tinyproxy -d -c proxy.conf >proxy.out 2>&1 &
        proxy_pid=$!
        up() { grep -qs "Accepting connections" "$log" || ended "$proxy_pid"; }
        poll up
        ended "$proxy_pid" || break
    done
    listens seen.log TCP-LISTEN:0,bind=127.0.0.1,fork "TCP:127.0.0.1:$at" -v
    proxy=127.0.0.1:$port
}

# through COUNT command ...: succeeds, and connects so many times to the proxy
through() {
    local before
    before=$(grep -c "CONNECT localhost:" seen.log)
    run 0 "${@:2}"
    equal "tunnels of: ${*:2}" "$(($(grep -c "CONNECT localhost:" seen.log) - before))" "$1"
}

test_proxy() {
    local front variable value hint="no_proxy names hosts that are reached without it"
    tls_front front && front=$port
    start_proxy "BasicAuth user $password" "ConnectPort $front" "ConnectPort 1"
    export AURA_BASE_URL=https://localhost:$front AURA_CA_FILE=$work/ca.pem
    rm -rf "$HOME/.cache"
    for variable in https_proxy HTTPS_PROXY all_proxy ALL_PROXY; do
        through 1 env $variable="http://user:$password@$proxy" "$HALO" -v --log "log.$variable" list
        hasnt err "$password"
        hasnt "log.$variable" "$password"
    done
    through 1 env https_proxy= HTTPS_PROXY="http://user:$password@$proxy" "$HALO" --no-token-cache list
    # What it sees and keeps.
    local token
    token=$(sed -n '2s/.* //p' "$HOME"/.cache/halo/*.token)
    [ ${#token} -gt 20 ] || fail "no token"
    has seen.log "$(printf 'user:%s' "$password" | base64 -w0)"    # so a secret would be seen in it
    for value in "$secret" "$token" "$(printf '%s:%s' "$AURA_CLIENT_ID" "$secret" | base64 -w0)" oauth v1/instances; do
        hasnt seen.log "$value"
        hasnt tinyproxy.log "$value"
    done
    # Not for hosts in no_proxy, and not for plain http to this machine.
    export https_proxy=http://user:$password@127.0.0.1:1
    for variable in no_proxy NO_PROXY; do
        through 0 env $variable=example.com,localhost "$HALO" list
        through 0 env $variable='*' "$HALO" list
    done
    through 0 env http_proxy="http://127.0.0.1:1" ALL_PROXY="http://127.0.0.1:1" AURA_BASE_URL="$plain" "$HALO" list

    # One that refuses, or is not there: no request was sent, so a change may be sent again.
    cat >once.lua <<'LUA'
local ok, err = pcall(require "aura".pause, "3fa29c1e", { retry = arg[1] == "again" })
print(err.kind, err.attempts)
error(err)
LUA
    for token in "a token is there" ""; do
        https_proxy=http://$proxy refused 3 "through the proxy $proxy: CONNECT tunnel failed, response 407" \
            "the proxy wants a user and a password" "$HALO" list
        https_proxy=http://user:$password-wrong@$proxy refused 3 "through the proxy $proxy: CONNECT tunnel failed" \
            "$hint" "$HALO" run once.lua again
        has out $'transport\t1'
        https_proxy=http://user:$password@$proxy AURA_BASE_URL=https://localhost:2 \
            refused 3 "through the proxy $proxy: CONNECT tunnel failed, response 403" "$hint" "$HALO" list
        refused 3 "through the proxy 127.0.0.1:1: Failed to connect" "$hint" "$HALO" run once.lua
        https_proxy=http://user:$password@proxy.invalid:8080 \
            refused 3 "through the proxy proxy.invalid:8080: Could not resolve" "$hint" "$HALO" run once.lua
        https_proxy="http://user:$password/x@$proxy" refused 3 "https_proxy is not a URL" "$hint" "$HALO" run once.lua
        https_proxy="odd://user:$password@$proxy" refused 3 "Unsupported proxy" "$hint" "$HALO" run once.lua
        rm -rf "$HOME/.cache"
    done
    run 0 env AURA_BASE_URL="$plain" "$HALO" list
    tls_front expired
    https_proxy=http://user:$password@$proxy AURA_BASE_URL=https://localhost:$port \
        refused 3 "through the proxy $proxy: CONNECT tunnel failed, response 403" "$hint" "$HALO" list
    unset https_proxy
}

start_sandbox --speed 600 --switch rate=0,token_rate=0
plain=$AURA_BASE_URL
export AURA_CLIENT_ID=client-of-the-network AURA_CLIENT_SECRET=$secret
seed "{\"clients\":{\"$AURA_CLIENT_ID\":\"$secret\"}}"
certificates
for part in tls proxy; do
    AURA_BASE_URL=$plain
    test_$part
done
end
