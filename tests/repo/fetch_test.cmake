# SPDX-License-Identifier: Apache-2.0
# Fetching without a network: every dependency comes from an unpacked copy (FETCHCONTENT_SOURCE_DIR_<NAME>), made here
# from the system's packages and laid out like the releases; a file that includes each of them is then compiled.
# Debian has no sources of zlib and Google Benchmark: their headers are real, what is built of them is not.
#
# Usage: cmake -DSOURCE_DIR=... -DWORK_DIR=... -P fetch_test.cmake
cmake_minimum_required(VERSION 3.25)
file(REMOVE_RECURSE ${WORK_DIR})
set(copies ${WORK_DIR}/copies)

# copy_headers(NAME SUBFOLDER FILE...): the system's headers as ${copies}/NAME/SUBFOLDER.
function(copy_headers name subfolder)
  foreach(header IN LISTS ARGN)
    find_path(folder_of_${name} ${header} PATHS /usr/include /usr/local/include PATH_SUFFIXES eigen3 stb NO_CACHE)
    if(NOT folder_of_${name})
      message(FATAL_ERROR "SKIPPED: ${header} is not on this system")
    endif()
    cmake_path(GET header PARENT_PATH parent)
    if(parent)
      file(COPY ${folder_of_${name}}/${parent} DESTINATION ${copies}/${name}/${subfolder})
    else()
      file(COPY ${folder_of_${name}}/${header} DESTINATION ${copies}/${name}/${subfolder})
    endif()
    unset(folder_of_${name})
  endforeach()
endfunction()
copy_headers(json include nlohmann/json.hpp)
copy_headers(xsimd include xsimd/xsimd.hpp)
copy_headers(cli11 include CLI/CLI.hpp)
copy_headers(stb "" stb_image.h stb_image_write.h)
copy_headers(eigen "" Eigen/Core)
copy_headers(zlib "" zlib.h zconf.h)
foreach(source adler32 compress crc32 deflate inffast inflate inftrees trees uncompr zutil)
  file(WRITE ${copies}/zlib/${source}.c "typedef int nothing_${source};\n")
endforeach()
copy_headers(benchmark include benchmark/benchmark.h)
file(WRITE ${copies}/benchmark/CMakeLists.txt
     "add_library(benchmark INTERFACE)\nadd_library(benchmark::benchmark ALIAS benchmark)\n"
     "target_include_directories(benchmark INTERFACE include)\n")
if(NOT EXISTS /usr/src/googletest/CMakeLists.txt)
  message(FATAL_ERROR "SKIPPED: /usr/src/googletest is not on this system (Debian package googletest)")
endif()

# configure(RESULT OUTPUT BUILD_DIR ARGUMENT...)
function(configure result output build_dir)
  execute_process(COMMAND ${CMAKE_COMMAND} -G Ninja -S ${SOURCE_DIR} -B ${build_dir} -DBITPLANE_TRAINER=OFF ${ARGN}
                  RESULT_VARIABLE code OUTPUT_VARIABLE text ERROR_VARIABLE text)
  set(${result} ${code} PARENT_SCOPE)
  set(${output} "${text}" PARENT_SCOPE)
endfunction()

# 1. All of them from copies; no package of the system may be looked for.
set(arguments -DBITPLANE_CLI=ON -DBITPLANE_BENCH=ON -DBITPLANE_TESTS=ON -DBITPLANE_FETCH=always -DFETCHCONTENT_FULLY_DISCONNECTED=ON
              -DFETCHCONTENT_SOURCE_DIR_GOOGLETEST=/usr/src/googletest)
foreach(name json xsimd cli11 stb zlib eigen benchmark)
  string(TOUPPER ${name} upper)
  list(APPEND arguments -DFETCHCONTENT_SOURCE_DIR_${upper}=${copies}/${name})
endforeach()
foreach(package nlohmann_json xsimd CLI11 ZLIB Eigen3 benchmark GTest)
  list(APPEND arguments -DCMAKE_DISABLE_FIND_PACKAGE_${package}=ON)
endforeach()
configure(code text ${WORK_DIR}/fetched ${arguments})
if(NOT code EQUAL 0)
  message(FATAL_ERROR "BITPLANE_FETCH=always did not configure:\n${text}")
endif()
set(objects engine/data/CMakeFiles/bitplane_data.dir/stb.cc.o engine/data/CMakeFiles/bitplane_data.dir/gzip.cc.o
            engine/cli/CMakeFiles/bitplane_command_line.dir/shared/help.cc.o
            engine/cli/CMakeFiles/bitplane_command_line.dir/shared/json_output.cc.o bitplane_zlib_built)
execute_process(COMMAND ${CMAKE_COMMAND} --build ${WORK_DIR}/fetched --target ${objects} -- -v
                RESULT_VARIABLE code OUTPUT_VARIABLE text ERROR_VARIABLE text)
if(NOT code EQUAL 0)
  message(FATAL_ERROR "what was fetched does not build:\n${text}")
endif()
foreach(name json cli11 stb zlib)
  if(NOT text MATCHES "${copies}/${name}")
    message(FATAL_ERROR "the build did not use ${copies}/${name}:\n${text}")
  endif()
endforeach()
if(text MATCHES "/usr/include/stb")
  message(FATAL_ERROR "the build used the system's stb:\n${text}")
endif()

# 2. The engine alone needs JSON and xsimd, nothing else.
configure(code text ${WORK_DIR}/engine -DBITPLANE_TESTS=OFF -DBITPLANE_FETCH=always -DFETCHCONTENT_FULLY_DISCONNECTED=ON
          -DFETCHCONTENT_SOURCE_DIR_JSON=${copies}/json -DFETCHCONTENT_SOURCE_DIR_XSIMD=${copies}/xsimd)
if(NOT code EQUAL 0)
  message(FATAL_ERROR "the engine alone did not configure with JSON and xsimd only:\n${text}")
endif()

# 3. never: a missing package stops the configuration, which says what to install.
configure(code text ${WORK_DIR}/never -DBITPLANE_CLI=ON -DBITPLANE_TESTS=OFF -DBITPLANE_FETCH=never
          -DCMAKE_DISABLE_FIND_PACKAGE_ZLIB=ON)
if(code EQUAL 0 OR NOT text MATCHES "zlib1g-dev")
  message(FATAL_ERROR "BITPLANE_FETCH=never without zlib should have stopped and named zlib1g-dev:\n${text}")
endif()

# 4. A copy that is not one.
configure(code text ${WORK_DIR}/wrong -DBITPLANE_TESTS=OFF -DFETCHCONTENT_SOURCE_DIR_JSON=${copies}/stb)
if(code EQUAL 0 OR NOT text MATCHES "no nlohmann/json.hpp in")
  message(FATAL_ERROR "a folder without nlohmann/json.hpp should have been refused:\n${text}")
endif()
message(STATUS "fetching works without a network")
