# SPDX-License-Identifier: Apache-2.0
# The one place where an instruction set gets its compiler flags. A kernel file named *_<isa>.cc is compiled
# with them, and with nothing else special; every other file is baseline code.
set(BITPLANE_FLAGS_scalar "")
# GCC for ARM schedules before it allocates registers: it moves the loads of a tile to the front, and then there are more
# values than registers (f32 6x16: three accumulators went through the stack in each step). Clang does not.
set(BITPLANE_FLAGS_neon $<$<CXX_COMPILER_ID:GNU>:-fno-schedule-insns>)
set(BITPLANE_FLAGS_neondot -march=armv8.2-a+dotprod ${BITPLANE_FLAGS_neon})
set(BITPLANE_FLAGS_avx2 -mavx2 -mfma -mpopcnt)
set(BITPLANE_FLAGS_avxvnni -mavxvnni ${BITPLANE_FLAGS_avx2})
set(BITPLANE_FLAGS_avx512 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512vpopcntdq -mavx512bitalg -mavx512vbmi -mavx512vnni
    -mavx2 -mfma -mpopcnt -mprefer-vector-width=512)
set(BITPLANE_FLAGS_avx512bf16 -mavx512bf16 ${BITPLANE_FLAGS_avx512})
set(BITPLANE_FLAGS_amx -mamx-tile -mamx-int8 -mamx-bf16 ${BITPLANE_FLAGS_avx512bf16})
set(BITPLANE_ISAS_X86 avx2 avxvnni avx512 avx512bf16 amx)
set(BITPLANE_ISAS_ARM neon neondot)
list(JOIN BITPLANE_ISAS_X86 "|" x86)
list(JOIN BITPLANE_ISAS_ARM "|" arm)
set(BITPLANE_ISA_FILE "_(scalar|${arm}|${x86})\\.cc$") # which files are an ISA's

if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  set(BITPLANE_ISAS_DEFAULT scalar ${BITPLANE_ISAS_X86})
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
  set(BITPLANE_ISAS_DEFAULT scalar ${BITPLANE_ISAS_ARM})
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
