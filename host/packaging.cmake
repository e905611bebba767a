# What `cmake --install` puts in place, and the Debian package that `cpack` makes of it.
include(CMakePackageConfigHelpers)

set_target_properties(libhalo PROPERTIES EXPORT_NAME halo)
set_target_properties(libhalo_static PROPERTIES EXPORT_NAME halo_static)
install(TARGETS halo)
install(TARGETS libhalo libhalo_static EXPORT halo)
install(FILES host/include/halo.h TYPE INCLUDE)
install(TARGETS aura LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/lua/5.4)
install(DIRECTORY stdlib/meta DESTINATION ${CMAKE_INSTALL_DATADIR}/halo)
install(FILES README.md TYPE DOC)
install(FILES LICENSE TYPE DOC RENAME copyright)

# find_package(halo): halo::halo and halo::halo_static
set(cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/halo)
set(HALO_REQUIRES "${LUA_MODULE_NAME} lua5.4-cjson libcurl libcrypto jansson")
install(EXPORT halo NAMESPACE halo:: FILE halo-targets.cmake DESTINATION ${cmake_dir})
file(CONFIGURE OUTPUT halo-config.cmake @ONLY CONTENT [[
include(${CMAKE_CURRENT_LIST_DIR}/halo-targets.cmake)
# Only halo::halo_static needs the libraries that halo is made of.
find_package(Threads QUIET)
find_package(PkgConfig QUIET)
if(PkgConfig_FOUND AND NOT TARGET PkgConfig::HALO_DEPS)
  pkg_check_modules(HALO_DEPS QUIET IMPORTED_TARGET GLOBAL @HALO_REQUIRES@)
endif()
]])
write_basic_package_version_file(halo-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/halo-config.cmake ${PROJECT_BINARY_DIR}/halo-config-version.cmake
        DESTINATION ${cmake_dir})

# pkg-config. The libraries behind a static libhalo are named here, not required: their own .pc files
# list what only a fully static program needs, and users of the shared library need none of them.
set(libs ${LUA_LDFLAGS} ${DEPS_LDFLAGS})
list(REMOVE_DUPLICATES libs)
list(JOIN libs " " libs)
file(RELATIVE_PATH up "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/") # works wherever it is moved
file(CONFIGURE OUTPUT halo.pc @ONLY CONTENT "prefix=\${pcfiledir}/@up@
libdir=\${prefix}/@CMAKE_INSTALL_LIBDIR@
includedir=\${prefix}/@CMAKE_INSTALL_INCLUDEDIR@

Name: halo
Description: Lua scripts that drive the Neo4j Aura API
Version: @PROJECT_VERSION@
Libs: -L\${libdir} -lhalo
Libs.private: @libs@ -lm -pthread
Cflags: -I\${includedir}
")
install(FILES ${PROJECT_BINARY_DIR}/halo.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

# cpack: halo_VERSION_ARCH.deb
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_CONTACT "the halo maintainers <maintainers@halo.invalid>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "Lua scripts that drive the Neo4j Aura API")
set(CPACK_PACKAGE_DESCRIPTION
"halo runs Lua scripts in which the calls of the Neo4j Aura API are native and wait
without blocking. It ships the migration of an instance (capture, dump, delete,
create again, verify), resizing, pausing and more as scripts that operators read
and edit, and an emulator of the API to try them on.
.
This package holds the program, the C library and its header.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION database)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
# Beside what is linked: the certificates that every call of the real API is checked against. The
# library that the sandbox opens when it starts is recommended: all else does without it.
set(CPACK_DEBIAN_PACKAGE_DEPENDS ca-certificates)
if(HALO_SANDBOX)
  set(CPACK_DEBIAN_PACKAGE_RECOMMENDS libmicrohttpd12)
endif()
set(CPACK_DEBIAN_PACKAGE_SUGGESTS awscli) # halo migrate --s3
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS_POLICY >=)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
include(CPack)
