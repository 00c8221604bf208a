#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The repository's rules must be able to fail: each gets a small tree that breaks it.
set -u
rules="$1/tests/repo"
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
bad=0
# must_fail NAME COMMAND...
must_fail() {
  local name=$1; shift
  if "$@" >/dev/null 2>&1; then echo "$name: accepted what it must reject"; bad=1; fi
}
must_pass() {
  local name=$1; shift
  if ! "$@" >/dev/null 2>&1; then echo "$name: rejected a clean tree"; bad=1; fi
}
fresh() { rm -rf "${tree:?}"/*; mkdir -p "$tree"/{kernels/src/elementwise,kernels/include,engine/include,engine/src,trainer,build/kernels}; }

fresh; printf '#include <cstdint>\n' > "$tree/kernels/src/a.cc"
must_pass include_rule bash "$rules/include_rule.sh" "$tree"
for line in 'kernels/src/a.cc:"bitplane/engine.h"' 'kernels/src/a.cc:<nlohmann/json.hpp>' 'engine/src/a.cc:"trainer/tensor/tensor.h"' \
            'engine/include/a.h:<nlohmann/json.hpp>' 'engine/src/a.cc:"engine/data/picture.h"' 'engine/include/a.h:"bitplane/kernels/isa.h"' \
            'trainer/a.cc:<xsimd/xsimd.hpp>' 'trainer/a.cc:"tests/x.h"'; do
  fresh; printf '#include %s\n' "${line#*:}" > "$tree/${line%%:*}"
  must_fail "include_rule ($line)" bash "$rules/include_rule.sh" "$tree"
done
fresh; mkdir "$tree/trainer/ops"; printf '#include "trainer/nn/module.h"\n' > "$tree/trainer/ops/a.cc"
must_fail 'include_rule (a later folder of the trainer)' bash "$rules/include_rule.sh" "$tree"
fresh; mkdir "$tree/trainer/nn"; printf '#include "trainer/ops/add.h"\n' > "$tree/trainer/nn/a.cc"
must_pass 'include_rule (an earlier folder of the trainer)' bash "$rules/include_rule.sh" "$tree"
fresh; mkdir "$tree/trainer/new"
must_fail 'include_rule (a folder of the trainer without a place)' bash "$rules/include_rule.sh" "$tree"

for file in kernels/a.cc engine/a.h engine/exports.map examples/a.cpp examples/a.c cmake/a.cmake cmake/a.in engine/CMakeLists.txt \
            tools/a.sh tools/a.jq tools/a.mjs .ci/run; do
  fresh; mkdir -p "$tree"/{examples,cmake,tools,.ci}; printf 'x\n' > "$tree/$file"
  must_fail "spdx ($file)" bash "$rules/spdx.sh" "$tree"
  printf '# SPDX-License-Identifier: Apache-2.0\n' > "$tree/$file"
  must_pass "spdx ($file)" bash "$rules/spdx.sh" "$tree"
done

page() { fresh; mkdir "$tree/docs"; printf '%s\n' "$@" > "$tree/docs/page.md"; }
long=$(printf 'x%.0s' {1..133})
page "${long#x}" "$(printf 'é%.0s' {1..132})" "| $long |" '```' "$long" '```' "${long#x}"
must_pass doc_lines bash "$rules/doc_lines.sh" "$tree"
page "$long"
must_fail doc_lines bash "$rules/doc_lines.sh" "$tree"
page '```' "$long" '```' "$long"
must_fail 'doc_lines (behind code)' bash "$rules/doc_lines.sh" "$tree"
page "${long//x/é}"
must_fail 'doc_lines (not ASCII)' bash "$rules/doc_lines.sh" "$tree"
fresh
must_fail 'doc_lines (no pages)' bash "$rules/doc_lines.sh" "$tree"

if command -v clang-format >/dev/null; then
  fresh; cp "$1/.clang-format" "$tree"; printf 'int   x ;\n' > "$tree/kernels/a.cc"
  must_fail format bash "$rules/format.sh" "$tree"
fi

compile() { printf '%s\n' "$1" > "$tree/k_avx2.cc"; c++ -std=c++20 -O0 -c "$tree/k_avx2.cc" -o "$tree/build/kernels/k_avx2.cc.o"; }
fresh; compile 'namespace bitplane::kernels { namespace { int f() { return 1; } } struct T { int (*f)(); }; extern const T kF32Avx2; constinit const T kF32Avx2{&f}; }'
must_pass isa_symbols bash "$rules/isa_symbols.sh" "$tree" "$tree/build"
fresh; compile 'namespace bitplane::kernels { inline int f() { return 1; } struct T { int (*f)(); }; extern const T kF32Avx2; constinit const T kF32Avx2{&f}; }'
must_fail 'isa_symbols (weak function)' bash "$rules/isa_symbols.sh" "$tree" "$tree/build"
fresh; compile 'int helper() { return 1; }'
must_fail 'isa_symbols (external function)' bash "$rules/isa_symbols.sh" "$tree" "$tree/build"
fresh
must_fail 'isa_symbols (nothing built)' bash "$rules/isa_symbols.sh" "$tree" "$tree/build"

# library CODE: as an archive, and, with what the rule wants to be exported, as a shared library.
api='void print(const char*); extern "C" int bitplane_model_load() { return 1; } namespace bitplane::engine {
     struct Model { static int load(); }; struct Session { static int create(); };
     int Model::load() { print("a"); return 1; } int Session::create() { return 2; } }'
library() {
  fresh; mkdir -p "$tree/build/engine"
  printf '%s\n' "$api $1" > "$tree/a.cc"
  c++ -std=c++20 -w -fPIC -O0 -c "$tree/a.cc" -o "$tree/a.o" && ar rc "$tree/build/engine/libbitplane.a" "$tree/a.o" &&
    c++ -shared -o "$tree/build/engine/libbitplane.so" "$tree/a.o" || { echo "library_symbols: its cases do not compile"; bad=1; }
}
symbols=(bash "$rules/library_symbols.sh" "$tree" "$tree/build")
library ''
must_pass library_symbols "${symbols[@]}"
rm "$tree/build/engine/libbitplane.so"
must_pass 'library_symbols (archive alone)' "${symbols[@]}"
for tool in NM OBJDUMP; do must_fail "library_symbols ($tool prints nothing)" env "$tool=true" "${symbols[@]}"; done
for tool in NM OBJDUMP; do must_fail "library_symbols ($tool fails)" env "$tool=false" "${symbols[@]}"; done
library 'int more() { return 1; }'
must_fail 'library_symbols (another export)' "${symbols[@]}"
library 'int start(); static int constructed = start(); int* more = &constructed;'
rm "$tree/build/engine/libbitplane.so"
must_fail 'library_symbols (global constructor)' "${symbols[@]}"
for function in printf fprintf vfprintf __printf_chk __fprintf_chk __vfprintf_chk __vprintf_chk dprintf __dprintf_chk puts fputs fwrite perror \
                abort exit _Exit quick_exit; do
  library "extern \"C\" void $function(...); static void use() { $function(1); } void (*volatile kept)() = &use;"
  rm "$tree/build/engine/libbitplane.so"
  must_fail "library_symbols ($function)" "${symbols[@]}"
done
exit $bad
