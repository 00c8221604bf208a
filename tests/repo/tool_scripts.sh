#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The scripts of tools/ in a copy of that folder, with programs that compute nothing: what they are given, and what the
# scripts make of their exit codes. Usage: tool_scripts.sh SOURCE_DIR
set -u
if ! command -v jq >/dev/null; then echo "SKIPPED: jq is not installed"; exit 77; fi
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
tree=$place/tree log=$place/log bad=0
mkdir -p "$tree/build/release/bin" "$tree/build/bench/bin" "$place/stubs" "$place/caller/folder"
cp -r "$1/tools" "$tree"
PATH=$place/stubs:$PATH
complain() { echo "$1"; cat "$log"; bad=1; }
# program PATH LINE...: a script of these lines; $place is the folder of this test.
program() {
  printf '%s\n' '#!/usr/bin/env bash' "place=$place" "${@:2}" >"$1"
  chmod +x "$1"
}
# run SCRIPT ARGUMENT...: from the caller's folder.
run() { (cd "$place/caller" && bash "$tree/tools/$1" "${@:2}" >"$place/out" 2>"$log"); }
program "$place/stubs/cmake" 'exit 0'

# tools/latency.sh, with two of its nets. bench's numbers are 1 ms; of the level that dies in its second call, 1 s.
sed -i '/^nets=(/,/^)/{/resnet-18 [12]/!{/^ /d}}' "$tree/tools/latency.sh"
trainer=$tree/build/release/bin/trainer bitplane=$tree/build/release/bin/bitplane
program "$trainer" 'while [ "$1" != --out ]; do shift; done; : >"$2"'
number='{"isa": "best", "median_us_per_picture": 1000, "load_ms": 1, "create_ms": 1}'
program "$bitplane" "echo '$number'"
run latency.sh --no-install --rounds 1 || complain "latency.sh failed"
grep -qF '| resnet-18 | 1/2 | best | 2 | 1.000 | 1.000 | 1.000 | 1.000 | 2.0 | 0 |' "$place/out" || complain "latency.sh: a row is wrong: $(cat "$place/out")"

program "$bitplane" 'case "$*" in *avx512*) echo "avx512: not on this CPU" >&2; exit 4 ;; esac' "echo '$number'"
run latency.sh --no-install --rounds 1 || complain "latency.sh failed for an instruction set that the CPU lacks"
grep -q 'not measured: resnet-18 1/2: avx512: not on this CPU' "$log" || complain "latency.sh does not say what it left out"

program "$bitplane" 'case "$*" in' '  *avx512*) [ ! -e "$place/once" ] || { rm "$place/once"; exit 4; }; : >"$place/once"' \
  "    echo '${number/1000/1000000}' ;;" "  *) echo '$number' ;;" 'esac'
run latency.sh --no-install --rounds 1 || complain "latency.sh failed where a later variant cannot be measured"
grep -q '1000\.000\|500\.500' "$place/out" && complain "latency.sh: numbers of a row that was left out are in the next: $(cat "$place/out")"

program "$bitplane" 'case "$*" in *avx512*) echo "damaged" >&2; exit 3 ;; esac' "echo '$number'"
run latency.sh --no-install --rounds 1 && complain "latency.sh: a bench that failed was taken for a CPU without the instruction set"
grep -q 'damaged' "$log" || complain "latency.sh does not say why bench failed"
for rounds in 0 -1 two; do
  run latency.sh --no-install --rounds "$rounds" && complain "latency.sh takes --rounds $rounds"
  grep -q "rounds $rounds: give a number from 1" "$log" || complain "latency.sh does not say what --rounds takes: $(cat "$log")"
done
program "$bitplane" 'exit 4'
run latency.sh --no-install --rounds 1 && complain "latency.sh: a bench that cannot run on the best level was left out"
program "$bitplane" "echo '$number'"
program "$trainer" 'while [ "$1" != --out ]; do shift; done; : >"$2"; exit 5'
run latency.sh --no-install --rounds 1 && complain "latency.sh: a trainer that failed was not noticed"

# Folders and files are the caller's.
program "$trainer" 'echo "$*" >>"$place/calls"; exit 9'
run quickstart.sh --no-install --data-dir folder --out runs
grep -q -- "--data-dir $place/caller/folder .*--out $place/caller/runs/float" "$place/calls" ||
  complain "quickstart.sh: the folders are not the caller's: $(cat "$place/calls")"
program "$tree/build/bench/bin/bench" 'for file; do :; done; : >"$file"'
run bench.sh --no-install --json rows.json || complain "bench.sh failed"
[ -e "$place/caller/rows.json" ] || complain "bench.sh: --json is not in the caller's folder"

program "$place/stubs/bitplane" 'exit 0'
program "$place/stubs/node" 'echo "$2" >"$place/runtime"'
BITPLANE=$place/stubs/bitplane ONNXRUNTIME_DIR=folder run onnx-check.sh model --data synthetic || complain "onnx-check.sh failed"
[ "$(cat "$place/runtime")" = "$place/caller/folder" ] || complain "onnx-check.sh gives node a folder that is not absolute: $(cat "$place/runtime")"

# tools/tidy.sh configures each time, checks what this machine builds, and names the rest.
program "$place/stubs/git" 'echo kernels/a_avx2.cc; echo kernels/a_neon.cc'
program "$place/stubs/clang-tidy" 'echo "$*" >>"$place/tidied"'
program "$place/stubs/cmake" 'echo "$*" >>"$place/configured"; mkdir -p build/dev; echo "\"file\": \"/x/kernels/a_avx2.cc\"" >build/dev/compile_commands.json'
run tidy.sh --no-install || complain "tidy.sh failed"
run tidy.sh --no-install || complain "tidy.sh failed the second time"
[ "$(wc -l <"$place/configured")" = 2 ] || complain "tidy.sh took an old configuration"
grep -q 'kernels/a_avx2.cc' "$place/tidied" || complain "tidy.sh left out what is built"
grep -q 'left out.*kernels/a_neon.cc' "$log" || complain "tidy.sh does not name what it left out"
run tidy.sh --no-install no-such-file && complain "tidy.sh: a pattern without files passed"
program "$place/stubs/clang-tidy" 'exit 1'
run tidy.sh --no-install && complain "tidy.sh passed what clang-tidy rejects"

# Lists of packages that no script installs are of no use.
grep -oE '^[a-z0-9]+_packages=' "$tree/tools/packages.sh" | tr -d = >"$place/lists"
while read -r list; do
  cat "$tree"/tools/*.sh | grep -q "{$list\[@\]}" || complain "packages.sh: nobody installs $list"
done <"$place/lists"
exit $bad
