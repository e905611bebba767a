# One token for all processes of a user: the cache's files, who may use them, what happens to a token
# that the API refuses, and what is done without a cache.
. "$SRC/tests/e2e/lib.bash" || exit 1
. "$SRC/tests/e2e/parts.bash" || exit 1

cache=$HOME/.cache/halo
tokens() { requests "POST /oauth/token"; }
expire_tokens() { seed '{"expire_tokens":true}'; }
cached() { sed -n '2s/.* //p' "$cache"/*.token; }

# asked COUNT command ...: runs it, and it must have asked for so many tokens
asked() {
    local want=$1 before
    before=$(tokens)
    run 0 "${@:2}"
    equal "tokens asked for by: ${*:2}" "$(($(tokens) - before))" "$want"
}

# many COUNT: so many processes, eight at a time; each must succeed
many() {
    seq "$1" | xargs -P 8 -I '{}' sh -c '"$HALO" list --json >many.{} 2>&1 || cat many.{}' >failed
    equal "said by $1 processes" "$(cat failed)" ""
    equal "different answers" "$(cat many.* | sort -u | wc -l)" "$(sort -u many.1 | wc -l)"
}

test_many() {
    many 50
    equal "tokens for fifty processes" "$(tokens)" 1
    equal "their lists" "$(requests "GET /v1/instances$")" 50
    equal "mode of the directory" "$(stat -c %a "$cache")" 700
    equal "modes of the files" "$(stat -c %a "$cache"/* | sort -u)" 600
    equal "files" "$(find "$cache" -type f -printf '%f\n' | sed 's/.*[.]//' | sort | tr '\n' ' ')" "lock token "
    hasnt "$(echo "$cache"/*.token)" "$AURA_CLIENT_ID"
    asked 1 "$HALO" --no-token-cache list
    asked 0 "$HALO" -v list
    hasnt err "$(cached)"
    asked 0 "$HALO" -e "local aura = require 'aura' aura.auth{client_id = '$AURA_CLIENT_ID'} aura.list()"
}

# restart_sandbox: on the same port; it knows none of the tokens
restart_sandbox() {
    stop_sandbox
    "$HALO" sandbox --port "${AURA_BASE_URL##*:}" --speed 600 --switch rate=0,token_rate=0 >/dev/null &
    sandbox_pid=$!
    answers() { state . >/dev/null 2>&1; }
    poll answers || fail "the sandbox did not start again"
}

# A refused token is renewed once, for all: after it has ended, and after the service has lost it.
test_refused() {
    local old
    old=$(cached)
    expire_tokens
    many 20
    [ "$(cached)" != "$old" ] || fail "the refused token is still there"
    equal "tokens in all" "$(tokens)" 3
    restart_sandbox
    many 20
    equal "tokens asked of the new sandbox" "$(tokens)" 1
    asked 0 "$HALO" list
}

# Another secret does not profit from a token, nor does another client or service.
test_keys() {
    seed '{"clients":{"'"$AURA_CLIENT_ID"'":"changed","second":"s"}}'
    asked 1 env AURA_CLIENT_SECRET=changed "$HALO" list
    asked 0 env AURA_CLIENT_SECRET=changed "$HALO" list
    run 3 "$HALO" --no-token-cache list
    asked 1 env AURA_CLIENT_ID=second AURA_CLIENT_SECRET=s "$HALO" list
    asked 1 env AURA_BASE_URL="${AURA_BASE_URL/127.0.0.1/localhost}" AURA_CLIENT_SECRET=changed "$HALO" list
    asked 0 "$HALO" list    # its token lives on
    rm -r "$cache"
    export AURA_CLIENT_SECRET=changed
}

# A file that is not what halo wrote is not used, and replaced.
test_bad_files() {
    local file good
    asked 1 "$HALO" list
    file=$(echo "$cache"/*.token)
    good=$(<"$file")
    local now=${EPOCHREALTIME/./} line
    now=$((now / 1000))
    for line in "" garbage "halo token 2" "halo token 1" "halo token 1
$((now + 60000))" "halo token 1
$((now - 1000)) $(cached)" "halo token 1
$((now + 90000000)) $(cached)" "halo token 1
99999999999999999999999 $(cached)" "halo token 1
-1 x" "$good
$good" "${good/ eyJ/  eyJ}" "${good}$(printf '\r')"; do
        echo "$line" >"$file"
        asked 1 "$HALO" list
        equal "stderr with \"$line\"" "$(cat err)" ""
    done
    echo -n "$good" >"$file"    # torn
    asked 1 "$HALO" list
    printf 'halo token 1\n\0%s\n' "$good" >"$file"
    asked 1 "$HALO" list
    head -c 200000 /dev/zero >"$file"
    asked 1 "$HALO" list
    asked 0 "$HALO" list
}

# asked_once_warned TEXT: the token that is there is not used, with a warning, but replaced
asked_once_warned() {
    asked 1 "$HALO" list
    has err "warning: token cache: "
    has err "$1"
    asked 0 "$HALO" list
    equal "stderr" "$(cat err)" ""
}

test_foreign_files() {
    local file
    file=$(echo "$cache"/*.token)
    chmod 640 "$file"
    asked_once_warned "is open to other users"
    equal "mode of the new file" "$(stat -c %a "$file")" 600
    mv "$file" elsewhere
    cp elsewhere before
    ln -s "$PWD/elsewhere" "$file"
    asked_once_warned "is a symlink"
    [ ! -L "$file" ] || fail "the symlink is still there"
    cmp elsewhere before || fail "written through a symlink"
    mkfifo fifo
    mv fifo "$file"
    chmod 600 "$file"
    asked_once_warned "is not what halo made"
    if [ "$(id -u)" = 0 ]; then
        chown 65534 "$file"
        asked_once_warned "belongs to another user"
    fi
    rm "$cache"/*.lock    # also one that cannot be locked stops nobody
    ln -s "$PWD/elsewhere" "${file%.token}.lock"
    expire_tokens
    asked 1 "$HALO" list
    rm "${file%.token}.lock"
}

# unused TEXT: the directory is not used, with a warning; then it is as it was before
unused() {
    asked 1 "$HALO" list
    has err "warning: token cache: $cache "
    has err "$1"
    equal "files in it" "$(find "$cache/" -type f | wc -l)" 0
    asked 1 "$HALO" --no-token-cache list
    equal "stderr" "$(cat err)" ""
    rm -rf "$cache"
}

test_directories() {
    rm -r "$cache"
    mkdir -m 750 "$cache"
    unused "is open to other users"
    mkdir -m 700 real
    ln -s "$PWD/real" "$cache"
    unused "is a symlink"
    if [ "$(id -u)" = 0 ]; then
        mkdir -m 700 "$cache"
        chown 65534 "$cache"
        unused "belongs to another user"
    fi
    asked 1 env -u HOME "$HALO" list
    equal "stderr without HOME" "$(cat err)" ""
    asked 1 env HOME="$work/missing" "$HALO" list
    [ ! -e "$work/missing" ] || fail "a home was made"
    touch "$cache"
    asked 1 "$HALO" list
    equal "stderr with a file in its place" "$(cat err)" ""
    rm "$cache"
    asked 1 env XDG_CACHE_HOME=relative "$HALO" list    # as if it were not set
    [ ! -e relative ] || fail "a relative XDG_CACHE_HOME was used"
    asked 0 "$HALO" list
    asked 1 env XDG_CACHE_HOME="$work/xdg" "$HALO" list
    asked 0 env XDG_CACHE_HOME="$work/xdg" HOME=/dev/null "$HALO" list
    equal "modes" "$(stat -c %a "$work/xdg" "$work/xdg/halo" | tr '\n' ' ')" "700 700 "
    asked 1 env XDG_CACHE_HOME="$work/none" "$HALO" --no-token-cache list
    [ ! -e "$work/none" ] || fail "--no-token-cache made a directory"
}

# A process that fetches makes the others wait, until it dies.
test_lock() {
    local before holder
    expire_tokens
    before=$(tokens)
    curl -sS -o /dev/null "$AURA_BASE_URL/_sandbox/faults" -d '["POST /oauth/token hang x1"]'
    asking() { [ "$(tokens)" -gt "$before" ]; }
    "$HALO" list >/dev/null 2>&1 &
    holder=$!
    poll asking || fail "no token is asked for"
    "$HALO" list >out 2>err &
    pid=$!
    read -rt 0.5 <>"$never"
    [ -d "/proc/$pid" ] || fail "it did not wait: $(cat err)"
    equal "tokens asked for while another asks" "$(tokens)" $((before + 1))
    kill -9 "$holder"
    wait "$holder" 2>/dev/null
    ends 0
    equal "tokens asked for in the end" "$(tokens)" $((before + 2))
    asked 0 "$HALO" list
}

start_sandbox --speed 600 --switch rate=0,token_rate=0
for part in many refused keys bad_files foreign_files directories lock; do
    test_$part
done
end
