# SPDX-License-Identifier: Apache-2.0
# Installing: libvitesse, its two headers, the package files for find_package(vitesse) and pkg-config, and the programs.
include(CMakePackageConfigHelpers)

set(vit_api_dir ${CMAKE_CURRENT_LIST_DIR})
set(vit_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/vitesse)

install(TARGETS vitesse EXPORT vitesse-targets
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
  INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(FILES ${vit_api_dir}/vit.h ${vit_api_dir}/vit.hpp DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/vit)

install(EXPORT vitesse-targets NAMESPACE vitesse:: DESTINATION ${vit_package_dir})
configure_package_config_file(${vit_api_dir}/vitesse-config.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/vitesse-config.cmake
  INSTALL_DESTINATION ${vit_package_dir})
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/vitesse-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/vitesse-config.cmake ${CMAKE_CURRENT_BINARY_DIR}/vitesse-config-version.cmake
  DESTINATION ${vit_package_dir})

# The tree may be moved as a whole, unless a folder was given as an absolute path.
set(PC_PREFIX ${CMAKE_INSTALL_PREFIX})
if(NOT IS_ABSOLUTE ${CMAKE_INSTALL_LIBDIR})
  file(RELATIVE_PATH up /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
  set(PC_PREFIX "\${pcfiledir}/${up}")
endif()
foreach(dir LIBDIR INCLUDEDIR)
  set(PC_${dir} ${CMAKE_INSTALL_${dir}})
  if(NOT IS_ABSOLUTE ${PC_${dir}})
    string(PREPEND PC_${dir} "\${prefix}/")
  endif()
endforeach()
configure_file(${vit_api_dir}/vitesse.pc.in ${CMAKE_CURRENT_BINARY_DIR}/vitesse.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/vitesse.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

foreach(program vit-infer vit-bench)
  if(TARGET ${program})
    file(RELATIVE_PATH libdir_from_bin /${CMAKE_INSTALL_BINDIR} /${CMAKE_INSTALL_LIBDIR})
    set_target_properties(${program} PROPERTIES INSTALL_RPATH "$ORIGIN/${libdir_from_bin}")
    install(TARGETS ${program} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  endif()
endforeach()
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
