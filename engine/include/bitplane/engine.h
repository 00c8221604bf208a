// SPDX-License-Identifier: Apache-2.0
//
// Bitplane's inference engine: load a low-bit network once, run it from any number of threads.
//
//   auto model = bitplane::engine::Model::load("net.safetensors");
//   if (!model.ok()) return fail(model.status().message());
//   auto session = bitplane::engine::Session::create(model.value(), {.batch = 1});
//   if (!session.ok()) return fail(session.status().message());
//   session->run(pixels);                                  // uint8 NHWC
//   std::span<const float> logits = session->output();     // [batch][classes]
//
// A Model is immutable and shared; a Session belongs to one thread at a time, takes all its memory in
// create(), and allocates, throws and prints nothing in run().
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bitplane/status.h"

namespace bitplane::engine {

struct ModelSpec;

struct LoadOptions {
  std::size_t max_bytes = std::size_t{1} << 32;  ///< a larger file is refused before it is read
};

struct InputShape {
  std::size_t height = 0, width = 0, channels = 0;
};

class Model {
 public:
  static Result<Model> load(const std::string& path, const LoadOptions& options = {});
  static Result<Model> load(std::span<const std::byte> bytes, const LoadOptions& options = {});
  /// From a spec in memory; what the loader does after parsing.
  static Result<Model> from_spec(ModelSpec spec);

  [[nodiscard]] InputShape input() const noexcept;
  [[nodiscard]] std::size_t output_size() const noexcept;  ///< floats per picture
  [[nodiscard]] std::span<const std::string> labels() const noexcept;
  [[nodiscard]] const ModelSpec& spec() const noexcept;
  [[nodiscard]] std::size_t file_bytes() const noexcept;  ///< 0 when not from a file

  struct Impl;

 private:
  friend class Session;
  explicit Model(std::shared_ptr<Impl> impl) noexcept;
  std::shared_ptr<Impl> impl_;
};

struct SessionOptions {
  std::size_t batch = 1;
  std::size_t threads = 1;  ///< the calling thread and threads - 1 workers; results do not depend on it
  std::string isa = {};     ///< "" = BITPLANE_ISA, else the best present; a name limits to that level
  /// Family of the kernels that convolve planes: "" = the cheapest per layer, else e.g. "bitserial" wherever
  /// it supports the layer. The results do not depend on it.
  std::string family = {};
  bool autotune = false;       ///< choose those kernels by timing each on its layer, instead of by estimate
  bool capture_codes = false;  ///< keep every quantizer's codes for codes()
};

/// One executed step of the plan, for `info`, `bench` and tests.
struct StepInfo {
  std::string name;    ///< the nodes that it computes, joined with '+'
  std::string op;      ///< e.g. "conv2d", "max_pool"
  std::string kernel;  ///< e.g. "bitserial_32x6_avx512"; the steps without variants say "common"
  std::string isa;
  InputShape in, out;
  std::size_t weight_bits = 32, activation_bits = 32, out_bits = 32;  ///< planes; 32 = float
  std::size_t parameters = 0, parameter_bytes = 0;                    ///< as stored in the file
  std::size_t macs = 0;                                               ///< per picture
  /// Per picture: macs x weight planes x activation planes; 0 in float steps.
  std::size_t bit_operations = 0;
  /// Output channels whose code no input can change; counted where weights and activations are uniform.
  std::size_t constant_channels = 0;
};

class Session {
 public:
  static Result<Session> create(const Model& model, const SessionOptions& options = {});
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;
  ~Session();

  /// uint8 NHWC, [batch][height][width][channels]; the file's preprocessing is applied.
  Status run(std::span<const std::uint8_t> pictures) noexcept;
  /// float NHWC, already preprocessed.
  Status run(std::span<const float> pictures) noexcept;
  /// Of the last run: [batch][output_size()].
  [[nodiscard]] std::span<const float> output() const noexcept;

  [[nodiscard]] std::span<const StepInfo> steps() const noexcept;
  /// Nanoseconds that each step took in the last run, in the order of steps().
  [[nodiscard]] std::span<const std::uint64_t> step_nanoseconds() const noexcept;
  [[nodiscard]] std::size_t memory_bytes() const noexcept;  ///< arena and scratch, without the packed weights
  [[nodiscard]] std::string_view isa() const noexcept;

  /// Names of the quantize nodes, in graph order; with capture_codes, codes(i) are those of the last run:
  /// [batch][height][width][channels].
  [[nodiscard]] std::span<const std::string> quantizers() const noexcept;
  [[nodiscard]] std::span<const std::uint8_t> codes(std::size_t quantizer) const noexcept;
  [[nodiscard]] InputShape codes_shape(std::size_t quantizer) const noexcept;

 private:
  struct Impl;
  explicit Session(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

/// Runs the file's golden pair: Ok when the output is equal bit for bit (or when the file has none).
Status self_test(const Model& model, const SessionOptions& options = {});

}  // namespace bitplane::engine
