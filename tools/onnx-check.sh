#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Exports a model as ONNX, runs it with ONNX Runtime over a whole test set and compares the predictions with the
# engine's: at most 0.05 % may differ, each from a value next to a threshold (another order of summation). By hand, not
# in the test suite: it needs Node.js and the npm package onnxruntime-node, whose libraries are inside it.
#
#   tools/onnx-check.sh MODEL.safetensors --data fashion-mnist [--data-dir DIR]
#
# BITPLANE: the command (default: that of the release preset). ONNXRUNTIME_DIR: a folder with node_modules/onnxruntime-node
# (default: installed into a temporary folder).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
[ $# -ge 3 ] || { sed -n '3,10s/^# \{0,1\}//p' "$0"; exit 2; }
model=$1; shift
bitplane=${BITPLANE:-$here/../build/release/bin/bitplane}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
runtime=${ONNXRUNTIME_DIR:-}
if [ -z "$runtime" ]; then
  runtime=$folder/runtime
  mkdir "$runtime"
  (cd "$runtime" && echo '{"private": true}' >package.json &&
    npm install --silent --ignore-scripts onnxruntime-node@1.20.1)
fi
runtime=$(realpath "$runtime")
"$bitplane" export --onnx "$model" --out "$folder/plain.onnx"
"$bitplane" export --onnx --quantizers "$model" --out "$folder/quantizers.onnx" --json >"$folder/export.json"
"$bitplane" dump "$model" "$@" --out "$folder/dump.safetensors"
node "$here/onnx-check.mjs" "$runtime" "$bitplane" "$model" "$folder" "$@"
