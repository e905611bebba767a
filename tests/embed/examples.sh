# The examples beside this file, each against a sandbox. EMBED is where they were built; PYTHON and
# LIBHALO are there where the one in Python can run.
. "$SRC/tests/e2e/lib.bash" || exit 1
. "$SRC/tests/e2e/parts.bash" || exit 1
start_sandbox --demo --speed 600

run 0 "$EMBED/embed_native_module"
equal "what the script made of the module" "$(cat out)" '{"orders-prod":"sales"}'

if [ -n "${PYTHON:-}" ]; then
    run 0 "$PYTHON" "$SRC/tests/embed/ctypes_list.py" "$LIBHALO"
    has out "3fa29c1e orders-prod running"
    has out 'denied: the script declares the effect "destroy", but may only "read" here'
fi

run 0 "$EMBED/embed_blocking" get '{"instance":"3fa29c1e"}'
equal "a result" "$(jq -r .name out)" orders-prod
run 3 "$EMBED/embed_blocking" get '{"instance":"ffffffff"}'
equal "an error" "$(jq -r '.kind, .op, .id, .status, .reason' out | paste -sd ' ')" \
    "not_found get ffffffff 404 db-not-found"
run 2 "$EMBED/embed_blocking" get '{"instants":"3fa29c1e"}'
equal "wrong arguments" "$(jq -r .kind out)" usage
run 6 "$EMBED/embed_blocking" delete '{"instance":"3fa29c1e"}'
has err "Type YES to go on"

run 0 "$EMBED/embed_wrapper"
equal "two scripts at once" "$(paste -sd ' ' out)" 'counting "pausing" 6'
poll eval '[ "$(of 3fa29c1e status)" = paused ]' # so that the next one may pause it again
run 0 "$HALO" resume 3fa29c1e

run 0 "$EMBED/embed_epoll"
equal "three hosts" "$(grep -o '"status":"[a-z]*"' out | paste -sd ' ')" \
    '"status":"paused" "status":"paused" "status":"running"'

# Each event has the members that halo.h lists.
run 0 "$EMBED/embed_events" migrate '{"instance":"3fa29c1e"}'
cat >shapes <<'EOF'
event attempt method ms path request_id status time
event instance ms previous status
event name seconds state step: done
event name state step: started
EOF
equal "the members of events" "$(jq -r '(keys_unsorted | .[:1] + (.[1:] | sort) | join(" ")) +
    if .state then ": " + .state else "" end' out | sort -u)" "$(cat shapes)"
equal "steps" "$(jq -r 'select(.state == "done").step' out | paste -sd ' ')" "$(
    jq -r 'select(.state == "started").step' out | paste -sd ' ')"
# How many there are depends on how often it looked; each says what the one before it said.
equal "statuses" "$(jq -rs '[.[] | select(.event == "status")] | group_by(.instance)[] |
    (if [.[].previous] == [""] + [.[:-1][].status] then "" else "broken chain, " end) + .[-1].status' out |
    sort | paste -sd ' ')" "deleted running"
equal "a deletion" "$(jq -r 'select(.method == "DELETE") | .path, .status, .attempt' out | paste -sd ' ')" \
    "/v1/instances/3fa29c1e 202 1"
end
