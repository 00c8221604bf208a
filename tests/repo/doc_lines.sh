#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Prose of the pages has at most 132 columns; rows of tables and blocks of commands are as long as they are.
# Usage: doc_lines.sh SOURCE_DIR
set -u
cd "$1" || exit 2
bad=0 pages=0
while read -r page; do
  pages=$((pages + 1))
  long=$(awk '/^ *```/ { code = !code } { print (code || /^ *```/ || /^ *\|/) ? "" : $0 }' "$page" |
         LC_ALL=C.UTF-8 grep -nE '^.{133}' | cut -d: -f1)
  for line in $long; do echo "$page:$line"; bad=1; done
done < <(find . -name '*.md' -not -path './build/*' -not -path './runs/*' -not -path './.*/*')
[ $pages -gt 0 ] || { echo "no pages below $1"; bad=1; }
[ $bad -eq 0 ] || echo "  rule: at most 132 columns outside of tables and code"
exit $bad
