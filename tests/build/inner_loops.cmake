# SPDX-License-Identifier: Apache-2.0
# A tile is only as fast as its inner loop: every multiplication that a step needs, few loads, no store. A compiler that keeps the sums in
# memory, as GCC 12 does without -fno-tree-pre, costs a factor of three and changes no result, so no other test would see it.
#
# SETS: "NAME=OBJECT|..."
string(REPLACE "|" ";" SETS "${SETS}")
find_program(AWK NAMES mawk gawk awk)
if(NOT AWK OR NOT OBJDUMP)
  message("SKIPPED: awk or objdump is not there")
  return()
endif()
set(wrong FALSE)
set(checked 0)

# A tile's function in an object: `each` multiplications a step, with at most `loads` loads, and no store or so many.
function(check set tile multiply each loads)
  set(most_stores 0)
  if(ARGN)
    set(most_stores ${ARGN})
  endif()
  set(object)
  foreach(entry IN LISTS SETS)
    if(entry MATCHES "^${set}=(.*)$")
      set(object ${CMAKE_MATCH_1})
    endif()
  endforeach()
  if(NOT object)
    return()
  endif()
  execute_process(COMMAND ${OBJDUMP} -d -C --no-show-raw-insn ${object}
    COMMAND ${AWK} -v multiply=${multiply} -v tile=${tile} -f ${CMAKE_CURRENT_LIST_DIR}/inner_loop.awk OUTPUT_VARIABLE found)
  if(NOT found MATCHES ": ([0-9]+) ([0-9]+) ([0-9]+)\n")
    message("${set}: ${tile}: no loop with ${multiply} was found")
    set(wrong TRUE PARENT_SCOPE)
    return()
  endif()
  set(multiplies ${CMAKE_MATCH_1})
  set(found_loads ${CMAKE_MATCH_2})
  set(stores ${CMAKE_MATCH_3})
  math(EXPR steps "${multiplies} / ${each}")
  math(EXPR rest "${multiplies} % ${each}")
  math(EXPR most "(${loads}) * ${steps} + 1")  # and a loop's own
  message("${set}: ${tile}: ${multiplies} multiplications, ${found_loads} loads, ${stores} stores")
  if(steps EQUAL 0 OR NOT rest EQUAL 0 OR found_loads GREATER most OR stores GREATER most_stores)
    message("  expected a multiple of ${each}, at most ${most} loads and ${most_stores} stores")
    set(wrong TRUE PARENT_SCOPE)
  endif()
  math(EXPR checked "${checked} + 1")
  set(checked ${checked} PARENT_SCOPE)
endfunction()

# R rows x J vectors: R * J multiplications out of R + J loads.
check(avx2 "tile_of<6, 2>" "^vfmadd" 12 8)
# Where sums wrap, four steps at a time (wrapped-inl.h): R rows read four values, 4 J weights and J centres. GCC 12 has one register
# too few for the sums.
check(avx2 "Int8, 4, 2>" "^vpmaddubsw" 32 59 1)
check(avx512 "tile_of<6, 4>" "^vfmadd" 24 10)
check(avx512 "Int8, 6, 4>" "^vpmaddubsw" 96 148 1)
check(avx512vnni "Int8, 6, 4>" "^vpdpbusd" 24 10)
check(avx512bf16 "Int8, 6, 4>" "^vpdpbusd" 24 10)
check(avx512bf16 "BF16, 6, 4>" "^vdpbf16ps" 24 10)
if(wrong)
  message(FATAL_ERROR "a tile's inner loop is not what it should be")
endif()
if(checked EQUAL 0)
  message("SKIPPED: no tile is listed for this processor")
endif()
