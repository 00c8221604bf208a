#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# From pictures to a bit-serial prediction: trains a small CNN twice (float, and LQ-Nets with 2-bit weights and
# 2-bit activations), exports both, verifies the engine against the trainer bit for bit, and compares them.
set -euo pipefail

usage() {
  cat <<'TEXT'
Examples:
  tools/quickstart.sh                       Fashion-MNIST, everything installed as needed
  tools/quickstart.sh --no-install          with what the machine has
  tools/quickstart.sh --data synthetic      without any data set: pictures drawn by the trainer itself

Options:
  --data NAME       fashion-mnist (default) or synthetic
  --data-dir DIR    where the data set's files are
  --epochs N        default 5
  --out DIR         default runs/quickstart-<data>; must not hold an earlier run
  --no-install      installs nothing
TEXT
}

data=fashion-mnist data_dir="" epochs=5 out="" install=yes
while [ $# -gt 0 ]; do
  case "$1" in
    --data) data=${2:?--data needs a name}; shift 2 ;;
    --data-dir) data_dir=$(realpath -m "${2:?--data-dir needs a folder}"); shift 2 ;;
    --epochs) epochs=${2:?--epochs needs a number}; shift 2 ;;
    --out) out=$(realpath -m "${2:?--out needs a folder}"); shift 2 ;;
    --no-install) install=no; shift ;;
    --help | -h) usage; exit 0 ;;
    *) echo "quickstart: error: unknown option '$1' (see tools/quickstart.sh --help)" >&2; exit 2 ;;
  esac
done

cd "$(dirname "$0")/.."
. tools/packages.sh
out=${out:-runs/quickstart-$data}
if [ -e "$out" ]; then
  echo "quickstart: error: $out exists already: remove it, or choose another folder with --out" >&2
  exit 2
fi
if [ "$install" = yes ]; then
  packages=("${build_packages[@]}")
  if [ "$data" = fashion-mnist ] && [ -z "$data_dir" ]; then packages+=("${data_packages[@]}"); fi
  install_packages "${packages[@]}"
fi
if [ "$data" = fashion-mnist ] && [ -z "$data_dir" ] && [ ! -d /usr/share/datasets/fashion-mnist ]; then
  echo "quickstart: error: Fashion-MNIST is not installed. On Debian: apt-get install ${data_packages[*]}. Elsewhere:" \
       "give the folder of its four IDX files with --data-dir, or use --data synthetic, which needs no files." >&2
  exit 3
fi
folder_arguments=()
if [ -n "$data_dir" ]; then folder_arguments=(--data-dir "$data_dir"); fi
data_arguments=(--data "$data" "${folder_arguments[@]}")

commands=()
# run COMMAND...: shows it, remembers it, runs it.
run() {
  commands+=("$*")
  printf '\n$ %s\n' "$*" >&2
  "$@"
}

run cmake --preset release >/dev/null
run cmake --build --preset release
bin=build/release/bin
threads=$(nproc)
mkdir -p "$out"

train() {  # train NAME WBITS ABITS METHOD
  run $bin/trainer train "${data_arguments[@]}" --net cnn-small --method "$4" --wbits "$2" --abits "$3" \
      --epochs "$epochs" --seed 1 --threads "$threads" --out "$out/$1"
  run $bin/trainer export "$out/$1" --out "$out/$1.safetensors"
  run $bin/trainer eval "$out/$1" "${data_arguments[@]}" --threads "$threads" --trace "$out/$1.trace"
  run $bin/bitplane verify "$out/$1.safetensors" --trace "$out/$1.trace" "${folder_arguments[@]}" --threads "$threads"
}
train float 32 32 float
train lq-2-2 2 2 lq-nets

run $bin/bitplane info "$out/lq-2-2.safetensors"
run $bin/bitplane pictures "${data_arguments[@]}" --count 4 --out "$out/pictures"
run $bin/bitplane run "$out/lq-2-2.safetensors" "$out"/pictures/*.png
run $bin/bitplane compare "$out/float.safetensors" "$out/lq-2-2.safetensors" "${data_arguments[@]}" --threads 1

printf '\nThe commands of this run, to go on by hand:\n'
printf '  %s\n' "${commands[@]}"
