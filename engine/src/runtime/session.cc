// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <limits>
#include <new>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

#include "bitplane/engine.h"
#include "io/no_throw.h"
#include "io/text.h"
#include "lowering/choose_kernels.h"
#include "lowering/plan_arena.h"
#include "runtime/autotune.h"
#include "runtime/model_impl.h"
#include "runtime/step_info.h"
#include "runtime/steps/runner.h"
#include "runtime/thread_pool.h"

namespace bitplane::engine {
namespace {

constexpr std::size_t kMaxThreads = 1024;

/// A quantizer's codes, unpacked after the step that first writes its planes.
struct Capture {
  std::size_t quantizer = 0;  ///< index into Program::quantizers
  Place planes;
  kernels::ActivationLayout layout;
};

/// One element of the plan.
struct PlannedStep {
  std::unique_ptr<Runner> runner;
  std::vector<Capture> captures;
};

Result<kernels::CpuFeatures> resolve_features(const std::string& isa) {
  const kernels::IsaResolution resolution = kernels::resolve_isa(isa);
  if (resolution.error == kernels::IsaError::None) return resolution.features;
  std::string message(resolution.requested);
  if (resolution.error == kernels::IsaError::UnknownName) {
    message += ": no such instruction set; known are";
    for (const kernels::IsaInfo& info : kernels::kIsas) message.append(" ").append(info.name);
    return Status(StatusCode::InvalidArgument, message);
  }
  message += ": this CPU or this build lacks that instruction set; leave the choice to the engine";
  return Status(StatusCode::Unsupported, message);
}

/// "" is no wish.
Result<std::optional<kernels::Family>> resolve_family(const std::string& name) {
  std::optional<kernels::Family> found;
  if (name.empty()) return found;
  std::string known;
  for (const kernels::Family family : kernels::lowbit_families()) {
    if (name == kernels::family_name(family)) found = family;
    known.append(" ").append(kernels::family_name(family));
  }
  if (found) return found;
  return Status(StatusCode::InvalidArgument, name + ": no such family of low-bit kernels; known are" + known);
}

Status check_options(const Program& program, const SessionOptions& options) {
  if (options.batch == 0) return {StatusCode::InvalidArgument, "batch must be at least 1"};
  if (options.threads == 0 || options.threads > kMaxThreads) {
    return {StatusCode::InvalidArgument, "threads must be between 1 and " + std::to_string(kMaxThreads)};
  }
  std::size_t picture_bytes = 1;
  for (const Value& value : program.values) picture_bytes += value_bytes(value, 1) + kArenaAlignment;
  if (options.batch > std::numeric_limits<std::size_t>::max() / 4 / picture_bytes) {
    return {StatusCode::OutOfMemory,
            "a batch of " + std::to_string(options.batch) + " pictures fits no memory"};
  }
  return {};
}

std::size_t aligned(std::size_t bytes) {
  return (bytes + kArenaAlignment - 1) / kArenaAlignment * kArenaAlignment;
}

std::uint64_t nanoseconds_since(std::chrono::steady_clock::time_point start) noexcept {
  const auto elapsed = std::chrono::steady_clock::now() - start;
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(elapsed).count());
}

}  // namespace

struct Session::Impl {
  /// Where a WeightsFile::Use is needed, the caller has one.
  Impl(std::shared_ptr<Model::Impl> shared_model, KernelChoice choice, const kernels::LowBitWishes& wishes,
       const SessionOptions& options)
      : model(std::move(shared_model)),
        kernels(std::move(choice)),
        batch(options.batch),
        plan(plan_arena(lifetimes(model->program, options.batch))),
        arena(plan.bytes),
        pool(options.threads, options.executor) {
    if (options.autotune) autotune({*model, plan, options.batch, arena.data()}, wishes, kernels);
    infos = describe_steps(*model, kernels);
    nanoseconds.assign(infos.size(), 0);
    const RunnerContext context{
        .model = *model, .kernels = kernels, .arena = plan, .batch = batch, .threads = options.threads};
    if (model->program.preprocesses) steps.push_back({make_preprocess(context), {}});
    first_step = steps.size();
    for (std::size_t s = 0; s < model->program.steps.size(); ++s) {
      steps.push_back({make_runner(context, s), {}});
    }
    for (const PlannedStep& step : steps) {
      scratch_stride = std::max(scratch_stride, aligned(step.runner->scratch_bytes()));
    }
    // Long strides can ask for more than any memory holds; the product must not wrap round to less.
    if (scratch_stride > std::numeric_limits<std::size_t>::max() / options.threads) throw std::bad_alloc();
    scratch = kernels::AlignedArray<std::byte>(scratch_stride * options.threads);
    for (const std::size_t node : model->program.quantizers) names.push_back(model->spec.nodes[node].name);
    codes.resize(names.size());
    if (options.capture_codes) plan_captures(context);
  }

