# SPDX-License-Identifier: Apache-2.0
# stb_image.h, a single header: Stb::image, to be included as <stb_image.h>.
find_path(Stb_INCLUDE_DIR stb_image.h PATH_SUFFIXES stb)
mark_as_advanced(Stb_INCLUDE_DIR)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Stb REQUIRED_VARS Stb_INCLUDE_DIR)
if(Stb_FOUND AND NOT TARGET Stb::image)
  add_library(Stb::image INTERFACE IMPORTED GLOBAL)
  set_target_properties(Stb::image PROPERTIES INTERFACE_INCLUDE_DIRECTORIES ${Stb_INCLUDE_DIR})
endif()
