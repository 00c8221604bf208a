#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# evaluation_symbols.sh "OBJECT OBJECT ...": the object files of trainer/evaluation may use, of this project, only each
# other, the thread pool, its own exp and log, the digest of codes, CPU detection and the f32 kernels: no engine, no bit kernels.
set -euo pipefail
read -r -a objects <<<"$1"
if [ "${#objects[@]}" -lt 4 ]; then
  echo "expected the object files of trainer/evaluation, got ${#objects[@]}" >&2
  exit 1
fi
allowed='^bitplane::(train::ThreadPool::|train::math::(exp|log)\(|engine::data::(digest_codes|inference_picture)\(|cli::exit_code_of\(|kernels::(F32Panels|F32Conv|select_f32|pack_f32_panels|detect_cpu)\b)'

used=$(nm -C --undefined-only "${objects[@]}" | sed -n 's/^ *[Uvw] \(bitplane::.*\)/\1/p' | sort -u)
own=$(nm -C --defined-only "${objects[@]}" | sed -n 's/^[0-9a-f]* [A-Za-z] \(bitplane::.*\)/\1/p' | sort -u)
if [ -z "$own" ] || ! grep -q 'bitplane::kernels::F32Conv::forward' <<<"$used"; then
  echo "the symbols of ${objects[*]} could not be read" >&2
  exit 1
fi
foreign=$(comm -23 <(echo "$used") <(echo "$own") | grep -vE "$allowed" || true)
if [ -n "$foreign" ]; then
  echo "trainer/evaluation must not use, or its agreement with the engine means nothing:" >&2
  echo "$foreign" >&2
  exit 1
fi
