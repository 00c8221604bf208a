# SPDX-License-Identifier: Apache-2.0
include(GNUInstallDirs)

# bitplane_test(NAME SOURCES... [LIBS ...] [SLOW FILTER]): one GoogleTest binary; each test case is a ctest. Its label
# is fast, or slow where FILTER (GoogleTest's, positive patterns) names it: whole trainings and exhaustive damage, which
# the sanitizers make up to 20 times slower.
function(bitplane_test name)
  cmake_parse_arguments(T "" "SLOW" "SOURCES;LIBS" ${ARGN})
  add_executable(${name} ${T_SOURCES})
  target_link_libraries(${name} PRIVATE ${T_LIBS} bitplane_flags GTest::gtest_main)
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  target_compile_definitions(${name} PRIVATE BITPLANE_SOURCE_DIR="${PROJECT_SOURCE_DIR}"
                             BITPLANE_GOLDEN_DIR="${PROJECT_SOURCE_DIR}/tests/golden")
  # UBSan is for the product: in the tests' own assertions it takes 40 % of their compile time.
  bitplane_do_not_sanitize(${name} undefined)
  if(T_SLOW)
    gtest_discover_tests(${name} TEST_FILTER "${T_SLOW}" TEST_LIST ${name}_slow DISCOVERY_TIMEOUT 120
                         PROPERTIES LABELS slow TIMEOUT 300)
    set(fast TEST_FILTER "-${T_SLOW}")
  endif()
  gtest_discover_tests(${name} ${fast} DISCOVERY_TIMEOUT 120 PROPERTIES LABELS fast TIMEOUT 300)
endfunction()
