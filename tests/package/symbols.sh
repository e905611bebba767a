# symbols.sh HALO.H LIBHALO.SO LIBHALO.A: what the libraries define and what they use of others.
set -u
header=$1 shared=$2 static=$3
failures=0

# same WHAT WANT GOT: lists of words; says which are in one of them only
same() {
    local only
    only=$(diff <(tr ' ' '\n' <<<"$2" | sort) <(tr ' ' '\n' <<<"$3" | sort) | grep '^[<>] .')
    [ -z "$only" ] && return
    printf '%s (<: missing, >: too many):\n%s\n' "$1" "$only"
    failures=$((failures + 1))
}

names() { awk '{ print $NF }' | sort -u | paste -sd ' '; }

# Exactly what halo.h declares is exported.
declared=$(tr '\n' ' ' <"$header" | grep -oP 'HALO_EXPORT [^(]*?\Khalo_\w+(?=\()' | names)
[ "$(wc -w <<<"$declared")" -ge 19 ] || { echo "found few functions in $header: $declared"; exit 1; }
same "exported by the shared library" "$declared" "$(nm -D --defined-only "$shared" | names)"

# The static library keeps to its prefixes.
same "names outside halo_ and hl_" "" \
    "$(nm -g --defined-only "$static" | awk 'NF == 3 && $3 !~ /^(halo|hl)_/ { print $3 }' | names)"

# No global state: these are addresses that nobody writes to, and the once of curl_global_init.
same "variables" "HOST LOAD RESUMER START WAIT global_once" \
    "$(objdump -t "$static" | grep -E ' O \.(data|bss)\b' | grep -v '\.data\.rel\.ro' | names)"

# Nothing is printed, no signal handler is set, the process does not end, and nothing that belongs to
# the whole process is changed.
used=$(nm -u "$static" | grep -owE '(__)?(v?printf|v?fprintf|puts|putchar|perror|psignal|stdout|stderr|_?exit|_Exit|abort|assert_fail|assert_perror_fail|quick_exit|atexit|raise|signal|sigaction|bsd_signal|sysv_signal|sigprocmask|pthread_sigmask|alarm|setitimer|setlocale|(un)?setenv|putenv|clearenv|chdir|fchdir|umask|s?rand(om)?|strtok|localtime|gmtime|ctime|asctime|getpwuid|getpwnam|curl_global_cleanup|curl_global_init)(_chk)?')
same "functions that concern the whole process" "curl_global_init" "$(names <<<"$used")"

soname=$(readelf -d "$shared" | grep -oP 'SONAME.*\[\K[^]]+')
major=$(grep -oP '#define HALO_VERSION "\K[0-9]+' "$header")
[ "$soname" = "libhalo.so.$major" ] || { echo "SONAME is $soname"; failures=$((failures + 1)); }

[ "$failures" = 0 ] && echo "all passed"