  [[nodiscard]] NodeShape codes_shape(std::size_t quantizer) const {
    return model->shapes[model->program.quantizers[quantizer]];
  }

  void plan_captures(const RunnerContext& context) {
    for (std::size_t q = 0; q < names.size(); ++q) {
      const NodeShape shape = codes_shape(q);
      codes[q].assign(batch * shape.height * shape.width * shape.channels, 0);
      for (std::size_t s = 0; s < model->program.steps.size(); ++s) {
        const ValueId out = model->program.steps[s].out;
        const Value& value = context.value(out);
        if (value.form != ValueForm::Planes || value.quantizer != model->program.quantizers[q]) continue;
        steps[first_step + s].captures.push_back({q, context.place(out), planes_layout(value)});
        break;
      }
    }
  }

  [[nodiscard]] std::size_t input_size() const noexcept {
    const NodeShape& shape = model->program.values[kInputValue].shape;
    return batch * shape.height * shape.width * shape.channels;
  }
  [[nodiscard]] Buffers buffers() noexcept { return {.arena = arena.data()}; }
  [[nodiscard]] float* input_value() noexcept {
    return reinterpret_cast<float*>(arena.data() + plan.offsets[kInputValue]);
  }

  void run_step(std::size_t s, const Buffers& buffers) noexcept {
    const auto start = std::chrono::steady_clock::now();
    const Runner& runner = *steps[s].runner;
    pool.parallel(runner.rows(), [&](kernels::RowRange range, std::size_t thread) noexcept {
      runner.run(range, buffers, scratch.data() + thread * scratch_stride);
    });
    nanoseconds[s] = nanoseconds_since(start);
    for (const Capture& capture : steps[s].captures) {
      kernels::unpack_codes({.data = capture.planes.bytes(buffers), .layout = capture.layout}, batch,
                            codes[capture.quantizer]);
    }
  }

  std::shared_ptr<Model::Impl> model;
  KernelChoice kernels;
  std::size_t batch;
  ArenaPlan plan;
  std::vector<StepInfo> infos;
  std::vector<std::uint64_t> nanoseconds;
  std::vector<PlannedStep> steps;  ///< preprocessing where floats are wanted, then the program's steps
  std::size_t first_step = 0;      ///< of the program
  kernels::AlignedArray<std::byte> arena;
  std::size_t scratch_stride = 0;
  kernels::AlignedArray<std::byte> scratch;
  std::vector<std::string> names;                ///< of the quantizers
  std::vector<std::vector<std::uint8_t>> codes;  ///< of the quantizers; empty when not captured
  ThreadPool pool;
};

