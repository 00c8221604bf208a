# SPDX-License-Identifier: Apache-2.0
# Run by ctest; see CMakeLists.txt for the arguments.
function(run_checked what)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE errors)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "${what} failed (${result}):\n${output}\n${errors}")
  endif()
  string(STRIP "${output}" output)
  set(output "${output}" PARENT_SCOPE)
endfunction()

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

foreach(header engine status model_spec safetensors)
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

set(flags "")
if(SANITIZE)
  set(flags "-fsanitize=${SANITIZE}")
endif()
run_checked("configuring the consumer" "${CMAKE_COMMAND}" -S "${SOURCE}/tests/install/consumer" -B "${WORK}/consumer"
            -G "${GENERATOR}" "-DCMAKE_CXX_COMPILER=${COMPILER}" "-DCMAKE_PREFIX_PATH=${prefix}"
            "-DCMAKE_CXX_FLAGS=${flags}" -DCMAKE_BUILD_TYPE=Release "-DEXAMPLES=${SOURCE}/examples"
            -DCMAKE_FIND_USE_PACKAGE_REGISTRY=OFF)
run_checked("building the consumer" "${CMAKE_COMMAND}" --build "${WORK}/consumer" -j2)
expect_output("headers" "format 2" "${WORK}/consumer/headers")

# The writer prints the label that the tests' own oracle gives the picture.
run_checked("writing the model" "${MODEL_WRITER}" "${WORK}/net.safetensors" "${WORK}/picture.pgm")
set(label "${output}")
set(embed "${WORK}/consumer/embed/embed")
expect_output("embed" "${label}" "${embed}" "${WORK}/net.safetensors" "${WORK}/picture.pgm")
run_checked("embed without a picture" "${embed}" "${WORK}/net.safetensors")
execute_process(COMMAND "${embed}" "${WORK}/picture.pgm" RESULT_VARIABLE result ERROR_VARIABLE errors)
if(result EQUAL 0 OR NOT errors MATCHES "^embed: .*picture\\.pgm")
  message(FATAL_ERROR "embed took a picture for a model: ${result}, '${errors}'")
endif()

find_program(pkg_config NAMES pkg-config pkgconf)
if(pkg_config)
  file(GLOB_RECURSE pc "${prefix}/*/bitplane.pc")
  get_filename_component(pc_folder "${pc}" DIRECTORY)
  set(ENV{PKG_CONFIG_PATH} "${pc_folder}")
  run_checked("pkg-config" "${pkg_config}" --cflags --libs bitplane)
  separate_arguments(pc_flags UNIX_COMMAND "${output}")
  run_checked("compiling with pkg-config's flags" "${COMPILER}" ${flags} "${SOURCE}/examples/embed.cpp" ${pc_flags} -o
              "${WORK}/embed_pc")
  expect_output("embed from pkg-config" "${label}" "${WORK}/embed_pc" "${WORK}/net.safetensors" "${WORK}/picture.pgm")
endif()
