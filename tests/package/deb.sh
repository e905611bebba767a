# The Debian package that cpack makes: what it says, what it holds, and that what it holds runs.
# BUILD is the build directory.
. "$SRC/tests/e2e/lib.bash" || exit 1
run 0 cpack --config "$BUILD/CPackConfig.cmake" -B "$work/pack"
deb=$(echo pack/*.deb)
[ -f "$deb" ] || { fail "no package"; end; }

field() { dpkg-deb -f "$deb" "$1"; }
equal "name" "$(field Package)" halo
equal "version" "$(field Version)" "$("$HALO" --version | cut -d' ' -f2)"
equal "section" "$(field Section)" database
[[ "$(field Maintainer)" == *"<"*@*">" ]] || fail "maintainer: $(field Maintainer)"
[ "$(field Description | wc -l)" -gt 3 ] || fail "description: $(field Description)"
field Depends | tr ',' '\n' | sed 's/^ //; s/ .*//' | sort >depends
for name in ca-certificates libc6 libcurl4 libjansson4 liblua5.4-0 libssl3 lua-cjson; do
    grep -qE "^$name(t64)?$" depends || fail "does not depend on $name: $(paste -sd ' ' depends)"
done
# What the sandbox alone opens, by the name under which it opens it.
opened=$(grep -o 'dlopen("libmicrohttpd.so.[0-9]*' "$SRC/bindings/httpd.c" | grep -o '[0-9]*$')
equal "recommended" "$(field Recommends)" "libmicrohttpd$opened"
hasnt depends microhttpd

run 0 dpkg-deb -x "$deb" root
equal "owner" "$(dpkg-deb -c "$deb" | awk '{ print $2 }' | sort -u)" root/root
equal "files for all to read" "$(find root ! -type l ! -perm -444)" ""
equal "files for all to write" "$(find root ! -type l -perm /022)" ""
run 0 root/usr/bin/halo --version
run 0 root/usr/bin/halo --sandbox list
has out orders-prod
run 0 dpkg-deb -e "$deb" control
library=$(find root -name 'libhalo.so.?')
equal "the name of the library, for packages that use it" "$(cut -d'(' -f1 control/shlibs)" \
    "libhalo ${library##*.} halo "
end
