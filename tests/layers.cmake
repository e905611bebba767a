# Fails when a file reaches above its layer:  cmake -DROOT=source-dir -P tests/layers.cmake
cmake_minimum_required(VERSION 3.22)

# The layers, lowest first: a name stands for its .c and .h in host/, "bindings" for that directory.
# A file may include headers of ours from its own layer and from those below it, and, of foreign
# libraries, those after the "|" (C's and the system's headers are free).
set(LAYERS
  "err buf timers governor retry pace status baseurl |"
  "fs filelock userdir tokencache ratefile durations secret | openssl"
  "root |"
  "loop proxy | curl"
  "child turns |"
  "profile secretcommand |"
  "http     | curl"
  "answer   | jansson"
  "token    |"
  "client   |"
  "call     |"
  "watch    |"
  # ------------------------------- nothing before this line includes lua.h
  "host task sched coroutine runtime libraries world bounded pattern loader embedded bindings | lua openssl cjson jansson microhttpd"
  "halo run module | lua")

# These include halo.h and nothing else of ours, but for the program its own header. Everybody may
# include halo.h: it names the errors.
set(OUTSIDE host/main.c host/options.c host/options.h tests/embed/*.c tests/embed/*.cpp)

set(LIBRARIES
  "lua=^(lua|lauxlib|lualib|luaconf)\\.h" "cjson=^lua-cjson\\.h" "curl=^curl/"
  "jansson=^jansson\\.h" "microhttpd=^microhttpd\\.h" "openssl=^openssl/")

# A regular expression, and the files that alone may say it, comments aside.
set(ONLY_IN
  "lua_resume *\\(                                | host/sched.c host/coroutine.c"
  "curl_multi_(poll|wait|socket_action) *\\(      | host/loop.c"
  "[^a-z_.:](p?poll|p?select|epoll_p?wait) *\\(   | host/loop.c"
  "[^a-z_.:](sleep|usleep|nanosleep) *\\(         |"
  "[^a-z_.:](exit|abort) *\\(                     | host/main.c")

# A regular expression, and the files that may not say it, in any case of letters.
set(NEVER_IN
  "aura | host/http.c host/http.h host/loop.c host/loop.h host/fs.c host/fs.h host/buf.c host/buf.h")

set(failures 0)
macro(fail text)
  message("${text}")
  math(EXPR failures "${failures} + 1")
endmacro()

# "left | right words" -> left, and the list of right words
function(split_row row left right)
  string(REGEX MATCH "^(.*[^ ]) +\\| *(.*)$" _ "${row}")
  set(${left} "${CMAKE_MATCH_1}" PARENT_SCOPE)
  string(REPLACE " " ";" words "${CMAKE_MATCH_2}")
  set(${right} "${words}" PARENT_SCOPE)
endfunction()

# rank_NAME and libraries_RANK, from the table
set(rank 0)
foreach(row IN LISTS LAYERS)
  math(EXPR rank "${rank} + 1")
  split_row("${row}" names libraries_${rank})
  string(REPLACE " " ";" names "${names}")
  foreach(name IN LISTS names)
    set(rank_${name} ${rank})
  endforeach()
endforeach()

# The rank of a file; empty where the table does not name it.
function(rank_of file out)
  get_filename_component(name "${file}" NAME_WE)
  if(file MATCHES "^bindings/")
    set(name bindings)
  endif()
  set(${out} "${rank_${name}}" PARENT_SCOPE)
endfunction()

# The file of ours that an #include names; empty for a foreign header.
function(find_ours from header out)
  get_filename_component(dir ${from} DIRECTORY)
  string(REGEX REPLACE "^(\\.\\./)+" "" header ${header})
  set(${out} "" PARENT_SCOPE)
  foreach(place ${dir}/ host/ bindings/ host/include/ "")
    if(EXISTS ${ROOT}/${place}${header})
      set(${out} ${place}${header} PARENT_SCOPE)
      return()
    endif()
  endforeach()
endfunction()

function(includes_of file out)
  file(STRINGS ${ROOT}/${file} lines REGEX "^[ \t]*#[ \t]*include[ \t]*[<\"]")
  list(TRANSFORM lines REPLACE "^[^<\"]*[<\"]([^>\"]*).*$" "\\1")
  set(${out} "${lines}" PARENT_SCOPE)
endfunction()

function(check_layer file)
  rank_of(${file} own)
  if(NOT own)
    fail("${file}: has no layer yet: give it one in tests/layers.cmake")
  else()
    includes_of(${file} headers)
    foreach(header IN LISTS headers)
      find_ours(${file} ${header} ours)
      rank_of("${ours}" other)
      if(ours AND NOT ours STREQUAL "host/include/halo.h" AND (NOT other OR other GREATER own))
        fail("${file}: includes ${header}, which is above it")
      endif()
      foreach(library IN LISTS LIBRARIES)
        string(REGEX MATCH "^([a-z]+)=(.*)$" _ "${library}")
        if(header MATCHES "${CMAKE_MATCH_2}")
          string(REGEX REPLACE "=.*" "" library "${library}")
          if(NOT library IN_LIST libraries_${own})
            fail("${file}: includes ${header}, but its layer does without ${library}")
          endif()
        endif()
      endforeach()
    endforeach()
  endif()
  set(failures ${failures} PARENT_SCOPE)
endfunction()

file(GLOB files RELATIVE ${ROOT} ${ROOT}/host/*.[ch] ${ROOT}/bindings/*.[ch])
list(TRANSFORM OUTSIDE PREPEND ${ROOT}/)
file(GLOB outside RELATIVE ${ROOT} ${OUTSIDE})
if(NOT files OR NOT outside)
  fail("${ROOT} holds no sources")
endif()

foreach(file IN LISTS files)
  if(NOT file IN_LIST outside)
    check_layer(${file})
  endif()
  file(READ ${ROOT}/${file} text)
  string(REGEX REPLACE "/\\*([^*]|\\*+[^*/])*\\*+/" "" code "${text}")
  foreach(row IN LISTS ONLY_IN)
    split_row("${row}" regex allowed)
    if(code MATCHES "${regex}" AND NOT file IN_LIST allowed)
      string(STRIP "${CMAKE_MATCH_0}" said)
      fail("${file}: says ${said} (allowed: ${allowed})")
    endif()
  endforeach()
  string(TOLOWER "${text}" text)
  foreach(row IN LISTS NEVER_IN)
    split_row("${row}" regex forbidden)
    if(text MATCHES "${regex}" AND file IN_LIST forbidden)
      fail("${file}: says ${regex}")
    endif()
  endforeach()
endforeach()

foreach(file IN LISTS outside)
  includes_of(${file} headers)
  foreach(header IN LISTS headers)
    find_ours(${file} ${header} ours)
    if(ours AND NOT ours MATCHES "^host/(include/halo|options)\\.h$")
      fail("${file}: includes ${header}; halo.h has to do")
    endif()
  endforeach()
endforeach()

if(failures)
  message(FATAL_ERROR "${failures} reach above their layer")
endif()
