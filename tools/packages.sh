# SPDX-License-Identifier: Apache-2.0
# Sourced by the scripts of this folder: the Debian packages, and how they are installed.

build_packages=(g++ cmake ninja-build libeigen3-dev libxsimd-dev libstb-dev nlohmann-json3-dev libcli11-dev zlib1g-dev)
test_packages=(libgtest-dev googletest libbenchmark-dev clang-format binutils pkg-config jq)
aarch64_packages=(g++-aarch64-linux-gnu qemu-user googletest)
bench_packages=(libdnnl-dev) # a peer in the benchmark's table; optional
tidy_packages=(clang-tidy)
data_packages=(dataset-fashion-mnist)

# install_packages PACKAGE...: prints and installs those that are missing; sudo only when not root.
install_packages() {
  if ! command -v dpkg-query >/dev/null; then
    echo "not a Debian system: install the equivalents of: $*" >&2
    return 0
  fi
  local missing=() package
  for package in "$@"; do
    dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  echo "installing Debian packages: ${missing[*]}" >&2
  local run=()
  if [ "$(id -u)" -ne 0 ]; then run=(sudo); fi
  "${run[@]}" apt-get update -qq >&2
  "${run[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
}
