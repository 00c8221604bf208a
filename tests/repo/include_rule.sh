#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Includes go one way: kernels <- engine <- trainer. Usage: include_rule.sh SOURCE_DIR
set -u
cd "$1" || exit 2
bad=0
# reject FOLDERS PATTERN WHY: no file of the folders may include what matches PATTERN.
reject() {
  local found
  found=$(grep -rnE --include='*.h' --include='*.cc' "^[[:space:]]*#[[:space:]]*include[[:space:]]*[<\"]($2)" $1 2>/dev/null)
  if [ -n "$found" ]; then printf '%s\n  rule: %s\n' "$found" "$3"; bad=1; fi
}
third_party='nlohmann/|Eigen/|xsimd/|CLI/|stb_|zlib\.h|benchmark/|gtest/|gmock/'
reject kernels 'bitplane/(engine|status|model_spec|safetensors)|engine/|trainer/' 'kernels know neither engine nor trainer'
reject kernels 'nlohmann/|Eigen/|CLI/|stb_|zlib\.h|benchmark/|gtest/' 'kernels use the C++ library, intrinsics and xsimd only'
reject engine 'trainer/|Eigen/' 'the engine does not know the trainer'
reject engine/src 'engine/data/|engine/cli/|CLI/|stb_|zlib\.h|xsimd/' 'libbitplane.a needs neither readers nor the command line'
reject 'kernels/include engine/include' "$third_party" 'no third-party type in a public header'
reject engine/include 'bitplane/kernels/' 'the public headers of the engine stand alone'
reject 'kernels engine trainer' 'tests/|bench/' 'the product does not know its tests'
# xsimd stays in the element-wise float files.
found=$(grep -rlE '#[[:space:]]*include[[:space:]]*<xsimd/' kernels engine trainer 2>/dev/null | grep -v '^kernels/src/elementwise/')
if [ -n "$found" ]; then printf '%s\n  rule: xsimd only in kernels/src/elementwise\n' "$found"; bad=1; fi
# Folders of the trainer, each may know those before it (docs/ARCHITECTURE.md).
layers=' math tensor autograd quantizers ops nn optim nets methods data config checkpoint interchange run evaluation export procedures report cli '
for folder in trainer/*/; do
  [ -d "$folder" ] || continue
  name=$(basename "$folder")
  case "$layers" in *" $name "*) ;; *) echo "trainer/$name: not in the order of folders of include_rule.sh"; bad=1; continue ;; esac
  later=${layers#* "$name" }
  [ -n "${later// /}" ] || continue
  reject "trainer/$name" "trainer/($(echo $later | tr ' ' '|'))/" "trainer/$name stands before them:$layers"
done
exit $bad
