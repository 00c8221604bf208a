#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds kernels and engine for 64-bit ARM and runs their tests in qemu's user mode emulation. A NEON level that
# cannot run fails (BITPLANE_REQUIRE_ISA in the test preset). Usage: tools/aarch64.sh [--no-install]
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/packages.sh

case "${1:-}" in
  --no-install) ;;
  "") install_packages "${build_packages[@]}" "${aarch64_packages[@]}" ;;
  *) echo "usage: tools/aarch64.sh [--no-install]" >&2; exit 2 ;;
esac
cmake --preset aarch64
cmake --build --preset aarch64
ctest --preset aarch64 -j "$(nproc)"
