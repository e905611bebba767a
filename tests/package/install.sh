# Installs what was built, and builds and runs the program of the README with it in every way that an
# engineer may choose. BUILD is the build directory, CC the compiler.
. "$SRC/tests/e2e/lib.bash" || exit 1
start_sandbox --demo

run 0 cmake --install "$BUILD" --prefix "$work/prefix"
files=$(cd prefix && find . ! -type d | sed 's#lib/[^/]*-linux-gnu[^/]*/#lib/#')
for file in bin/halo include/halo.h lib/libhalo.a lib/libhalo.so lib/pkgconfig/halo.pc \
    lib/cmake/halo/halo-config.cmake share/halo/meta/aura.lua share/doc/halo/copyright; do
    grep -qx "./$file" <<<"$files" || fail "$file is not installed"
done
run 0 prefix/bin/halo list
has out orders-prod

awk '/^## In your own program/ { here = 1 } here && /^```$/ { exit } inside { print } here && /^```c$/ { inside = 1 }' \
    "$SRC/README.md" >names.c
grep -q halo_open names.c || fail "found no program in the README"

# works PROGRAM WANT: it lists the instances, and loads libhalo.so or (WANT empty) does not
works() {
    run 0 "$1"
    equal "$1: what it lists" "$(jq -r '.[].name' out | sort | head -1)" billing-archive
    equal "$1: libhalo" "$(ldd "$1" | grep -o 'libhalo\.so\.[0-9]*' | head -1)" "$2"
    if [ -n "$2" ]; then equal "where it is" "$(ldd "$1" | grep -o "$work/.*/libhalo")" "$libdir/libhalo"; fi
}

libdir=$(dirname "$(find "$work/prefix" -name libhalo.a)")
soname=$(basename "$(find "$libdir" -name 'libhalo.so.?')")
export PKG_CONFIG_PATH=$libdir/pkgconfig LD_LIBRARY_PATH=$libdir
flags="-Wall -Wextra -Wpedantic -Werror"

# shellcheck disable=SC2046,SC2086 # flags are words
run 0 $CC $flags names.c -o shared $(pkg-config --cflags --libs halo)
works ./shared "$soname"
equal "version" "$(pkg-config --modversion halo)" "$("$HALO" --version | cut -d' ' -f2)"

# find_package, for both libraries
mkdir consumer
cat >consumer/CMakeLists.txt <<'EOF'
cmake_minimum_required(VERSION 3.22)
project(consumer LANGUAGES C)
find_package(halo 0.1 REQUIRED)
foreach(target halo halo_static)
  add_executable(by_${target} ../names.c)
  target_link_libraries(by_${target} PRIVATE halo::${target})
endforeach()
EOF
run 0 cmake -S consumer -B consumer/build -DCMAKE_PREFIX_PATH="$work/prefix" -DCMAKE_C_COMPILER="$CC"
run 0 cmake --build consumer/build
works consumer/build/by_halo "$soname"
works consumer/build/by_halo_static ""

# pkg-config --static, where only the static library is; and the whole moved elsewhere
mkdir elsewhere
mv prefix elsewhere/moved
libdir=${libdir/prefix/elsewhere\/moved}
export PKG_CONFIG_PATH=$libdir/pkgconfig LD_LIBRARY_PATH=$libdir
# shellcheck disable=SC2046,SC2086
run 0 $CC $flags names.c -o moved $(pkg-config --cflags --libs halo)
works ./moved "$soname"
rm "$libdir"/libhalo.so*
# shellcheck disable=SC2046,SC2086
run 0 $CC $flags names.c -o static $(pkg-config --static --cflags --libs halo)
works ./static ""
end
