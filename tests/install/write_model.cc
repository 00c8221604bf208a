// SPDX-License-Identifier: Apache-2.0
// write_model MODEL PICTURE: writes a small net and a PGM picture for it, prints the label that the oracle
// gives it.
#include <algorithm>
#include <cstdio>
#include <fstream>

#include "engine/reference/interpreter.h"
#include "engine/reference/specs.h"

int main(int argc, char** argv) {
  using namespace bitplane::engine;
  if (argc != 3) return 2;
  ModelSpec spec = reference::small_net();
  spec.golden.input = reference::pictures(spec, 1);
  spec.golden.output =
      reference::interpret(spec, reference::preprocess(spec.input, spec.golden.input)).at(spec.output).values;
  if (const Status status = write_model(argv[1], spec); !status.ok()) {
    std::fprintf(stderr, "%s\n", status.message().c_str());
    return 1;
  }
  const std::vector<std::uint8_t> picture = reference::pictures(spec, 1);
  std::ofstream file(argv[2], std::ios::binary);
  file << "P5\n" << spec.input.width << " " << spec.input.height << "\n255\n";
  file.write(reinterpret_cast<const char*>(picture.data()), static_cast<std::streamsize>(picture.size()));
  if (!file.flush()) return 1;
  const std::vector<float> scores =
      reference::interpret(spec, reference::preprocess(spec.input, picture)).at(spec.output).values;
  const auto best = static_cast<std::size_t>(std::max_element(scores.begin(), scores.end()) - scores.begin());
  std::printf("%s\n", spec.labels[best].c_str());
}
