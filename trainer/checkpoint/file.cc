// SPDX-License-Identifier: Apache-2.0
#include "trainer/checkpoint/file.h"

#include <span>

#include "bitplane/model_spec.h"
#include "engine/cli/shared/errors.h"
#include "engine/cli/shared/input_files.h"

namespace bitplane::train {

std::string read_file_text(const std::string& path) {
  return cli::read_text_file(path);
}

std::vector<std::byte> read_file_bytes(const std::string& path) {
  const std::string text = read_file_text(path);
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

void write_file_text(const std::string& path, std::string_view text) {
  cli::check(engine::write_file_atomically(path, std::as_bytes(std::span(text))));
}

}  // namespace bitplane::train
