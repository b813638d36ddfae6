# SPDX-License-Identifier: Apache-2.0
# Each preset can be configured, built and tested by its name, and lands in build/NAME.
file(READ ${SOURCE}/CMakePresets.json text)

# names(KIND OUT): the presets of a kind that are not hidden.
function(names kind out)
  string(JSON count LENGTH "${text}" ${kind})
  math(EXPR last "${count} - 1")
  set(found)
  foreach(i RANGE ${last})
    string(JSON name GET "${text}" ${kind} ${i} name)
    string(JSON hidden ERROR_VARIABLE none GET "${text}" ${kind} ${i} hidden)
    if(NOT hidden STREQUAL "ON")
      list(APPEND found ${name})
    endif()
  endforeach()
  set(${out} "${found}" PARENT_SCOPE)
endfunction()

set(expected release debug asan tsan aarch64)
foreach(kind IN ITEMS configurePresets buildPresets testPresets)
  names(${kind} found)
  if(NOT found STREQUAL expected)
    message(FATAL_ERROR "CMakePresets.json: ${kind}: expected ${expected}, found ${found}")
  endif()
endforeach()

# CMake itself reads the file without complaint.
execute_process(COMMAND ${CMAKE_COMMAND} --list-presets=all WORKING_DIRECTORY ${SOURCE} RESULT_VARIABLE result OUTPUT_VARIABLE shown
  ERROR_VARIABLE shown)
if(result)
  message(FATAL_ERROR "cmake --list-presets: ${shown}")
endif()
message("${expected}")
