# Where secrets are: every byte that a broad set of commands leaves, on the screen, in files and in the list of
# processes, is searched for every password, token and client secret there was.
. "$SRC/tests/e2e/lib.bash" || exit 1
. "$SRC/tests/e2e/parts.bash" || exit 1
pro=3fa29c1e vdc=a4406e1d critical=b8e2f5a6
client=unique-$RANDOM$RANDOM
secret=Zs3cret.$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
wrong=Zwr0ng.$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
new_one=(--type professional-db --cloud-provider aws --region us-east-1 --memory 2GB --storage 4GB
    --tenant-id 6b1f0c52-8d0a-4c7e-9a53-0f7c1d2e3b44)
export XDG_CACHE_HOME=$work/seen/cache XDG_CONFIG_HOME=$work/seen/config TMPDIR=$work/seen/tmp
seen=$work/seen      # everything that halo writes is in here; what the test itself writes is elsewhere
mkdir -p "$seen/tmp" "$seen/said" "$XDG_CONFIG_HOME/halo/profiles"
chmod 700 "$XDG_CONFIG_HOME/halo/profiles"
known=$work/known
cd "$seen" || exit 1
: >"$known"

# What other users of the machine see of processes, as often as it can be looked at.
look() {
    local file
    while [ ! -e "$work/enough" ]; do
        for file in /proc/[0-9]*; do
            [ "$file/exe" -ef "$HALO" ] && tr '\0' ' ' <"$file/cmdline" && cat "$file/comm"
        done >>"$seen/cmdlines" 2>/dev/null
        ps -eo args | grep -F "$HALO" >>"$seen/ps"
        read -rt 0.05 <>"$never"
    done
}

