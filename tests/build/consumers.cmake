# SPDX-License-Identifier: Apache-2.0
# Programs of other people: built against an installed tree with find_package() and with pkg-config, and run on the sample photo.
set(dir ${BINARY}/consumers)
set(prefix ${dir}/prefix)
file(REMOVE_RECURSE ${dir})
file(MAKE_DIRECTORY ${dir})

# run(COMMAND...): stops at the first failure; `output` is what it printed.
function(run)
  execute_process(COMMAND ${ARGN} OUTPUT_VARIABLE out ERROR_VARIABLE err RESULT_VARIABLE result)
  if(result)
    list(JOIN ARGN " " line)
    message(FATAL_ERROR "${line}\n${out}${err}")
  endif()
  set(output "${out}" PARENT_SCOPE)
endfunction()

# check_answers(PROGRAM): transformers' answer for the photo, as the model's expected.json has it, is cat with 0.91668.
function(check_answers program)
  run(${CMAKE_COMMAND} -E env LD_LIBRARY_PATH=${prefix}/${LIBDIR} ${program} ${SOURCE}/assets/models/vit-cifar10 ${SOURCE}/assets/images/chelsea.png)
  if(NOT output MATCHES "^ 91\\.7 %  cat\n" OR NOT output MATCHES "128 numbers, length [0-9.]+, vitesse 0\\.")
    message(FATAL_ERROR "${program}: expected 91.7 %  cat and 128 numbers, found\n${output}")
  endif()
endfunction()

run(${CMAKE_COMMAND} --install ${BINARY} --prefix ${prefix})
file(GLOB_RECURSE headers RELATIVE ${prefix} ${prefix}/include/*)
if(NOT headers STREQUAL "include/vit/vit.h;include/vit/vit.hpp")
  message(FATAL_ERROR "expected two headers to be installed, found ${headers}")
endif()

foreach(language IN ITEMS c cpp)
  run(${CMAKE_COMMAND} -S ${SOURCE}/tests/consumer/${language} -B ${dir}/${language} -G ${GENERATOR} -DCMAKE_PREFIX_PATH=${prefix}
    -DCMAKE_C_COMPILER=${CC} -DCMAKE_CXX_COMPILER=${CXX})
  run(${CMAKE_COMMAND} --build ${dir}/${language})
  check_answers(${dir}/${language}/consumer)
endforeach()

find_program(pkg_config NAMES pkg-config pkgconf)
if(NOT pkg_config)
  message(FATAL_ERROR "pkg-config is missing; tools/dev deps installs it")
endif()
set(ENV{PKG_CONFIG_PATH} ${prefix}/${LIBDIR}/pkgconfig)
run(${pkg_config} --cflags --libs vitesse)
separate_arguments(flags UNIX_COMMAND "${output}")
run(${CC} -std=c99 -Wall -Wextra -Werror ${SOURCE}/tests/consumer/c/main.c -o ${dir}/pkg-c ${flags} -lm)
check_answers(${dir}/pkg-c)
run(${CXX} -std=c++17 -Wall -Wextra -Werror ${SOURCE}/tests/consumer/cpp/main.cpp -o ${dir}/pkg-cpp ${flags})
check_answers(${dir}/pkg-cpp)

# The program finds its library beside it, and its model inside itself.
if(EXISTS ${prefix}/bin/vit-infer)
  run(${CMAKE_COMMAND} -E env --unset=LD_LIBRARY_PATH ${prefix}/bin/vit-infer --format csv ${SOURCE}/assets/images/chelsea.png)
  if(NOT output MATCHES ",1,cat,3,0\\.916")
    message(FATAL_ERROR "the installed vit-infer: expected cat with 0.916..., found\n${output}")
  endif()
endif()
