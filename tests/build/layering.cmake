# SPDX-License-Identifier: Apache-2.0
# Includes point down only: tools, tests -> runtime -> ops -> quant -> ops/core. One front door per dependency.

# Layers, the longest prefix first, and how high each stands.
set(layers ops/core/ 0 assets/ 0 quant/ 1 ops/ 2 runtime/ 3 tools/ 4 tests/ 4)
# What an include in angle brackets begins with | which files may name it.
set(doors
  "dnnl|ops/onednn/" "oneapi/|ops/onednn/"
  "xsimd/|ops/kernels/" "arm_neon.h|ops/kernels/" "immintrin.h|ops/kernels/,ops/core/" "x86intrin.h|ops/kernels/" "emmintrin.h|ops/kernels/"
  "cpuid.h|ops/core/" "omp.h|ops/core/team.cc,ops/onednn/"
  "stb_|runtime/image/" "jpeglib.h|runtime/image/" "jerror.h|runtime/image/" "png.h|runtime/image/" "webp/|runtime/image/"
  "nlohmann/|runtime/io/json.h,tools/" "CLI/|tools/" "catch2/|tests/catch.h,tests/catch_main.h")

set(wrong 0)
function(complain)
  message("${ARGV}")
  math(EXPR wrong "${wrong} + 1")
  set(wrong ${wrong} PARENT_SCOPE)
endfunction()

# height(PATH OUT): the layer's height; empty outside the layers.
function(height path out)
  set(${out} "" PARENT_SCOPE)
  set(rest ${layers})
  while(rest)
    list(POP_FRONT rest prefix value)
    string(FIND ${path} ${prefix} at)
    if(at EQUAL 0)
      set(${out} ${value} PARENT_SCOPE)
      return()
    endif()
  endwhile()
endfunction()

function(check_own file header)
  height(${file} from)
  height(${header} to)
  if(to STREQUAL "")
    complain("${file}: \"${header}\": expected a path from the root of the project")
  elseif(to GREATER from)
    complain("${file}: includes ${header}, which stands above it")
  elseif(header MATCHES "-inl\\.h$" AND NOT file MATCHES "^ops/kernels/")
    complain("${file}: includes ${header}, which belongs to the kernels")
  elseif(file MATCHES "^tools/" AND NOT header MATCHES "^(tools/|assets/|runtime/api/)")
    complain("${file}: includes ${header}; programs use the public interface alone")
  elseif(file MATCHES "^assets/" AND NOT header MATCHES "^assets/")
    complain("${file}: includes ${header}; assets need nothing")
  endif()
  set(wrong ${wrong} PARENT_SCOPE)
endfunction()

function(check_foreign file header)
  foreach(door IN LISTS doors)
    string(REGEX MATCH "^([^|]*)\\|(.*)$" unused "${door}")
    string(FIND "${header}" "${CMAKE_MATCH_1}" at)
    string(REPLACE "," ";" allowed "${CMAKE_MATCH_2}")
    if(at EQUAL 0)
      set(inside FALSE)
      foreach(prefix IN LISTS allowed)
        string(FIND "${file}" "${prefix}" begins)
        if(begins EQUAL 0)
          set(inside TRUE)
        endif()
      endforeach()
      if(NOT inside)
        list(JOIN allowed " and " allowed)
        complain("${file}: includes <${header}>, which only ${allowed} may")
      endif()
    endif()
  endforeach()
  set(wrong ${wrong} PARENT_SCOPE)
endfunction()

set(count 0)
foreach(folder IN ITEMS assets ops quant runtime tests tools)
  file(GLOB_RECURSE files RELATIVE ${SOURCE} ${SOURCE}/${folder}/*.h ${SOURCE}/${folder}/*.hpp ${SOURCE}/${folder}/*.cc
    ${SOURCE}/${folder}/*.c ${SOURCE}/${folder}/*.inc)
  list(FILTER files EXCLUDE REGEX "^tests/consumer/")  # stands outside on purpose
  foreach(file IN LISTS files)
    file(STRINGS ${SOURCE}/${file} includes REGEX "^[ \t]*#[ \t]*include")
    foreach(line IN LISTS includes)
      math(EXPR count "${count} + 1")
      if(line MATCHES "include[ \t]*\"([^\"]*)\"")
        set(header ${CMAKE_MATCH_1})
        get_filename_component(dir ${file} DIRECTORY)
        if(file MATCHES "^runtime/api/vit\\.hpp$" AND EXISTS ${SOURCE}/${dir}/${header})
          set(header ${dir}/${header})  # the installed headers stand side by side
        endif()
        check_own(${file} ${header})
      elseif(line MATCHES "include[ \t]*<([^>]*)>")
        check_foreign(${file} ${CMAKE_MATCH_1})
      endif()
    endforeach()
  endforeach()
endforeach()

if(count LESS 100)
  message(FATAL_ERROR "only ${count} includes were found: this test looks at the wrong place")
endif()
if(wrong)
  message(FATAL_ERROR "${wrong} of ${count} includes are in the wrong place")
endif()
message("${count} includes point down")
