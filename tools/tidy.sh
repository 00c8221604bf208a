#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# clang-tidy over the sources that this machine builds. Usage: tools/tidy.sh [--no-install] [FILE_REGEX]
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/packages.sh

if [ "${1:-}" = --no-install ]; then
  shift
else
  install_packages "${build_packages[@]}" "${test_packages[@]}" "${tidy_packages[@]}"
fi
cmake --preset dev >&2
# Only what this machine builds: clang-tidy can't read another architecture's files with this one's flags.
files=() left_out=()
while read -r file; do
  if grep -qF "/$file\"" build/dev/compile_commands.json; then files+=("$file"); else left_out+=("$file"); fi
done < <(git ls-files 'kernels/*.cc' 'engine/*.cc' 'trainer/*.cc' 'bench/*.cc' | grep -E "${1:-.}")
[ ${#left_out[@]} -eq 0 ] || echo "tidy: left out, this machine does not build them: ${left_out[*]}" >&2
[ ${#files[@]} -gt 0 ] || { echo "tidy: error: no file to check" >&2; exit 2; }
printf '%s\n' "${files[@]}" |
  xargs -P "$(nproc)" -n 4 clang-tidy -p build/dev --quiet --extra-arg=-Wno-unknown-warning-option
