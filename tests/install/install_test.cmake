# SPDX-License-Identifier: Apache-2.0
# Run by ctest; see CMakeLists.txt for the arguments.
include(${CMAKE_CURRENT_LIST_DIR}/run_checked.cmake)

function(expect_output what expected)
  run_checked("${what}" ${ARGN})
  if(NOT output STREQUAL expected)
    message(FATAL_ERROR "${what} printed '${output}', not '${expected}'")
  endif()
endfunction()

set(prefix "${WORK}/prefix")
file(REMOVE_RECURSE "${WORK}")
file(MAKE_DIRECTORY "${WORK}")
run_checked("cmake --install" "${CMAKE_COMMAND}" --install "${BUILD}" --component engine --prefix "${prefix}")

foreach(header c_api engine export model_spec safetensors status values)
  if(NOT EXISTS "${prefix}/include/bitplane/${header}.h")
    message(FATAL_ERROR "include/bitplane/${header}.h was not installed")
  endif()
endforeach()

# Nothing installed may lead back to this tree.
file(GLOB_RECURSE texts "${prefix}/*.cmake" "${prefix}/*.pc" "${prefix}/*.h")
foreach(text IN LISTS texts)
  file(READ "${text}" content)
  foreach(tree "${SOURCE}" "${BUILD}")
    string(FIND "${content}" "${tree}" found)
    if(NOT found EQUAL -1)
      message(FATAL_ERROR "${text} names ${tree}")
    endif()
  endforeach()
endforeach()

# The C compiler beside the C++ compiler: this project itself has no C.
get_filename_component(compiler_folder "${COMPILER}" DIRECTORY)
get_filename_component(compiler_name "${COMPILER}" NAME)
string(REPLACE "clang++" "clang" compiler_name "${compiler_name}")
string(REPLACE "g++" "gcc" compiler_name "${compiler_name}")
string(REPLACE "c++" "cc" compiler_name "${compiler_name}")
set(C_COMPILER "${compiler_folder}/${compiler_name}")

set(flags "")
if(SANITIZE)
  set(flags "-fsanitize=${SANITIZE}")
endif()
set(common -G "${GENERATOR}" "-DCMAKE_C_COMPILER=${C_COMPILER}" "-DCMAKE_CXX_COMPILER=${COMPILER}"
    "-DCMAKE_CXX_FLAGS=${flags}" "-DCMAKE_C_FLAGS=${flags}" -DCMAKE_BUILD_TYPE=Release
    -DCMAKE_FIND_USE_PACKAGE_REGISTRY=OFF)

# The writer prints the label that the tests' own oracle gives the picture.
set(model "${WORK}/net.safetensors")
set(picture "${WORK}/picture.pgm")
run_checked("writing the model" "${MODEL_WRITER}" "${model}" "${picture}")
set(label "${output}")
# Of the model's height and width, but in colour: three times its bytes.
set(colour "${WORK}/picture.ppm")
file(WRITE "${colour}" "P6\n8 8\n255\n")
string(REPEAT "rgb" 64 pixels)
file(APPEND "${colour}" "${pixels}")

function(build_consumer source prefix library)
  string(MAKE_C_IDENTIFIER "${source}_${library}" name)
  set(build "${WORK}/${name}")
  run_checked("configuring ${name}" "${CMAKE_COMMAND}" -S "${SOURCE}/tests/install/${source}" -B "${build}" ${common}
              "-DCMAKE_PREFIX_PATH=${prefix}" "-DEXAMPLES=${SOURCE}/examples" "-DBITPLANE_LIBRARY=${library}")
  run_checked("building ${name}" "${CMAKE_COMMAND}" --build "${build}" -j2)
  set(build "${build}" PARENT_SCOPE)
endfunction()

