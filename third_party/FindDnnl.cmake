# SPDX-License-Identifier: Apache-2.0
# oneDNN 2.6 to 3.x: Dnnl::dnnl, Dnnl_VERSION. Its own package file asks for OpenCL's headers, which a CPU build does not need.
find_path(Dnnl_INCLUDE_DIR dnnl.hpp)
find_library(Dnnl_LIBRARY NAMES dnnl libdnnl.so.3 libdnnl.so.2)
mark_as_advanced(Dnnl_INCLUDE_DIR Dnnl_LIBRARY)

if(Dnnl_INCLUDE_DIR)
  # dnnl_version.h includes the real header from oneapi/dnnl.
  foreach(header dnnl_version.h oneapi/dnnl/dnnl_version.h)
    if(EXISTS ${Dnnl_INCLUDE_DIR}/${header})
      file(STRINGS ${Dnnl_INCLUDE_DIR}/${header} lines REGEX "#define DNNL_VERSION_(MAJOR|MINOR|PATCH) +[0-9]+")
      foreach(line IN LISTS lines)
        string(REGEX MATCH "(MAJOR|MINOR|PATCH) +([0-9]+)" unused "${line}")
        set(Dnnl_${CMAKE_MATCH_1} ${CMAKE_MATCH_2})
      endforeach()
    endif()
  endforeach()
  set(Dnnl_VERSION ${Dnnl_MAJOR}.${Dnnl_MINOR}.${Dnnl_PATCH})
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Dnnl REQUIRED_VARS Dnnl_LIBRARY Dnnl_INCLUDE_DIR VERSION_VAR Dnnl_VERSION)
if(Dnnl_FOUND AND NOT TARGET Dnnl::dnnl)
  add_library(Dnnl::dnnl UNKNOWN IMPORTED GLOBAL)
  set_target_properties(Dnnl::dnnl PROPERTIES
    IMPORTED_LOCATION ${Dnnl_LIBRARY} INTERFACE_INCLUDE_DIRECTORIES ${Dnnl_INCLUDE_DIR})
endif()
