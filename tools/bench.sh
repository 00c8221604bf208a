#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what the benchmarks need, builds them, and prints the whole table: kernels, the machine's peaks and the peers
# of the same run. Usage: tools/bench.sh [--no-install] [OPTION OF bench]... (bench --help lists those)
# Files that its options name lie in the folder from which it is called.
# tools/bench.sh [--no-install] --training [OPTION OF bench_training]... times training steps instead.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/tools/packages.sh"

if [ "${1:-}" = --no-install ]; then
  shift
else
  install_packages "${build_packages[@]}" libbenchmark-dev "${bench_packages[@]}"
fi
program=bench
if [ "${1:-}" = --training ]; then
  shift
  program=bench_training
fi
(
  cd "$root"
  cmake --preset bench
  cmake --build --preset bench --target "$program"
) >&2
exec "$root/build/bench/bin/$program" "$@"
