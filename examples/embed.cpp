// SPDX-License-Identifier: Apache-2.0
// Classifies one picture:  embed MODEL [PICTURE]   PICTURE: binary PGM or PPM, or raw bytes, of the model's
// size
#include <bitplane/engine.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iterator>

static int fail(const std::string& what) {
  std::fprintf(stderr, "embed: %s\n", what.c_str());
  return 1;
}

int main(int argc, char** argv) {
  using namespace bitplane::engine;
  if (argc < 2) return fail("usage: embed MODEL [PICTURE]");
  const auto model = Model::load(std::string(argv[1]));
  if (!model.ok()) return fail(model.status().message());
  auto session = Session::create(model.value());
  if (!session.ok()) return fail(session.status().message());
  const auto [height, width, channels] = model.value().input();
  std::vector<std::uint8_t> pixels(height * width * channels, 128);  // without a picture: grey
  if (argc > 2) {
    std::ifstream file(argv[2], std::ios::binary);
    const std::string bytes(std::istreambuf_iterator<char>(file), {});
    char kind = 0;
    std::size_t w = 0, h = 0;
    // The header of PGM (P5) and PPM (P6) without comments; raw bytes have none.
    const bool read = std::sscanf(bytes.c_str(), "P%c %zu %zu", &kind, &w, &h) == 3;
    const bool fits = read && w == width && h == height && kind == (channels == 1 ? '5' : '6');
    if (bytes.size() < pixels.size() || (bytes.size() > pixels.size() && !fits))
      return fail("no picture of the model's size");
    std::copy_n(bytes.end() - static_cast<std::ptrdiff_t>(pixels.size()), pixels.size(), pixels.begin());
  }
  if (const auto status = session->run(pixels); !status.ok()) return fail(status.message());
  const auto scores = session->output();
  const auto best = static_cast<std::size_t>(std::max_element(scores.begin(), scores.end()) - scores.begin());
  std::printf("%s\n", best < model.value().labels().size() ? model.value().labels()[best].c_str() : "?");
}