Session::Session(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;
Session::~Session() = default;

Result<Session> Session::create(const Model& model, const SessionOptions& options) {
  return no_throw([&]() -> Result<Session> {
    const InputSpec& trained = model.impl_->spec.input;
    const std::size_t height = options.height != 0 ? options.height : trained.height;
    const std::size_t width = options.width != 0 ? options.width : trained.width;
    std::shared_ptr<Model::Impl> impl = model.impl_;
    std::optional<WeightsFile::Use> use;
    const auto use_weights = [&]() -> Status {
      if (use) return {};
      Result<WeightsFile::Use> made = impl->file->use();
      if (!made.ok()) return made.status();
      use.emplace(std::move(made).value());
      return {};
    };
    if (height != trained.height || width != trained.width) {
      if (Status status = use_weights(); !status.ok()) return status;
      Result<std::shared_ptr<Model::Impl>> resized = impl->resized(height, width);
      if (!resized.ok()) return resized.status();
      impl = std::move(resized).value();
    }
    if (Status status = check_options(impl->program, options); !status.ok()) return status;
    const Result<kernels::CpuFeatures> features = resolve_features(options.isa);
    if (!features.ok()) return features.status();
    const Result<std::optional<kernels::Family>> family = resolve_family(options.family);
    if (!family.ok()) return family.status();
    const kernels::LowBitWishes wishes{.features = features.value(), .family = family.value()};
    KernelChoice choice = choose_kernels(impl->spec, impl->program, wishes, options.batch);
    if (options.autotune || !impl->packed.holds_all(choice)) {
      if (Status status = use_weights(); !status.ok()) return status;
    }
    try {
      return Session(std::make_unique<Impl>(std::move(impl), std::move(choice), wishes, options));
    } catch (const std::system_error&) {
      return Status(StatusCode::IoError, "the system gives no " + std::to_string(options.threads) +
                                             " threads to the session; ask for less of them");
    }
  });
}

namespace {

Status wrong_size(std::string_view what, std::size_t got, std::size_t wanted) noexcept {
  return no_throw([&] {
    return Status(StatusCode::InvalidArgument, "run() got " + std::to_string(got) + " " + std::string(what) +
                                                   ", the session's batch takes " + std::to_string(wanted));
  });
}

Status wants_bytes() noexcept {
  return no_throw([] {
    return Status(StatusCode::Unsupported,
                  "the first layer of this model multiplies the picture's bytes: give run() uint8 pictures, "
                  "not floats");
  });
}

}  // namespace

Status Session::run(std::span<const std::uint8_t> pictures) noexcept {
  if (pictures.size() != impl_->input_size())
    return wrong_size("bytes", pictures.size(), impl_->input_size());
  Buffers buffers = impl_->buffers();
  buffers.bytes = pictures.data();
  buffers.input = impl_->input_value();
  for (std::size_t s = 0; s < impl_->steps.size(); ++s) impl_->run_step(s, buffers);
  return {};
}

Status Session::run(std::span<const float> pictures) noexcept {
  if (pictures.size() != impl_->input_size())
    return wrong_size("floats", pictures.size(), impl_->input_size());
  if (impl_->model->program.reads_bytes) return wants_bytes();
  Buffers buffers = impl_->buffers();
  buffers.input = pictures.data();
  if (impl_->first_step > 0) impl_->nanoseconds[0] = 0;
  for (std::size_t s = impl_->first_step; s < impl_->steps.size(); ++s) impl_->run_step(s, buffers);
  return {};
}

std::span<const float> Session::output() const noexcept {
  const Program& program = impl_->model->program;
  const NodeShape& shape = program.values[program.output].shape;
  const auto* data =
      reinterpret_cast<const float*>(impl_->arena.data() + impl_->plan.offsets[program.output]);
  return {data, impl_->batch * shape.height * shape.width * shape.channels};
}

Result<std::span<const float>> Session::output(std::string_view name) const noexcept {
  if (name == impl_->model->output_names.front()) return output();
  return no_throw([&]() -> Result<std::span<const float>> {
    return Status(StatusCode::NotFound, "no output " + in_quotes(name) + "; the model has " +
                                            in_quotes(impl_->model->output_names.front()));
  });
}

InputShape Session::input() const noexcept {
  const NodeShape& shape = impl_->model->program.values[kInputValue].shape;
  return {shape.height, shape.width, shape.channels};
}
InputShape Session::output_shape() const noexcept {
  const Program& program = impl_->model->program;
  const NodeShape& shape = program.values[program.output].shape;
  return {shape.height, shape.width, shape.channels};
}
std::size_t Session::output_size() const noexcept {
  const InputShape shape = output_shape();
  return shape.height * shape.width * shape.channels;
}

std::span<const StepInfo> Session::steps() const noexcept {
  return impl_->infos;
}
std::span<const std::uint64_t> Session::step_nanoseconds() const noexcept {
  return impl_->nanoseconds;
}
std::size_t Session::memory_bytes() const noexcept {
  return impl_->arena.bytes() + impl_->scratch.bytes();
}
std::string_view Session::isa() const noexcept {
  return kernels::isa_name(impl_->kernels.isa);
}
std::span<const std::string> Session::quantizers() const noexcept {
  return impl_->names;
}
std::span<const std::uint8_t> Session::codes(std::size_t quantizer) const noexcept {
  if (quantizer >= impl_->codes.size()) return {};
  return impl_->codes[quantizer];
}

InputShape Session::codes_shape(std::size_t quantizer) const noexcept {
  if (quantizer >= impl_->names.size()) return {};
  const NodeShape shape = impl_->codes_shape(quantizer);
  return {shape.height, shape.width, shape.channels};
}

}  // namespace bitplane::engine
