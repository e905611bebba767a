# What halo learns of how long operations take, and what it does with it.
. "$SRC/tests/e2e/lib.bash" || exit 1
. "$SRC/tests/e2e/parts.bash" || exit 1
pro=3fa29c1e
known=$HOME/.local/state/halo
looks() { requests "^GET /v1/instances/"; }

# pauses COUNT: with an operation that never ends, so many looks are taken within three seconds
pauses() {
    local before
    seed "{\"instances\":[{\"id\":\"$pro\",\"status\":\"running\"}]}"
    before=$(looks)
    run 4 "$HALO" "${options[@]}" pause $pro --timeout 3
    equal "looks${options[*]:+ with ${options[*]}}" "$(($(looks) - before))" "$1"
}

own_sandbox --fault 'POST ** stuck'
options=()
pauses 5    # before the pause, at once, after 1 and 2.5 s, and at the end
equal "what is known of something that did not end" "$(cat "$known"/*.durations 2>&1 | grep -c pausing)" 0

curl -sS -o "$work/cleared" "$AURA_BASE_URL/_sandbox/faults" -d '{"clear":true}'
for id in b8e2f5a6 a4406e1d; do
    run 0 "$HALO" pause $id
    run 0 "$HALO" resume $id
done
equal "kinds" "$(sed -n '2,$s/\t.*//p' "$known"/*.durations | sort | tr '\n' ',')" \
    "pausing business-critical 16GB,pausing enterprise-db 32GB,resuming business-critical 16GB,resuming enterprise-db 32GB,"
equal "modes" "$(stat -c %a "$known" "$known"/*.durations | tr '\n' ' ')" "700 600 "

# A pause that is known to take long is not looked at before that.
curl -sS -o "$work/added" "$AURA_BASE_URL/_sandbox/faults" -d '["POST ** stuck"]'
printf 'pausing professional-db 8GB\t900 950 1000 990 1010 980\n' >>"$(echo "$known"/*.durations)"
pauses 3    # before the pause, at once and at the end
options=(--no-token-cache)
pauses 5    # of one that is on its own
stop_sandbox
run 0 env XDG_STATE_HOME="$work/state" "$HALO" --sandbox pause $pro
[ ! -e "$work/state" ] || fail "halo --sandbox has left something: $(find "$work/state")"
end
