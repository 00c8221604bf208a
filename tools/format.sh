#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Formats every C++ file of the repository.
set -euo pipefail
cd "$(dirname "$0")/.."
find kernels engine trainer bench tests examples -name '*.h' -o -name '*.cc' -o -name '*.cpp' | xargs clang-format -i
