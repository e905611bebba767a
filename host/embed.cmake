# Writes the C file that holds the Lua files (see embedded.h):
#   cmake -DROOT=source-dir -DLIST=file-with-one-name-a-line -DOUT=embedded.c -P embed.cmake
# The texts become byte arrays: C99 promises string literals of 4095 characters only.
cmake_minimum_required(VERSION 3.22)

file(STRINGS ${LIST} names)
list(SORT names)
list(LENGTH names count)

set(arrays "")
set(rows "")
set(number 0)
foreach(name IN LISTS names)
  file(READ ${ROOT}/${name} hex HEX)
  string(LENGTH "${hex}" digits)
  math(EXPR len "${digits} / 2")
  string(REGEX REPLACE "(................................)" "\\1\n" hex "${hex}")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," hex "${hex}")
  string(APPEND arrays "\nstatic const unsigned char file_${number}[] = {\n${hex}0x00};\n")
  string(APPEND rows "    { \"${name}\", (const char *)file_${number}, ${len} },\n")
  math(EXPR number "${number} + 1")
endforeach()

file(WRITE ${OUT} "/* Made by embed.cmake; edit the Lua files instead. */
#include \"embedded.h\"
${arrays}
const struct hl_embedded hl_embedded_files[] = {
${rows}    { 0, 0, 0 },
};
const size_t hl_embedded_count = ${count};
")
