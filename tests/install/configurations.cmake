# SPDX-License-Identifier: Apache-2.0
# What configuring alone shows; building would compile all kernels once more. Run by ctest; see CMakeLists.txt for the
# arguments.
include(${CMAKE_CURRENT_LIST_DIR}/run_checked.cmake)
file(REMOVE_RECURSE "${WORK}")
set(common -G "${GENERATOR}" "-DCMAKE_CXX_COMPILER=${COMPILER}")

# A project that contains bitplane keeps its build type: none here, and none of the environment's.
unset(ENV{CMAKE_BUILD_TYPE})
run_checked("configuring a project that contains bitplane" "${CMAKE_COMMAND}" -S
            "${SOURCE}/tests/install/part_of_project" -B "${WORK}/part_of_project" ${common}
            "-DBITPLANE_SOURCE=${SOURCE}")

# Folders that do not lie below the prefix, as distributions give them.
run_checked("configuring with absolute folders" "${CMAKE_COMMAND}" -S "${SOURCE}" -B "${WORK}/absolute" ${common}
            -DBITPLANE_TRAINER=OFF -DBITPLANE_TESTS=OFF -DCMAKE_INSTALL_PREFIX=/usr
            -DCMAKE_INSTALL_LIBDIR=/usr/lib/somewhere -DCMAKE_INSTALL_INCLUDEDIR=/opt/headers)
file(STRINGS "${WORK}/absolute/bitplane.pc" lines REGEX "^(prefix|libdir|includedir)=")
if(NOT lines STREQUAL "prefix=/usr;libdir=/usr/lib/somewhere;includedir=/opt/headers")
  message(FATAL_ERROR "bitplane.pc of absolute folders says ${lines}")
endif()

# The trainer needs the readers and the command line's library, not the command.
if(TRAINER)
  run_checked("configuring without the command" "${CMAKE_COMMAND}" -S "${SOURCE}" -B "${WORK}/no_command" ${common}
              -DBITPLANE_TRAINER=ON -DBITPLANE_CLI=OFF -DBITPLANE_BENCH=OFF -DBITPLANE_TESTS=ON)
  run_checked("listing the targets" "${CMAKE_COMMAND}" --build "${WORK}/no_command" --target help)
  if(NOT output MATCHES "trainer_command" OR output MATCHES "bitplane_command[^_]")
    message(FATAL_ERROR "BITPLANE_CLI=OFF with the trainer has these targets:\n${output}")
  endif()
endif()
