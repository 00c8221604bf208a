#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every source file says its licence in its first two lines. Usage: spdx.sh SOURCE_DIR
set -u
cd "$1" || exit 2
bad=0
for file in $(find kernels engine trainer bench tests examples cmake tools third_party .ci CMakeLists.txt \
              -name '*.h' -o -name '*.cc' -o -name '*.cpp' -o -name '*.c' -o -name '*.map' -o -name '*.cmake' -o -name '*.in' \
              -o -name 'CMakeLists.txt' -o -name '*.sh' -o -name '*.jq' -o -name '*.mjs' -o -name run); do
  [ -f "$file" ] || continue
  if ! head -n 2 "$file" | grep -q 'SPDX-License-Identifier: Apache-2.0'; then echo "$file"; bad=1; fi
done
[ $bad -eq 0 ] || echo "  rule: an SPDX-License-Identifier in the first two lines"
exit $bad
