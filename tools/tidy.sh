#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# clang-tidy over the sources of a configured build. Usage: tools/tidy.sh [FILE_REGEX]
set -euo pipefail
cd "$(dirname "$0")/.."
[ -f build/dev/compile_commands.json ] || cmake --preset dev
# Only what this machine builds: clang-tidy can't read another architecture's files with this one's flags.
git ls-files 'kernels/*.cc' 'engine/*.cc' 'trainer/*.cc' 'bench/*.cc' | grep -E "${1:-.}" |
  while read -r file; do if grep -qF "/$file\"" build/dev/compile_commands.json; then echo "$file"; fi; done |
  xargs -P "$(nproc)" -n 4 clang-tidy -p build/dev --quiet --extra-arg=-Wno-unknown-warning-option
