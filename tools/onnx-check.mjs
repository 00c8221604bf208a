// SPDX-License-Identifier: Apache-2.0
//
// Compares an exported ONNX graph with the engine, by ONNX Runtime. Called by tools/onnx-check.sh:
//
//   node onnx-check.mjs RUNTIME_DIR BITPLANE MODEL FOLDER DATA_FLAGS...
//
// FOLDER holds plain.onnx, quantizers.onnx and dump.safetensors of the model. Exit code 1 when more than 0.05 % of
// the predictions differ, or when a difference does not begin at a value next to a threshold.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const [runtimeDir, bitplane, model, folder, ...dataFlags] = process.argv.slice(2);
const ort = createRequire(join(runtimeDir, "package.json"))("onnxruntime-node");
const kBatch = 100;
const kMostDifferent = 0.0005;
const kNextToThreshold = 1e-4;

function readSafetensors(path) {
  const bytes = readFileSync(path);
  const start = 8 + Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, start).toString());
  const arrays = { U8: Uint8Array, I32: Int32Array, F32: Float32Array };
  const tensors = {};
  for (const [name, entry] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    const { dtype, shape, data_offsets: [begin, end] } = entry;
    const copy = Uint8Array.from(bytes.subarray(start + begin, start + end));
    tensors[name] = { shape, data: new arrays[dtype](copy.buffer) };
  }
  return tensors;
}

/// Pictures [first, first + count), NHWC bytes to NCHW floats.
function pictureTensor({ shape: [, height, width, channels], data }, first, count) {
  const pixels = height * width;
  const floats = new Float32Array(count * pixels * channels);
  for (let n = 0; n < count; ++n) {
    for (let p = 0; p < pixels; ++p) {
      for (let c = 0; c < channels; ++c)
        floats[(n * channels + c) * pixels + p] = data[((first + n) * pixels + p) * channels + c];
    }
  }
  return new ort.Tensor("float32", floats, [count, channels, height, width]);
}

function argmax(values, first, count) {
  let best = 0;
  for (let i = 1; i < count; ++i) if (values[first + i] > values[first + best]) best = i;
  return best;
}

/// Where the picture's first differing quantizer stands, and how far from a threshold its differing inputs are.
async function explain(session, picture) {
  const file = join(folder, "one.safetensors");
  execFileSync(bitplane, ["dump", model, ...dataFlags, "--first", String(picture), "--count", "1", "--codes",
                          "--out", file]);
  const engine = readSafetensors(file);
  const results = await session.run({ input: pictureTensor(engine.pictures, 0, 1) });
  const inputs = JSON.parse(readFileSync(join(folder, "export.json"), "utf8")).quantizers;
  for (const { name, input } of inputs) {
    const codes = engine["codes." + name], levels = engine["levels." + name].data;
    const thresholds = engine["thresholds." + name].data;
    const [, height, width, channels] = codes.shape;
    const theirs = results[name].data, x = results[input].data;
    let different = 0, farthest = 0;
    for (let p = 0; p < height * width; ++p) {
      for (let c = 0; c < channels; ++c) {
        const at = c * height * width + p;
        if (levels[codes.data[p * channels + c]] === theirs[at]) continue;
        ++different;
        farthest = Math.max(farthest, Math.min(...Array.from(thresholds, (t) => Math.abs(x[at] - t))));
      }
    }
    if (different > 0) return { layer: name, different, farthest };
  }
  return null;
}

const dump = readSafetensors(join(folder, "dump.safetensors"));
const [count, classes] = dump.outputs.shape;
const plain = await ort.InferenceSession.create(join(folder, "plain.onnx"));
const different = [];
let largest = 0;
for (let first = 0; first < count; first += kBatch) {
  const batch = Math.min(kBatch, count - first);
  const results = await plain.run({ input: pictureTensor(dump.pictures, first, batch) });
  const values = results[plain.outputNames[0]].data;
  for (let i = 0; i < batch; ++i) {
    const ours = argmax(dump.outputs.data, (first + i) * classes, classes);
    const theirs = argmax(values, i * classes, classes);
    if (ours !== theirs) different.push({ picture: first + i, ours, theirs });
    for (let c = 0; c < classes; ++c)
      largest = Math.max(largest, Math.abs(values[i * classes + c] - dump.outputs.data[(first + i) * classes + c]));
  }
}
console.log(`predictions ${count - different.length}/${count} equal, largest difference of an output ${largest}`);
let failed = different.length > kMostDifferent * count;
const withQuantizers =
    different.length === 0 ? null : await ort.InferenceSession.create(join(folder, "quantizers.onnx"));
for (const { picture, ours, theirs } of different) {
  const found = await explain(withQuantizers, picture);
  const explained = found !== null && found.farthest <= kNextToThreshold;
  failed ||= !explained;
  console.log(`picture ${picture}: engine ${ours}, ONNX Runtime ${theirs}; ` + (found === null
      ? "no code differs"
      : `first in ${found.layer}, ${found.different} codes, their inputs at most ${found.farthest} from a threshold`));
}
console.log(failed ? "FAILED" : "passed");
process.exit(failed ? 1 : 0);
