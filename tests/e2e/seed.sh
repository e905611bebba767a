# The proof that the sandbox is real: the runbook's own shell commands complete the migration against
# it. Only the host name is replaced; its `sleep 20` is as much faster as the sandbox is.
. "$(dirname "$0")/lib.bash"
seed=$SRC/tests/e2e/seed
speed=100

commands() {
    sed "s#https://api\.neo4j\.io#$AURA_BASE_URL#g" "$seed/$1.txt"
}
fast_sleep="sleep() { command sleep \$(awk \"BEGIN { print \$1 / $speed }\"); }"

# answer CODE: runs curl commands with -i added and takes the status of their answers
answers() {
    bash -c "curl() { command curl -i \"\$@\"; }; $1" | grep -ao 'HTTP/1.1 [0-9]*' | cut -d' ' -f2 | tr '\n' ' '
}

start_sandbox --speed $speed
source_id=$INSTANCE_ID
export WORK_DIR=$work/migration
mkdir "$WORK_DIR"
config=$(state ".instances[] | select(.id == \"$source_id\")")
before=$(state '.instances | length')

{ echo "$fast_sleep"; commands migrate; } >migrate.sh
echo dump >"$WORK_DIR/$source_id.dump"
echo YES | timeout 120 bash migrate.sh >migrate.out 2>&1
equal "exit code of the runbook" $? 0
has migrate.out "Instance confirmed deleted (404 Not Found)."
has migrate.out "New instance is running."
has migrate.out "Configuration Comparison"
hasnt migrate.out MISMATCH
new_id=$(jq -r .data.id "$WORK_DIR/create-response.json")
[[ $new_id =~ ^[0-9a-f]{8}$ ]] || fail "no id in create-response.json"
equal "number of instances" "$(state '.instances | length')" "$before"
equal "status of the new one" "$(state ".instances[] | select(.id == \"$new_id\").status")" running
for field in name type region cloud_provider memory storage; do
    equal "$field" "$(state ".instances[] | select(.id == \"$new_id\").$field")" "$(jq -r ".$field" <<<"$config")"
done
equal "password" "$(jq -r .data.password "$WORK_DIR/create-response.json")" \
    "$(state ".instances[] | select(.id == \"$new_id\").password")"
for file in instance-config.json new-instance-config.json; do
    jq -e .data.id "$WORK_DIR/$file" >/dev/null || fail "$file is no instance"
done
has "$WORK_DIR/migration-summary.txt" "New Instance ID:  $new_id"

# its resizes, pause and resume
export INSTANCE_ID=$new_id
token() {
    curl -sS --user "$AURA_CLIENT_ID:$AURA_CLIENT_SECRET" -d grant_type=client_credentials \
        "$AURA_BASE_URL/oauth/token" | jq -er .access_token
}
AURA_TOKEN=$(token)
export AURA_TOKEN
equal "answers to its three resizes in a row" "$(answers "$(commands resize)")" "202 409 409 "
"$HALO" wait "$new_id" running --quiet >/dev/null 2>&1
equal "answer to its pause, which says no Content-Type" "$(answers "$(commands pause)")" "415 "
stop_sandbox

start_sandbox --speed $speed --lenient
AURA_TOKEN=$(token)
equal "answer to its pause, leniently" "$(answers "$(commands pause)")" "202 "
"$HALO" wait "$INSTANCE_ID" paused >/dev/null 2>&1
equal "answer to its resume, leniently" "$(answers "$(commands resume)")" "202 "
"$HALO" wait "$INSTANCE_ID" running >/dev/null 2>&1
equal "status in the end" "$(state ".instances[] | select(.id == \"$INSTANCE_ID\").status")" running
end
