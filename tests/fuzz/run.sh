#!/usr/bin/env bash
# run.sh FUZZ_PROGRAM SECONDS [TARGET...]: every corpus once, then new inputs for that long in all,
# two targets at a time. What it finds is left in the current directory, with the output of its target.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
program=$(realpath "$1") seconds=$2
shift 2
if [ $# = 0 ]; then mapfile -t targets < <(ls "$here/corpus"); else targets=("$@"); fi
each=$((seconds * 2 / ${#targets[@]}))
[ $each -gt 0 ] || each=1

fuzz() { # TARGET
    local work corpus="$here/corpus/$1" options=(-max_total_time="$each" -max_len=4096 -timeout=10 -rss_limit_mb=1024
        -print_final_stats=1 -verbosity=0 -artifact_prefix="$1-")
    work=$(mktemp -d)
    [ ! -e "$here/$1.dict" ] || options+=(-dict="$here/$1.dict")
    [ "$1" != options ] || options+=(-close_fd_mask=3) # it says what is wrong with each of them
    if ! FUZZ=$1 "$program" "${options[@]}" "$work" "$corpus" >"$1.log" 2>&1; then
        rm -r "$work"
        cat "$1.log" >&2
        return 1
    fi
    rm -r "$work"
    printf '%-12s%10d inputs\n' "$1" "$(sed -n 's/^stat::number_of_executed_units: *//p' "$1.log")"
    rm "$1.log"
}
export -f fuzz
export here program each
printf '%s\n' "${targets[@]}" | xargs -P 2 -I{} bash -euo pipefail -c 'fuzz {}'
