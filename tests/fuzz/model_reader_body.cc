// SPDX-License-Identifier: Apache-2.0
#include "fuzz/model_reader_body.h"

#include "bitplane/model_spec.h"
#include "engine/sample_model.h"
#include "model/digest.h"

namespace bitplane::fuzz {
namespace {

using engine::ModelSpec;
using engine::Result;

std::string check_once(std::span<const std::byte> bytes) {
  const Result<ModelSpec> model = engine::parse_model(bytes);
  if (!model.ok()) {
    const std::string& reason = model.status().message();
    return reason.empty() || reason.find('\n') != std::string::npos ? "a refusal without a one-line reason"
                                                                    : "";
  }
  const Result<std::vector<std::byte>> written = engine::serialize_model(model.value());
  if (!written.ok()) return "an accepted model cannot be written: " + written.status().message();
  const Result<ModelSpec> again = engine::parse_model(written.value());
  if (!again.ok()) return "what was written cannot be read: " + again.status().message();
  return again.value() == model.value() ? "" : "writing and reading changed the model";
}

}  // namespace

std::string check_model_reader(std::span<const std::byte> bytes) {
  if (std::string wrong = check_once(bytes); !wrong.empty()) return wrong;
  std::vector<std::byte> sealed(bytes.begin(), bytes.end());
  return engine::seal_digest(sealed).ok() ? check_once(sealed) : "";
}

std::vector<std::vector<std::byte>> seed_models() {
  std::vector<std::vector<std::byte>> seeds;
  for (const ModelSpec& spec : {engine::testing::sample_model(), engine::testing::sample_branches()}) {
    Result<std::vector<std::byte>> bytes = engine::serialize_model(spec);
    seeds.push_back(bytes.ok() ? std::move(bytes).value() : std::vector<std::byte>{});
  }
  return seeds;
}

}  // namespace bitplane::fuzz
