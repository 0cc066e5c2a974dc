# Both libraries as a package: find_package(headrace CONFIG), headrace::headrace and headrace::c.
# Nothing in it is an absolute path, so that the folder can be moved.
include(CMakePackageConfigHelpers)

set(config_dir "${CMAKE_INSTALL_LIBDIR}/cmake/headrace")

if(HEADRACE_VERSIONED_NAMES)
  file(STRINGS include/headrace.h abi_line REGEX "^#define HEADRACE_ABI_VERSION [0-9]+$")
  string(REGEX REPLACE "[^0-9]" "" abi_version "${abi_line}")
  set_target_properties(headrace_c PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION ${abi_version})
  set_target_properties(headrace PROPERTIES
    VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
endif()
if(BUILD_SHARED_LIBS)
  set(beside "$<IF:$<PLATFORM_ID:Darwin>,@loader_path,$ORIGIN>")
  set_target_properties(headrace_c PROPERTIES INSTALL_RPATH "${beside}")
endif()

install(TARGETS headrace headrace_c EXPORT headrace
  RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}"
  LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}"
  ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}")
install(DIRECTORY include/ DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(EXPORT headrace NAMESPACE headrace:: FILE headraceTargets.cmake DESTINATION "${config_dir}")
configure_package_config_file(headraceConfig.cmake.in headraceConfig.cmake
  INSTALL_DESTINATION "${config_dir}")
# Below 1.0 a minor version may change the interface.
write_basic_package_version_file("${CMAKE_CURRENT_BINARY_DIR}/headraceConfigVersion.cmake"
  COMPATIBILITY SameMinorVersion)
install(FILES
  "${CMAKE_CURRENT_BINARY_DIR}/headraceConfig.cmake"
  "${CMAKE_CURRENT_BINARY_DIR}/headraceConfigVersion.cmake"
  DESTINATION "${config_dir}")
