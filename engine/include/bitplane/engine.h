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

#include "bitplane/export.h"
#include "bitplane/status.h"

namespace bitplane::engine {

class FileImage;
struct ModelSpec;

struct LoadOptions {
  std::size_t max_bytes = std::size_t{1} << 32;  ///< a larger file is refused before it is read
};

struct InputShape {
  std::size_t height = 0, width = 0, channels = 0;
};

class BITPLANE_API Model {
 public:
  /// The file is read into private memory and checked there. The first session packs the weights and gives
  /// that memory back; the file then stays mapped, which costs none. A session that needs another layout
  /// (other kernels, another input size) reads the file again and fails with IoError if it has changed
  /// meanwhile: a file that is truncated or rewritten while the model is in use does no harm to sessions.
  static Result<Model> load(const std::string& path, const LoadOptions& options = {});
  /// Of a file in memory. The bytes are copied, and the copy stays.
  static Result<Model> load(std::span<const std::byte> bytes, const LoadOptions& options = {});
  /// From a spec in memory; what the loader does after parsing. Weights that view a loaded file are copied:
  /// IoError if that file has changed meanwhile.
  static Result<Model> from_spec(ModelSpec spec);

  [[nodiscard]] InputShape input() const noexcept;
  [[nodiscard]] std::size_t output_size() const noexcept;  ///< floats per picture
  [[nodiscard]] std::span<const std::string> labels() const noexcept;
  [[nodiscard]] std::span<const std::string> input_names() const noexcept;   ///< {"input"}
  [[nodiscard]] std::span<const std::string> output_names() const noexcept;  ///< the output node's name
  /// Its weights may lie in a mapping of the file (see load()): for tools; an application never needs them.
  [[nodiscard]] const ModelSpec& spec() const noexcept;
  [[nodiscard]] std::size_t file_bytes() const noexcept;  ///< 0 when not from a file
  /// What the model holds now and its sessions share: packed weights, in all layouts and input sizes in use,
  /// and the copy of the file while there is one. Not: the graph and its small tensors (BN, thresholds,
  /// labels), which are some kilobytes. Session::memory_bytes() counts the rest.
  [[nodiscard]] std::size_t memory_bytes() const noexcept;

  struct BITPLANE_HIDDEN Impl;

 private:
  static Result<Model> load_image(std::shared_ptr<FileImage> image);
  friend class Session;
  explicit Model(std::shared_ptr<Impl> impl) noexcept;
  std::shared_ptr<Impl> impl_;
};

/// The application's own threads, for sessions that shall start none.
struct Executor {
  /// Calls task(task_context, i) once for each i in [0, tasks), on any threads, in any order, and returns
  /// when all calls have. Neither may throw. Called by run(), from the thread that called it, once for each
  /// step that has work for several: never where SessionOptions::threads is 1.
  void (*run)(void* context, std::size_t tasks, void (*task)(void* task_context, std::size_t index) noexcept,
              void* task_context) noexcept = nullptr;
  void* context = nullptr;
};

struct SessionOptions {
  std::size_t batch = 1;
  /// The size of the pictures; 0: the one that the model was trained with. A model that cannot take another
  /// (a linear layer behind a flattened map has a fixed number of inputs) makes create() say so.
  std::size_t height = 0, width = 0;
  /// Into how many parts each layer is divided: the calling thread and threads - 1 workers, or as many tasks
  /// of the executor. Results do not depend on it.
  std::size_t threads = 1;
  Executor executor = {};  ///< none: the session starts its own workers
  /// "" = BITPLANE_ISA, else the best present; a name limits to that level. With amx, Linux is asked for a
  /// permission for the whole process, after which signal stacks (sigaltstack) of 8 KiB are refused.
  std::string isa = {};
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

class BITPLANE_API Session {
 public:
  static Result<Session> create(const Model& model, const SessionOptions& options = {});
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;
  ~Session();

  /// uint8 NHWC, [batch][height][width][channels]; the file's preprocessing is applied.
  Status run(std::span<const std::uint8_t> pictures) noexcept;
  /// float NHWC, already preprocessed. Unsupported where the first layer multiplies the picture's bytes.
  Status run(std::span<const float> pictures) noexcept;
  /// Of the last run: [batch][output_size()].
  [[nodiscard]] std::span<const float> output() const noexcept;
  /// By its name, one of Model::output_names(). NotFound when there is none of that name.
  [[nodiscard]] Result<std::span<const float>> output(std::string_view name) const noexcept;

  [[nodiscard]] InputShape input() const noexcept;         ///< of a picture
  [[nodiscard]] InputShape output_shape() const noexcept;  ///< per picture
  [[nodiscard]] std::size_t output_size() const noexcept;  ///< floats per picture

  [[nodiscard]] std::span<const StepInfo> steps() const noexcept;
  /// Nanoseconds that each step took in the last run, in the order of steps().
  [[nodiscard]] std::span<const std::uint64_t> step_nanoseconds() const noexcept;
  /// The session's own memory: the arena of all values and the threads' scratch. Not: the packed weights,
  /// which Model::memory_bytes() counts, some kilobytes of tables, captured codes, the workers' stacks.
  [[nodiscard]] std::size_t memory_bytes() const noexcept;
  [[nodiscard]] std::string_view isa() const noexcept;

  /// Names of the quantize nodes, in graph order; with capture_codes, codes(i) are those of the last run:
  /// [batch][height][width][channels]. Of an i that is not below quantizers().size(), codes and shape are
  /// empty.
  [[nodiscard]] std::span<const std::string> quantizers() const noexcept;
  [[nodiscard]] std::span<const std::uint8_t> codes(std::size_t quantizer) const noexcept;
  [[nodiscard]] InputShape codes_shape(std::size_t quantizer) const noexcept;

 private:
  struct BITPLANE_HIDDEN Impl;
  explicit Session(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

/// Runs the file's golden pair: Ok when the output is equal bit for bit (or when the file has none).
BITPLANE_API Status self_test(const Model& model, const SessionOptions& options = {});

}  // namespace bitplane::engine
