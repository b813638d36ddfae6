# SPDX-License-Identifier: Apache-2.0
# The program on an older CPU, emulated: it starts, chooses the right instruction set and gives the bits that this set gives here. An
# instruction that the CPU lacks, anywhere in code that every CPU runs, ends it.
find_program(qemu NAMES qemu-x86_64-static qemu-x86_64)
if(NOT qemu)
  message("SKIPPED: qemu-user-static is not installed")
  return()
endif()
set(photo ${SOURCE}/assets/images/chelsea.png)

function(run out)
  execute_process(COMMAND ${ARGN} OUTPUT_VARIABLE output ERROR_VARIABLE error RESULT_VARIABLE result)
  if(NOT result EQUAL 0)
    list(JOIN ARGN " " line)
    message(FATAL_ERROR "${line}\nended with ${result}\n${output}${error}")
  endif()
  set(${out} "${output}" PARENT_SCOPE)
endfunction()

# A CPU of 2008 without AVX, one of 2013 with AVX2 and FMA.
foreach(pair IN ITEMS "Nehalem;sse2" "Haswell;avx2")
  list(GET pair 0 cpu)
  list(GET pair 1 isa)
  run(emulated ${qemu} -cpu ${cpu} ${PROGRAM} --threads 2 --format json ${photo})
  run(native ${PROGRAM} --isa ${isa} --threads 2 --format json ${photo})
  if(NOT emulated STREQUAL native)
    message(FATAL_ERROR "${cpu}: expected what --isa ${isa} gives here:\n${native}\nfound\n${emulated}")
  endif()
endforeach()
message("Nehalem and Haswell give the bits of --isa sse2 and avx2")