# learn: the passwords and tokens there are by now; both end, so this is done again and again
learn() {
    state '.instances[].password // empty | "password " + .' >>"$known"
    sed -sn '2s/.* /token /p' "$XDG_CACHE_HOME"/halo/*.token >>"$known" 2>/dev/null
}

# say NAME CODE command ...: what it says is kept
commands=0
say() {
    local name=$1 want=$2
    shift 2
    commands=$((commands + 1))
    "$@" >"said/$name.out" 2>"said/$name.err" </dev/null
    local got=$?
    [ "$want" = any ] || equal "exit code of $name" "$got" "$want" || tail -3 "said/$name.err"
    learn
}

faults() {
    curl -sS -o "$work/answer" "$AURA_BASE_URL/_sandbox/faults" -d "$1"
}
clear_faults() { faults '{"clear":true}'; }

# caught FAULT NAME CODE command ...: one command while something is wrong
caught() {
    faults "[\"$1\"]"
    say "${@:2}"
    clear_faults
}

# profile NAME LINE ...: of these lines
profile() {
    (umask 077; printf '%s\n' "client_id = \"$client\"" "${@:2}" >"$XDG_CONFIG_HOME/halo/profiles/$1")
}

start_sandbox --speed 600 --switch rate=0,token_rate=0
seed "{\"clients\":{\"$client\":\"$secret\"}}"
export AURA_CLIENT_ID=$client AURA_CLIENT_SECRET=$secret
look &
looking=$!

# What works.
printf 'DZV1 dump' >orders.backup
say list 0 "$HALO" -v --log log.list list
say json 0 "$HALO" --json get $pro
say own-token 0 "$HALO" -v --log log.own --no-token-cache list
say dry 0 "$HALO" --dry-run -v migrate $pro --dump orders.backup
say migrate 0 "$HALO" --yes -v --log log.migrate migrate $pro --dump orders.backup --work-dir moved
say finished 0 "$HALO" --yes -v --json migrate $pro --work-dir moved
say vdc 0 "$HALO" --yes --json -v migrate $vdc --no-dump --work-dir moved-vdc
say runs 0 "$HALO" runs .
say runs-json 0 "$HALO" --json runs .
say create 0 "$HALO" -v --log log.create create --name first "${new_one[@]}" --work-dir first
say create-json 0 "$HALO" -v --json create --name second "${new_one[@]}" --work-dir second
say snapshot 0 "$HALO" -v snapshot $critical --interval 0.1
say resize 0 "$HALO" -v --log log.resize resize "$(jq -r .data.id first/create-response.json)" --memory 4GB --storage 8GB
say delete 0 "$HALO" --yes -v --log log.delete delete "$(jq -r .data.id first/create-response.json)"

# Profiles: the secret in it, in a file that its command shows, and from a command that fails.
profile plain "client_secret = \"$secret\"" "base_url = \"$AURA_BASE_URL\""
(umask 077; echo "$secret" >"$work/kept")
profile command "secret_command = \"cat $work/kept\""
profile fails "secret_command = \"cat $work/kept; echo no more >&2; exit 3\""    # its stderr is its own affair
for name in plain command; do
    say "profile-$name" 0 env -u AURA_CLIENT_ID -u AURA_CLIENT_SECRET "$HALO" -v --log "log.$name" --profile $name list
done
say profile-fails any env -u AURA_CLIENT_ID -u AURA_CLIENT_SECRET "$HALO" -v --log log.fails --profile fails list
profile open "client_secret = \"$secret\""
chmod 644 "$XDG_CONFIG_HOME/halo/profiles/open"
say profile-open 2 "$HALO" -v --profile open list
rm "$XDG_CONFIG_HOME/halo/profiles/open"

# What is refused.
say wrong 3 env AURA_CLIENT_SECRET="$wrong" "$HALO" -v --log log.wrong list
say wrong-migrate 3 env AURA_CLIENT_SECRET="$wrong" "$HALO" --yes -v migrate $critical --no-dump --work-dir wrong
say wrong-id 3 env AURA_CLIENT_ID=nobody "$HALO" -v --log log.nobody list
for answer in 401 403 401:html 403:html 500:truncated 502:html; do
    caught "GET /v1/instances $answer" "list-$answer" any timeout -k 5 0.5 "$HALO" -v --log "log.$answer" list
    caught "POST /oauth/token $answer" "token-$answer" any timeout -k 5 0.5 "$HALO" -v --no-token-cache list
done
caught "POST /oauth/token cut x1" token-cut any "$HALO" -v --log log.token-cut --no-token-cache list
caught "GET /v1/instances 302:location=http://127.0.0.1:9/x x1" redirect 3 "$HALO" -v --log log.redirect list
caught "GET /v1/instances expire x1" expired 0 "$HALO" -v --log log.expired list

# A creation whose answer is cut, lost, too long, too late or for which there is no place.
n=0
for fault in cut lost length deep=50 huge=1 200:acted:html 201:acted:truncated 500:acted; do
    n=$((n + 1))
    caught "POST /v1/instances $fault x1" "create-$n" any timeout -k 5 20 "$HALO" -v --log "log.create-$n" create \
        --name "cut-$n" "${new_one[@]}" --work-dir "cut-$n"
done
caught "POST /v1/instances cut x1" migrate-cut 0 "$HALO" --yes -v --log log.migrate-cut migrate $critical --no-dump \
    --work-dir moved-cut
mkdir full
ln -s /dev/full full/create-response.json
say full any "$HALO" -v create --name third "${new_one[@]}" --work-dir full

# A script of one's own, whose steps have secrets in their results, and which shows what it should not.
cat >own.lua <<'LUA'
local aura, run, ui = require "aura", require "run", require "ui"
return {
    summary = "Create one.", effect = "change", args = {},
    run = function()
        local job = run.open(nil, {})
        job:step("create", { settle = function() return { again = true } end }, function()
            return aura.create { name = "own", type = "professional-db", cloud_provider = "aws", region = "us-east-1",
                memory = "2GB", storage = "4GB", tenant_id = "6b1f0c52-8d0a-4c7e-9a53-0f7c1d2e3b44" }
        end)
        local ok, err = pcall(job.finish, job, { password = "x" })
        ui.say(tostring(ok) .. tostring(err))
        error(setmetatable({ kind = "script" }, { __tostring = function() return "ends badly" end }))
    end,
}
LUA
say own any "$HALO" -v --log log.own-script run own.lua --work-dir own

# Killed in the middle.
seed '{"instances":[{"id":"badc0de0","type":"professional-db","status":"running","name":"killed"}]}'
faults '["POST /v1/instances drip=3 x1"]'
"$HALO" --yes -v --log log.killed migrate badc0de0 --no-dump --work-dir killed >said/killed.out 2>said/killed.err &
pid=$!
answering() { [ "$(state '[.instances[] | select(.name == "killed" and .id != "badc0de0")] | length')" = 1 ]; }
poll answering || fail "nothing is created to be killed in: $(cat said/killed.err)"
kill -9 "$pid"
wait "$pid" 2>/dev/null
clear_faults
learn
say continued 0 "$HALO" --yes -v --log log.killed migrate badc0de0 --work-dir killed

# What a server says cannot drive a terminal.
esc=$(printf '\033')
seed '{"instances":[{"id":"e5ce5ce5","type":"professional-db","status":"running",
    "name":"evil\u001b[2J\u001b]0;owned\u0007\nroot# \u009b31m\r\u202e\u007f"}]}'
say evil-list 0 "$HALO" -v --log log.evil list
say evil-get 0 "$HALO" -v get e5ce5ce5
say evil-json 0 "$HALO" --json get e5ce5ce5
say evil-dry any "$HALO" --dry-run -v migrate e5ce5ce5 --no-dump
say evil-name 2 "$HALO" --yes -v migrate e5ce5ce5 --no-dump --work-dir evil-name
say evil-tame 6 "$HALO" -v migrate e5ce5ce5 --no-dump --work-dir evil --name tame
say evil-question 6 "$HALO" delete e5ce5ce5
say evil-delete any "$HALO" --yes -v delete e5ce5ce5
caught 'GET /v1/instances/** 400:reason=a\u001b[31mb' evil-reason 3 "$HALO" -v get $pro
caught 'GET /v1/instances/* status=x\u001b[31mb' evil-status any "$HALO" -v get $pro

kill -0 "$looking" || fail "nobody looks at the processes"
: >"$work/enough"
wait "$looking"
[ -s cmdlines ] || fail "no command line was seen"
grep -q "halo.*migrate" cmdlines || fail "no migration was seen among the processes"

# Control characters: none on any screen; the only bytes outside of ASCII allowed are whole UTF-8 text.
controls=$(printf '[\001-\010\013-\037\177]')
for file in said/* log.* evil*/migration-summary.txt; do
    [ -e "$file" ] || continue
    LC_ALL=C grep -q "$controls" "$file" && fail "a control character in $file: $(LC_ALL=C grep -m1 "$controls" "$file" | cat -v)"
    LC_ALL=C grep -qF "$(printf '\302\233')" "$file" && fail "a C1 control character in $file"
    grep -q "^root# " "$file" && fail "a line of the server's own in $file"
done
hasnt said/evil-list.out "$esc"

# Each secret, in every file there is.
grep -aho '"password":"[A-Za-z0-9_-]\{12,\}' moved-cut/create-response*.json | sed 's/.*"/password /' >>"$known"    # a lost one
sort -u "$known" -o "$known"
passwords=$(grep -c ^password "$known")
tokens=$(grep -c ^token "$known")
[ "$passwords" -ge 15 ] || fail "only $passwords passwords are known"
[ "$tokens" -ge 3 ] || fail "only $tokens tokens are known"

# holders TEXT: the files that have it
holders() {
    find . -type f -exec grep -lF -e "$1" {} + | sort
}
# A secret is found in other forms too: as base64 in an Authorization line, and per cent encoded.
for text in "$secret" "$wrong" "$(printf %s "$client:$secret" | base64 -w0)" "$(printf %s "$client:$wrong" | base64 -w0)"; do
    for file in $(holders "$text"); do
        [ "$file" = ./config/halo/profiles/plain ] || fail "a client secret is in $file"
    done
done
while read -r kind text; do
    for file in $(holders "$text"); do
        case $kind:$file in
        token:./cache/halo/*.token) ;;
        password:./tmp/halo-*/create-response.json) ;;
        password:./*/create-response*.json) ;;
        password:./own/secret-create.json) ;;
        *) fail "a $kind is in $file" ;;
        esac
        equal "mode of $file" "$(stat -c %a "$file")" 600
    done
done <"$known"
# Nor tokens that were never in the cache: they are JWTs.
equal "files with tokens" "$(holders eyJ | grep -v '^./cache/halo/[^/]*[.]token$')" ""
# Pieces of them: a cut answer must not show what it had of a password.
while read -r kind text; do
    holders "${text: -16}" | grep -vE '/(create-response[^/]*|secret-create)[.]json$|[.]token$' |
        sed "s/^/FAILED: the end of a $kind is in /"
done <"$known" >"$work/pieces"
[ ! -s "$work/pieces" ] || fail "$(sort -u "$work/pieces")"

# Modes of all that halo made, but for the file of --log: no secret is in it, its mode is the umask's.
find . -type f \( -path './cache/*' -o -path './moved*/*' -o -path './killed/*' -o -path './own/*' -o -path './evil/*' \
    -o -path './tmp/*' -o -path './cut-*/*' -o -path './first/*' -o -path './second/*' \) \
    ! -name '*.backup' ! -perm 600 -printf '%m %p\n' >"$work/modes"
find ./cache/halo ./first ./second ./cut-* ./moved* ./killed ./own ./evil ./tmp -mindepth 0 -type d ! -path ./tmp ! -perm 700 -printf '%m %p\n' >>"$work/modes"
equal "files and directories with other modes" "$(cat "$work/modes")" ""
equal "left in the way" "$(find . -name '*.tmp')" ""
echo "$commands commands, $passwords passwords, $tokens tokens, $(find . -type f | wc -l) files, $(wc -l <cmdlines) command lines"
end
