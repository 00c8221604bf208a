# SPDX-License-Identifier: Apache-2.0
# The one place where an instruction set gets its compiler flags. A kernel file named *_<isa>.cc is compiled
# with them, and with nothing else special; every other file is baseline code.
set(BITPLANE_FLAGS_scalar "")
set(BITPLANE_FLAGS_avx2 -mavx2 -mfma -mpopcnt)
set(BITPLANE_FLAGS_avx512 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512vpopcntdq -mavx512vbmi -mavx512vnni
    -mavx2 -mfma -mpopcnt -mprefer-vector-width=512)

if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  set(BITPLANE_ISAS_DEFAULT scalar avx2 avx512)
else()
  set(BITPLANE_ISAS_DEFAULT scalar)
endif()
set(BITPLANE_ISAS "${BITPLANE_ISAS_DEFAULT}" CACHE STRING "instruction sets to build kernels for")

# -O2 at least, so that every helper is inlined into its kernel. Sanitized objects are never released, and at -O3 one of
# them takes GCC two minutes.
set(BITPLANE_ISA_OPTIMIZATION -O3)
if(BITPLANE_SANITIZE)
  set(BITPLANE_ISA_OPTIMIZATION -O1)
endif()

# bitplane_isa_sources(TARGET FILE...): adds the files of the enabled ISAs, each with its flags.
function(bitplane_isa_sources target)
  foreach(isa IN LISTS BITPLANE_ISAS)
    string(TOUPPER ${isa} isa_upper)
    target_compile_definitions(${target} PUBLIC BITPLANE_HAVE_${isa_upper}=1)
    foreach(file IN LISTS ARGN)
      if(file MATCHES "_${isa}\\.cc$")
        target_sources(${target} PRIVATE ${file})
        set_source_files_properties(${file} PROPERTIES COMPILE_OPTIONS
          "${BITPLANE_FLAGS_${isa}};${BITPLANE_ISA_OPTIMIZATION};-fno-lto;-fno-exceptions")
      endif()
    endforeach()
  endforeach()
endfunction()
