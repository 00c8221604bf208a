# SPDX-License-Identifier: Apache-2.0
include(GNUInstallDirs)

# bitplane_test(NAME SOURCES... [LIBS ...] [LABELS ...]): one GoogleTest binary; each test case is a ctest.
function(bitplane_test name)
  cmake_parse_arguments(T "" "" "SOURCES;LIBS;LABELS" ${ARGN})
  add_executable(${name} ${T_SOURCES})
  target_link_libraries(${name} PRIVATE ${T_LIBS} bitplane_flags GTest::gtest_main)
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  target_compile_definitions(${name} PRIVATE BITPLANE_SOURCE_DIR="${PROJECT_SOURCE_DIR}"
                             BITPLANE_GOLDEN_DIR="${PROJECT_SOURCE_DIR}/tests/golden")
  if(NOT T_LABELS)
    set(T_LABELS fast)
  endif()
  gtest_discover_tests(${name} DISCOVERY_TIMEOUT 120 PROPERTIES LABELS "${T_LABELS}" TIMEOUT 300)
endfunction()
