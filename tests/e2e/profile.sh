# Credentials from a profile: its file, its command, what comes first, and that nothing of it is shown.
. "$SRC/tests/e2e/lib.bash" || exit 1
. "$SRC/tests/e2e/parts.bash" || exit 1

profiles=$HOME/.config/halo/profiles
secret=s3cret-of-a-profile

# profile NAME: from stdin, mode 0600
profile() {
    rm -f "$profiles/$1"
    (umask 077 && cat >"$profiles/$1")
}

# refuses TEXT: no request is sent, the reason is said and the secret is not
refuses() {
    local before
    before=$(requests "oauth|v1/")
    run 2 "$HALO" --profile prod list
    has err "$1"
    hasnt err "$secret"
    hasnt err "profile: "
    equal "requests sent for: $1" "$(requests "oauth|v1/")" "$before"
}

# with LINES TEXT: a profile of these lines is refused with this
with() {
    echo "$1" | profile prod
    refuses "$2"
}

test_use() {
    local url=$AURA_BASE_URL
    unset AURA_CLIENT_ID AURA_CLIENT_SECRET
    export AURA_BASE_URL=http://127.0.0.1:9
    profile prod <<END
# the sandbox
client_id = "prod"
  client_secret="$secret"   # in quotes

base_url	=	"$url"
rate = "0"
END
    printf 'client_id = "prod"\r\nsecret_command = "echo %s; echo more; echo noise >&2"\r\nbase_url = "%s"' \
        "$secret" "$url" | profile command
    for name in prod command; do
        run 0 "$HALO" --profile $name list
        run 0 env HALO_PROFILE=$name "$HALO" -v list
        hasnt err "$secret"
        run 0 env HALO_PROFILE=$name AURA_CLIENT_ID=x AURA_CLIENT_SECRET=y "$HALO" list
        run 0 env HALO_PROFILE=missing "$HALO" --profile $name list
        run 0 env HALO_PROFILE=missing "$HALO" -e "
            local prod = require('aura').auth{profile = '$name'}
            assert(#prod:list() > 0)"
    done
    # Under --sandbox no profile is read: whatever names one can be rehearsed.
    run 0 env HALO_PROFILE=missing "$HALO" --sandbox list
    run 0 "$HALO" --sandbox --profile prod -e "require('aura').auth{profile = 'prod'}:delete('3fa29c1e')" --yes
    run 3 "$HALO" --profile prod get ffffffff
    export AURA_BASE_URL=$url
    run 0 "$HALO" --profile prod get 3fa29c1e
    run 2 "$HALO" --profile prod -e "require('aura').auth{profile = 'prod', client_id = 'x'}"
    has err "not both"
    # In quotes only these two can be escaped.
    seed '{"clients":{"odd":"a\"b\\c # d"}}'
    profile odd <<<'client_id = "odd"
client_secret = "a\"b\\c # d"'
    run 0 "$HALO" --profile odd list
}

test_refused_files() {
    run 2 "$HALO" --profile missing list
    has err "profile missing: cannot read $profiles/missing: No such file or directory"
    for name in ../prod "" . .hidden a/b "a b" "$(printf 'x%.0s' {1..65})"; do
        run 2 "$HALO" --profile "$name" list
        has err "a profile's name has"
    done
    for mode in 640 604 620 660 601 644; do
        chmod $mode "$profiles/prod"
        refuses "chmod 600 '$profiles/prod'"
    done
    chmod 400 "$profiles/prod"
    run 0 "$HALO" --profile prod list
    if [ "$(id -u)" = 0 ]; then
        chown 65534 "$profiles/prod"
        refuses "belongs to another user"
    fi
    rm -f "$profiles/prod"
    mkdir "$profiles/prod"
    refuses "is not a small file"
    rmdir "$profiles/prod"
    (umask 077; mkfifo "$profiles/prod")
    refuses "is not a small file"
    rm "$profiles/prod"
    ln -s command "$profiles/prod"    # as dotfile managers do
    run 0 "$HALO" --profile prod list
    rm "$profiles/prod"
}

test_refused_lines() {
    local id='client_id = "prod"' key="client_secret = \"$secret\""
    with "$id" "needs either client_secret or secret_command"
    with "$key" "has no client_id"
    with "$id
$key
secret_command = \"echo\"" "needs either"
    with "$id

client_sceret = \"$secret\"" "line 3: unknown key; known are: client_id"
    with "$secret" 'line 1: expected key = "value"'
    with "$secret==" "line 1: unknown key"
    with "export client_secret=\"$secret\"" "line 1: expected"
    with "$id
client_secret = $secret" "line 2: the value must stand in double quotes"
    with "$id
client_secret = \"$secret" "line 2: the closing quote is missing"
    with "client_secret = \"$secret\\" "line 1: only"
    with "client_secret = \"\\n$secret\"" "line 1: only"
    with "$key x" "line 1: something follows the value"
    with "$key
$key" "line 2: the key is given twice"
    with 'client_id = ""' "line 1: the value is empty"
    with "client_id = \"a$(printf '\t')b\"" "line 1: the value holds a control character"
    with "$id
$key
rate = \"fast\"" "rate must be a number"
    with "$id
$key
rate = \"-1\"" "rate must be a number"
    with "$id
$key
base_url = \"http://example.com\"" "plain http is only allowed to loopback"
    printf '%s\n\0%s\n' "$id" "$key" | profile prod
    refuses "is not text"
    head -c 70000 /dev/zero | tr '\0' '#' | profile prod
    refuses "is not a small file"
}

test_refused_commands() {
    local id='client_id = "prod"
secret_command = '
    with "$id\"echo $secret; exit 3\"" "secret_command failed with exit code 3"
    with "$id\"true\"" "printed nothing"
    with "$id\"echo; echo $secret\"" "printed nothing in its first line"
    with "$id\"kill -9 \$\$\"" "was ended by signal 9"
    with "$id\"yes $secret\"" "printed more than 64 KB"
    with "$id\"/missing/program 2>/dev/null\"" "failed with exit code 127"
    # It has our stdin, so that it can ask.
    echo "$id\"read -r line; echo \\\"\$line\\\"\"" | profile prod
    "$HALO" --profile prod list >out 2>err <<<"$secret"
    equal "exit code of one that asks" $? 0
    # What it leaves behind is not waited for.
    mkfifo end
    echo "$id\"cat '$PWD/end' & echo $secret\"" | profile prod
    run 0 "$HALO" --profile prod list
    timeout 5 sh -c ': >end' || fail "it did not live on"
}

mkdir -p "$profiles"
start_sandbox --speed 600 --switch rate=0,token_rate=0
seed '{"clients":{"prod":"'$secret'"}}'
for part in use refused_files refused_lines refused_commands; do
    test_$part
done
end
