#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every C++ file is as clang-format 14 leaves it. Usage: format.sh SOURCE_DIR
set -u
cd "$1" || exit 2
if ! command -v clang-format >/dev/null; then echo "SKIPPED: clang-format is not installed"; exit 77; fi
bad=$(find kernels engine trainer bench tests examples -name '*.h' -o -name '*.cc' -o -name '*.cpp' | sort |
      xargs -r clang-format --dry-run 2>&1 | grep -oE '^[^:]+:[0-9]+' | sort -u | head -n 20)
if [ -n "$bad" ]; then printf '%s\n  mend with: tools/format.sh\n' "$bad"; exit 1; fi
