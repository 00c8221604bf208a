// SPDX-License-Identifier: Apache-2.0
#include "trainer/checkpoint/file.h"

#include <fstream>
#include <iterator>
#include <span>

#include "bitplane/model_spec.h"
#include "engine/cli/shared/errors.h"

namespace bitplane::train {

std::string read_file_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw cli::CommandError(cli::ExitCode::BadInput, "cannot open '" + path + "'");
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (file.bad()) throw cli::CommandError(cli::ExitCode::BadInput, "cannot read '" + path + "'");
  return text;
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
