#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what the tests need, builds everything with warnings as errors, and runs every test.
# Usage: tools/test.sh [--no-install]
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/packages.sh

case "${1:-}" in
  --no-install) ;;
  "") install_packages "${build_packages[@]}" "${test_packages[@]}" "${data_packages[@]}" ;;
  *) echo "usage: tools/test.sh [--no-install]" >&2; exit 2 ;;
esac
if [ ! -d /usr/share/datasets/fashion-mnist ]; then
  echo "Fashion-MNIST is not installed: the tests that need it are skipped. On Debian: apt-get install" \
       "${data_packages[*]}; elsewhere: put its four IDX files (.gz or not) into /usr/share/datasets/fashion-mnist." >&2
fi
cmake --preset test
cmake --build --preset test
ctest --preset test -j "$(nproc)"
