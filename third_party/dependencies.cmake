# SPDX-License-Identifier: Apache-2.0
# Every dependency: the system's copy first, else its official release archive at a pinned version with its hash.
# Nothing is vendored. Each becomes one INTERFACE target bitplane_<name>, so that no other file knows where it came
# from; GoogleTest keeps its own GTest:: targets. Licences and uses: third_party/LICENSES.md.
#
#   -DBITPLANE_FETCH=auto     the system's copy, else fetch it (default)
#   -DBITPLANE_FETCH=never    the system's copy, else stop and say which package is missing
#   -DBITPLANE_FETCH=always   fetch all of them
#   -DFETCHCONTENT_SOURCE_DIR_<NAME>=DIR   use this unpacked copy, without a network; <NAME> as below, in capitals
#
# The versions are those of Debian 12, so that what is fetched is what is tested every day.
include(FetchContent)
include(${CMAKE_CURRENT_LIST_DIR}/fetch.cmake)
set(BITPLANE_FETCH auto CACHE STRING "where dependencies come from: auto, always or never")
set_property(CACHE BITPLANE_FETCH PROPERTY STRINGS auto always never)
if(NOT BITPLANE_FETCH MATCHES "^(auto|always|never)$")
  message(FATAL_ERROR "BITPLANE_FETCH is '${BITPLANE_FETCH}'; it must be auto, always or never")
endif()

# The engine alone needs these two.
bitplane_dependency(json HEADER nlohmann/json.hpp
  PACKAGE nlohmann_json 3.9 TARGET nlohmann_json::nlohmann_json DEBIAN nlohmann-json3-dev
  URL https://github.com/nlohmann/json/releases/download/v3.11.2/json.tar.xz
  SHA256 8c4b26bf4b422252e13f332bc5e388ec0ab5c3443d24399acb675e68278d341f)

bitplane_dependency(xsimd HEADER xsimd/xsimd.hpp
  PACKAGE xsimd TARGET xsimd DEBIAN libxsimd-dev
  URL https://github.com/xtensor-stack/xsimd/archive/refs/tags/8.1.0.tar.gz
  SHA256 d52551360d37709675237d2a0418e28f70995b5b7cdad7c674626bcfbbf48328)

# The readers and the commands.
if(BITPLANE_CLI OR BITPLANE_TRAINER)
  bitplane_dependency(cli11 HEADER CLI/CLI.hpp
    PACKAGE CLI11 2.1 TARGET CLI11::CLI11 DEBIAN libcli11-dev
    URL https://github.com/CLIUtils/CLI11/archive/refs/tags/v2.1.2.tar.gz
    SHA256 26291377e892ba0e5b4972cdfd4a2ab3bf53af8dac1f4ea8fe0d1376b625c8cb)

  # stb has no releases; this commit is Debian's.
  bitplane_dependency(stb HEADER stb_image.h PATH_SUFFIXES stb DEBIAN libstb-dev
    URL https://github.com/nothings/stb/archive/8b5f1f37b5b75829fc72d38e7b5d4bcbf8a26d55.tar.gz
    SHA256 c47cf5abe21e1d620afccd159c23fe71dfa86eb270015a7646a4f79e9bfd5503)

  # zlib's own CMakeLists.txt renames files in its source folder; these are all the sources that we need.
  bitplane_dependency(zlib HEADER zlib.h
    PACKAGE ZLIB TARGET ZLIB::ZLIB DEBIAN zlib1g-dev
    URL https://github.com/madler/zlib/releases/download/v1.2.13/zlib-1.2.13.tar.gz
    SHA256 b3a24de97a8fdbc835b9833169501030b8977031bcb54b3b3ac13740f846ab30
    C_SOURCES adler32.c compress.c crc32.c deflate.c inffast.c inflate.c inftrees.c trees.c uncompr.c zutil.c)
endif()

if(BITPLANE_TRAINER OR BITPLANE_BENCH)
  bitplane_dependency(eigen HEADER Eigen/Core PATH_SUFFIXES eigen3
    PACKAGE Eigen3 3.3 TARGET Eigen3::Eigen DEBIAN libeigen3-dev
    URL https://gitlab.com/libeigen/eigen/-/archive/3.4.0/eigen-3.4.0.tar.gz
    SHA256 8586084f71f9bde545ee7fa6d00288b264a2b7ac3607b974e54d13e7162c1c72)
endif()

if(BITPLANE_BENCH)
  bitplane_dependency(benchmark CMAKE_PROJECT
    PACKAGE benchmark TARGET benchmark::benchmark DEBIAN libbenchmark-dev
    URL https://github.com/google/benchmark/archive/refs/tags/v1.7.1.tar.gz
    SHA256 6430e4092653380d9dc4ccb45a1e2dc9259d581f4866dc0759713126056bc1d7
    OPTIONS BENCHMARK_ENABLE_TESTING BENCHMARK_ENABLE_INSTALL BENCHMARK_ENABLE_WERROR BENCHMARK_INSTALL_DOCS)
endif()

if(BITPLANE_TESTS)
  bitplane_dependency(googletest CMAKE_PROJECT
    PACKAGE GTest 1.11 TARGET GTest::gtest_main DEBIAN libgtest-dev
    URL https://github.com/google/googletest/archive/refs/tags/release-1.12.1.tar.gz
    SHA256 81964fe578e9bd7c94dfdb09c8e4d6e6759e19967e397dbea48d1c10e45d0df2
    OPTIONS INSTALL_GTEST BUILD_GMOCK)
endif()
