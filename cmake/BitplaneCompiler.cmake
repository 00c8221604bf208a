# SPDX-License-Identifier: Apache-2.0
# The language, the flags that every object shares, and the build types.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
if(PROJECT_IS_TOP_LEVEL AND NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Dev, Debug, Release or RelWithDebInfo" FORCE)
endif()

add_library(bitplane_flags INTERFACE)
# No contraction anywhere: an fma is written where one is meant, so that every ISA rounds alike.
target_compile_options(bitplane_flags INTERFACE -ffp-contract=off -fno-math-errno -Wall -Wextra -Wpedantic
                       -Wshadow -Wconversion -Wno-sign-conversion -Wundef -Wnon-virtual-dtor)
# GCC 12 at -O3 warns of std::string's own assignment (gcc.gnu.org bug 105651).
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(bitplane_flags INTERFACE -Wno-restrict)
endif()
if(BITPLANE_WERROR)
  target_compile_options(bitplane_flags INTERFACE -Werror)
endif()
# The test, release and sanitizer presets compile several files as one (CMAKE_UNITY_BUILD): JSON and CLI11 cost each file
# up to 10 s.
# Not where files give the same name to a helper of their own; those targets call this.
function(bitplane_files_apart target)
  set_target_properties(${target} PROPERTIES UNITY_BUILD OFF)
endfunction()
# What BITPLANE_API does not name stays inside the library that the objects end in.
function(bitplane_hide_symbols target)
  set_target_properties(${target} PROPERTIES CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
endfunction()
# What a target leaves out stands behind what is switched on, or has no effect: the last option counts.
if(BITPLANE_SANITIZE)
  set(left_out "$<TARGET_PROPERTY:BITPLANE_NOT_SANITIZED>")
  target_compile_options(bitplane_flags INTERFACE -fsanitize=${BITPLANE_SANITIZE} -fno-omit-frame-pointer
                         -fno-sanitize-recover=all
                         "$<$<BOOL:${left_out}>:-fno-sanitize=$<JOIN:${left_out},$<COMMA>>>")
  target_link_options(bitplane_flags INTERFACE -fsanitize=${BITPLANE_SANITIZE})
endif()
# bitplane_do_not_sanitize(TARGET CHECK...): checks of UBSan that cost this target more than they find.
function(bitplane_do_not_sanitize target)
  if(BITPLANE_SANITIZE MATCHES "undefined")
    set_target_properties(${target} PROPERTIES BITPLANE_NOT_SANITIZED "${ARGN}")
  endif()
endfunction()
