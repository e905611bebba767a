# Two outputs of callgrind_annotate, of 1 and of n times the same: what one time more takes, by place.
function place(where) {
    if (where ~ /host\/(http|loop)\.c|libcurl|libnghttp2/)
        return where ~ /host\// ? "transport (host/http.c, loop.c)" : "libcurl"
    if (where ~ /bindings\//)
        return "bindings"
    if (where ~ /host\//)
        return "client and scheduler (host/)"
    if (where ~ /tests\/bench\//)
        return "the loop itself"
    if (where ~ /cjson|jansson/)
        return "JSON (cjson, jansson)"
    if (where ~ /liblua|lua5/)
        return "Lua"
    return "libc and the rest"
}
FNR == 1 { file++ }
/^ *[0-9,]+ +[^ ]+:/ {
    count = $1
    gsub(",", "", count)
    sum[place($0)] += file == 1 ? -count : count
    total += file == 1 ? -count : count
}
END {
    for (p in sum)
        printf "  %-34s %8d\n", p, sum[p] / (n - 1) | "sort -k1,1"
    close("sort -k1,1")
    printf "  %-34s %8d\n", "all", total / (n - 1)
}
