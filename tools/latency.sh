#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The latency of whole nets: writes untrained ones, measures them with `bitplane bench`, prints a Markdown table.
# Of several rounds, in which all variants of a row take turns, each cell is the median of the rounds' medians, in
# milliseconds; start-up is from the file to the first picture.
set -euo pipefail

usage() {
  cat <<'TEXT'
Examples:
  tools/latency.sh                  installs what is needed, builds, measures; keep the machine quiet
  tools/latency.sh --no-install --rounds 1
  tools/latency.sh --json rows.json the numbers as well, one object per cell and line

Options:
  --rounds N        default 5
  --json FILE       written anew
  --no-install      installs nothing
TEXT
}

rounds=5 json="" install=yes
while [ $# -gt 0 ]; do
  case "$1" in
    --rounds)
      rounds=${2:?--rounds needs a number}; shift 2
      [[ $rounds =~ ^[1-9][0-9]*$ ]] || { echo "latency: error: --rounds $rounds: give a number from 1" >&2; exit 2; } ;;
    --json) json=$(realpath -m "${2:?--json needs a file}"); shift 2 ;;
    --no-install) install=no; shift ;;
    --help | -h) usage; exit 0 ;;
    *) echo "latency: error: unknown option '$1' (see tools/latency.sh --help)" >&2; exit 2 ;;
  esac
done
cd "$(dirname "$0")/.."
. tools/packages.sh
if [ "$install" = yes ]; then install_packages "${build_packages[@]}" jq; fi
{
  cmake --preset release
  cmake --build --preset release
} >&2
bin=build/release/bin
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rows=${json:-$work/rows.json}
: >"$rows"

# The net, its bits, the instruction sets ("" is the best that the CPU has), the numbers of threads.
nets=(
  "resnet-18 1/2 |avx512|avx2 1|2"
  "resnet-18 2/2 |avx512|avx2 1"
  "resnet-18 3/3 |avx2 1"
  "resnet-18 4/4 |avx2 1"
  "vgg-small 1/2 |avx512|avx2 1"
  "vgg-small 2/2 |avx512|avx2 1"
  "resnet-20 1/2 |avx512|avx2 1"
  "resnet-20 2/2 |avx512|avx2 1"
  "alexnet 2/2 |avx2 1"
  "alexnet 3/3 |avx2 1"
  "alexnet 4/4 |avx2 1"
)
variants=("uniform 8" "learned 8" "uniform float" "learned float")

# model NET BITS CODES FIRST_LAST: its file, made when it is not there.
model() {
  local file="$work/$1-${2/\//}-$3-$4.safetensors"
  [ -e "$file" ] || "$bin/trainer" init --net "$1" --codes "$3" --wbits "${2%/*}" --abits "${2#*/}" \
    --first-last "$4" --out "$file" >&2 || return
  echo "$file"
}

# median: of the lines of its input.
median() { sort -n | awk '{ x[NR] = $1 } END { print (x[int((NR + 1) / 2)] + x[int((NR + 2) / 2)]) / 2 }'; }

# measure NET BITS ISA THREADS: a line of the table. An instruction set that the CPU lacks is said on stderr; all else that
# fails ends the script.
readonly cannot=4 # the exit code of `bitplane bench` for that
measure() {
  local net=$1 bits=$2 isa=$3 threads=$4 variant round file cells="" name start code
  local flags=(--json --threads "$threads" --repetitions 100)
  if [ -n "$isa" ]; then flags+=(--isa "$isa"); fi
  rm -f "$work"/*.row
  for ((round = 0; round < rounds; ++round)); do
    for variant in "${variants[@]}"; do
      file=$(model "$net" "$bits" $variant)
      code=0
      "$bin/bitplane" bench "$file" "${flags[@]}" >"$work/one.json" 2>"$work/error" || code=$?
      if [ "$code" -eq "$cannot" ] && [ -n "$isa" ]; then
        echo "latency: not measured: $net $bits: $(cat "$work/error")" >&2
        return 0
      fi
      [ "$code" -eq 0 ] || { echo "latency: error: $net $bits $variant: $(cat "$work/error")" >&2; return "$code"; }
      jq -c --arg net "$net" --arg bits "$bits" --arg variant "$variant" --argjson threads "$threads" \
        --argjson bytes "$(stat -c %s "$file")" \
        '{$net, $bits, $variant, isa, $threads, us: .median_us_per_picture, start_ms: (.load_ms + .create_ms), $bytes}' "$work/one.json" |
        tee -a "$rows" >>"$work/$variant.row"
    done
  done
  start=$(jq .start_ms "$work/${variants[0]}.row" | median)
  for variant in "${variants[@]}"; do
    cells+=$(jq .us "$work/$variant.row" | median | awk '{ printf " %.3f |", $1 / 1000 }')
    name=$(jq -r .isa "$work/$variant.row" | head -n 1)
  done
  echo "| $net | $bits | $name | $threads |$cells $(printf %.1f "$start") | $(stat -c %s "$(model "$net" "$bits" ${variants[0]})") |"
}

echo "| net | W/A | ISA | threads | uniform, 8-bit first and last | learned, 8-bit | uniform, float | learned, float | start-up (uniform, 8-bit) | bytes |"
echo "|---|---|---|---|---|---|---|---|---|---|"
for entry in "${nets[@]}"; do
  read -r net bits isas threads_list <<<"$entry"
  IFS='|' read -r -a isas <<<"$isas"
  IFS='|' read -r -a threads_list <<<"$threads_list"
  for isa in "${isas[@]}"; do
    for threads in "${threads_list[@]}"; do measure "$net" "$bits" "$isa" "$threads"; done
  done
done
