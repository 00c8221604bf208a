// SPDX-License-Identifier: Apache-2.0
//
// An untrained model of the synthetic set's shape: a float convolution, two quantizers, a 2/2-bit
// convolution.
#pragma once

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <utility>

#include "bitplane/engine.h"
#include "engine/data/dataset.h"
#include "engine/data/trace.h"
#include "engine/sample_model.h"

namespace bitplane::testing {

inline engine::ModelSpec small_spec() {
  namespace e = bitplane::engine;
  e::testing::SampleMaker make;
  e::ModelSpec spec;
  spec.name = "small";
  spec.input = {28, 28, 1, {0.5F}, {0.25F}};
  const auto norm = [&](std::size_t channels) {
    return e::BatchNorm{make.floats(channels, -1, 1), make.floats(channels, 1, 2),
                        make.floats(channels, 0.5F, 1), make.floats(channels, 0, 1), 1e-5F};
  };
  e::Conv2d first{.out_channels = 8,
                  .kernel_h = 5,
                  .kernel_w = 5,
                  .stride_h = 2,
                  .stride_w = 2,
                  .pad_h = 2,
                  .pad_w = 2,
                  .weights = e::FloatWeights{make.floats(8 * 25, -0.3F, 0.3F)},
                  .bias = {}};
  e::testing::append(spec, "conv1", std::move(first));
  e::testing::append(spec, "bn1", norm(8));
  e::testing::append(spec, "relu1", e::Relu{});
  e::testing::append(spec, "q1",
                     make.quantize(2, e::PlaneEncoding::Unsigned, e::LearnedBasis{{0.45F, 0.9F}}));
  e::Conv2d second{
      .out_channels = 17, .kernel_h = 3, .kernel_w = 3, .pad_h = 1, .pad_w = 1, .weights = {}, .bias = {}};
  e::PlaneWeights planes = make.planes(e::PlaneEncoding::Bipolar, 2, 17, 72);
  planes.basis = e::LearnedBasis{make.floats(34, 0.02F, 0.1F)};
  second.weights = std::move(planes);
  e::testing::append(spec, "conv2", std::move(second));
  e::testing::append(spec, "pool2", e::MaxPool{});
  e::testing::append(spec, "bn2", norm(17));
  e::testing::append(spec, "relu2", e::Relu{});
  e::testing::append(spec, "q2", make.quantize(2, e::PlaneEncoding::Unsigned, e::UniformBasis{{0.25F}}));
  e::Conv2d third{
      .out_channels = 12, .kernel_h = 3, .kernel_w = 3, .pad_h = 1, .pad_w = 1, .weights = {}, .bias = {}};
  e::PlaneWeights signed_planes = make.planes(e::PlaneEncoding::TwosComplement, 2, 12, 153);
  signed_planes.basis = e::UniformBasis{make.floats(12, 0.05F, 0.1F)};
  third.weights = std::move(signed_planes);
  e::testing::append(spec, "conv3", std::move(third));
  e::testing::append(spec, "bn3", norm(12));
  e::testing::append(spec, "relu3", e::Relu{});
  e::testing::append(spec, "pool", e::GlobalAveragePool{});
  e::testing::append(spec, "fc",
                     e::Linear{10, e::FloatWeights{make.floats(120, -1, 1)}, make.floats(10, -1, 1)});
  for (int i = 0; i < 10; ++i) spec.labels.push_back("shape " + std::to_string(i));
  spec.provenance = {{"method", "none"}, {"data", "synthetic"}};
  return spec;
}

/// With the engine's own output as golden pair.
inline engine::ModelSpec small_spec_with_golden() {
  engine::ModelSpec spec = small_spec();
  auto model = engine::Model::from_spec(spec);
  if (!model.ok()) throw std::runtime_error(model.status().message());
  auto session = engine::Session::create(model.value());
  if (!session.ok()) throw std::runtime_error(session.status().message());
  spec.golden.input.resize(28 * 28);
  for (std::size_t i = 0; i < spec.golden.input.size(); ++i)
    spec.golden.input[i] = static_cast<std::uint8_t>(i * 7);
  EXPECT_TRUE(session->run(std::span<const std::uint8_t>(spec.golden.input)).ok());
  spec.golden.output.assign(session->output().begin(), session->output().end());
  return spec;
}

/// What a trainer that agrees with the engine would write for the synthetic test set.
inline engine::data::Trace agreeing_trace(const engine::Model& model) {
  using engine::data::Split;
  const auto set = engine::data::load_dataset("synthetic", "", Split::Test);
  auto session = engine::Session::create(model, {.capture_codes = true});
  if (!set.ok() || !session.ok())
    throw std::runtime_error(set.status().message() + session.status().message());
  engine::data::Trace trace{.header = {.dataset = "synthetic", .classes = 10, .layers = {}}, .pictures = {}};
  for (std::size_t l = 0; l < session->quantizers().size(); ++l) {
    const engine::InputShape shape = session->codes_shape(l);
    trace.header.layers.push_back({session->quantizers()[l], shape.height, shape.width, shape.channels});
  }
  for (std::size_t i = 0; i < set->count; ++i) {
    EXPECT_TRUE(session->run(set->picture(i)).ok());
    engine::data::TracePicture picture{.label = set->labels[i], .logits = {}, .digests = {}};
    picture.logits.assign(session->output().begin(), session->output().end());
    for (std::size_t l = 0; l < trace.header.layers.size(); ++l) {
      std::vector<std::uint32_t> digests(trace.header.layers[l].channels);
      engine::data::digest_codes(session->codes(l), digests.size(), digests);
      picture.digests.insert(picture.digests.end(), digests.begin(), digests.end());
    }
    trace.pictures.push_back(std::move(picture));
  }
  return trace;
}

}  // namespace bitplane::testing
