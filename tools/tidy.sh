#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# clang-tidy over the sources of a configured build. Usage: tools/tidy.sh [FILE_REGEX]
set -euo pipefail
cd "$(dirname "$0")/.."
[ -f build/dev/compile_commands.json ] || cmake --preset dev
git ls-files 'kernels/*.cc' 'engine/*.cc' 'trainer/*.cc' 'bench/*.cc' | grep -E "${1:-.}" |
  xargs -P "$(nproc)" -n 4 clang-tidy -p build/dev --quiet
