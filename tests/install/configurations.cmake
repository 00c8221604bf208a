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
