# SPDX-License-Identifier: Apache-2.0
# xsimd 8.1 to 14, headers only: Xsimd::xsimd, Xsimd_VERSION. Debian 12's own package file links a library that it does not ship.
find_path(Xsimd_INCLUDE_DIR xsimd/xsimd.hpp)
mark_as_advanced(Xsimd_INCLUDE_DIR)
if(Xsimd_INCLUDE_DIR)
  file(STRINGS ${Xsimd_INCLUDE_DIR}/xsimd/config/xsimd_config.hpp lines REGEX "#define XSIMD_VERSION_(MAJOR|MINOR|PATCH) +[0-9]+")
  foreach(line IN LISTS lines)
    string(REGEX MATCH "(MAJOR|MINOR|PATCH) +([0-9]+)" unused "${line}")
    set(Xsimd_${CMAKE_MATCH_1} ${CMAKE_MATCH_2})
  endforeach()
  set(Xsimd_VERSION ${Xsimd_MAJOR}.${Xsimd_MINOR}.${Xsimd_PATCH})
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Xsimd REQUIRED_VARS Xsimd_INCLUDE_DIR VERSION_VAR Xsimd_VERSION)
if(Xsimd_FOUND AND NOT TARGET Xsimd::xsimd)
  add_library(Xsimd::xsimd INTERFACE IMPORTED GLOBAL)
  set_target_properties(Xsimd::xsimd PROPERTIES INTERFACE_INCLUDE_DIRECTORIES ${Xsimd_INCLUDE_DIR})
endif()
