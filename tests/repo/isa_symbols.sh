#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# An object compiled with -m flags may define no external or weak symbol but its own table: an inline function
# that it emitted could be the copy that the linker keeps for everyone, and crash an older CPU. xsimd's symbols
# carry the ISA in their names and are exempt. Usage: [NM=nm] isa_symbols.sh SOURCE_DIR BUILD_DIR
set -u
objects=$(find "$2/kernels" -name '*.o' | grep -E '_(scalar|neon|neondot|avx2|avxvnni|avx512|avx512bf16|amx)\.cc\.o$')
[ -n "$objects" ] || { echo "no ISA objects below $2/kernels: build first"; exit 1; }
bad=0
for object in $objects; do
  # Types of a defined symbol that the linker may share: T D B R V W u (capital = external).
  symbols=$("${NM:-nm}" -C --defined-only --extern-only "$object" | awk '{ $1 = ""; print substr($0, 2) }' |
            grep -vE '^[A-Za-z] (typeinfo|vtable)? ?.*xsimd::')
  [ -n "$symbols" ] || { echo "$(basename "$object"): no symbols: exports no table, or ${NM:-nm} cannot read it"; bad=1; }
  extra=$(printf '%s\n' "$symbols" | grep -vE '^[RDB] bitplane::kernels::[A-Za-z0-9_:]*k[A-Za-z0-9]*(Table|Kernels|Scalar|Neon|NeonDot|Avx2|AvxVnni|Avx512|Amx)[A-Za-z0-9]*$' | grep -v '^$')
  if [ -n "$extra" ]; then
    printf '%s\n%s\n  rule: a per-ISA object exports its table and nothing else; put helpers into an anonymous namespace\n' \
           "$(basename "$object")" "$extra"
    bad=1
  fi
done
exit $bad