function(check_package prefix library)
  build_consumer(consumer "${prefix}" "${library}")
  expect_output("headers" "format 2" "${build}/headers")
  foreach(embed embed embed_c)
    expect_output("${embed}" "${label}" "${build}/embed/${embed}" "${model}" "${picture}")
    run_checked("${embed} without a picture" "${build}/embed/${embed}" "${model}")
    execute_process(COMMAND "${build}/embed/${embed}" "${picture}" RESULT_VARIABLE result ERROR_VARIABLE errors)
    if(result EQUAL 0 OR NOT errors MATCHES "^embed: .*picture\\.pgm")
      message(FATAL_ERROR "${embed} took a picture for a model: ${result}, '${errors}'")
    endif()
    execute_process(COMMAND "${build}/embed/${embed}" "${model}" "${colour}" RESULT_VARIABLE result ERROR_VARIABLE errors
                    OUTPUT_QUIET)
    if(result EQUAL 0 OR NOT errors MATCHES "no picture of the model's size")
      message(FATAL_ERROR "${embed} took a colour picture for a grey one: ${result}, '${errors}'")
    endif()
  endforeach()
  # Prints nothing itself, so whatever came would be the library's.
  build_consumer(c_consumer "${prefix}" "${library}")
  execute_process(COMMAND "${build}/every_call" "${model}" RESULT_VARIABLE result OUTPUT_VARIABLE printed
                  ERROR_VARIABLE errors)
  if(NOT result EQUAL 0 OR NOT "${printed}${errors}" STREQUAL "")
    message(FATAL_ERROR "every_call with ${library}: ${result}, '${printed}', '${errors}'")
  endif()
endfunction()

find_program(pkg_config NAMES pkg-config pkgconf)
function(check_pkg_config prefix how)
  if(NOT pkg_config)
    return()
  endif()
  file(GLOB_RECURSE pc "${prefix}/*/bitplane.pc")
  get_filename_component(pc_folder "${pc}" DIRECTORY)
  get_filename_component(library_folder "${pc_folder}" DIRECTORY)
  set(ENV{PKG_CONFIG_PATH} "${pc_folder}")
  run_checked("pkg-config" "${pkg_config}" ${how} --cflags --libs bitplane)
  separate_arguments(pc_flags UNIX_COMMAND "${output}")
  set(ENV{LD_LIBRARY_PATH} "${library_folder}")
  run_checked("compiling C++ with pkg-config's flags" "${COMPILER}" ${flags} -std=c++20 "${SOURCE}/examples/embed.cpp"
              ${pc_flags} -o "${WORK}/embed_pc${how}")
  run_checked("compiling C with pkg-config's flags" "${C_COMPILER}" ${flags} "${SOURCE}/examples/embed.c" ${pc_flags}
              -o "${WORK}/embed_c_pc${how}")
  foreach(embed embed_pc embed_c_pc)
    expect_output("${embed} ${how}" "${label}" "${WORK}/${embed}${how}" "${model}" "${picture}")
  endforeach()
endfunction()

file(GLOB_RECURSE notices "${prefix}/*/NOTICES")
if(NOT notices)
  message(FATAL_ERROR "the component engine brings no third-party notices")
endif()
check_package("${prefix}" bitplane::engine)
# What is not installed is not found, and named.
execute_process(COMMAND "${CMAKE_COMMAND}" -S "${SOURCE}/tests/install/consumer" -B "${WORK}/not_installed" ${common}
                "-DCMAKE_PREFIX_PATH=${prefix}" "-DEXAMPLES=${SOURCE}/examples" -DBITPLANE_LIBRARY=bitplane::shared
                RESULT_VARIABLE result OUTPUT_QUIET ERROR_VARIABLE errors)
if(result EQUAL 0 OR NOT errors MATCHES "no component 'shared'")
  message(FATAL_ERROR "find_package found a component that is not installed: ${result}, '${errors}'")
endif()
check_pkg_config("${prefix}" --static)

if(SHARED)
  set(shared_prefix "${WORK}/shared_prefix")
  foreach(component engine shared)
    run_checked("cmake --install" "${CMAKE_COMMAND}" --install "${BUILD}" --component ${component} --prefix
                "${shared_prefix}")
  endforeach()
  check_package("${shared_prefix}" bitplane::shared)
  check_pkg_config("${shared_prefix}" "")
endif()
