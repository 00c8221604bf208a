// SPDX-License-Identifier: Apache-2.0
#include "trainer/run/build.h"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "engine/cli/shared/errors.h"
#include "engine/data/nearest_name.h"
#include "trainer/methods/method.h"

namespace bitplane::train {

std::unique_ptr<Module> build_run_net(const Config& config, const PictureShape& input, std::size_t classes,
                                      const Preprocessing& preprocessing) {
  const QuantizationPlan plan = make_plan(resolve_method(method_settings(config)));
  const bool bytes = config.first_last == kFirstLastBytes;
  auto net = build_net(config.net, {.input = input,
                                    .classes = classes,
                                    .width = config.width,
                                    .plan = plan,
                                    .first_last = bytes ? FirstLast::Bytes : FirstLast::Float,
                                    .picture_scale = byte_scales(preprocessing)});
  initialize_parameters(*net, config.seed);
  return net;
}

Preprocessing run_preprocessing(const Config& config, Preprocessing measured) {
  return config.first_last == kFirstLastBytes ? with_whole_byte_means(std::move(measured)) : measured;
}

std::unique_ptr<Optimizer> build_optimizer(const Config& config, Module& net) {
  const OptimizerInfo* info = find_optimizer(config.optimizer);
  if (info == nullptr) throw std::invalid_argument("no optimizer '" + config.optimizer + "'");
  return info->make(named_parameters(net), {.momentum = config.momentum,
                                            .weight_decay = config.weight_decay,
                                            .beta2 = config.beta2,
                                            .epsilon = config.epsilon,
                                            .rules = parse_parameter_rules(config.groups)});
}

std::unique_ptr<Schedule> build_schedule(const Config& config, std::size_t total_steps) {
  const ScheduleInfo* info = find_schedule(config.schedule);
  if (info == nullptr) throw std::invalid_argument("no schedule '" + config.schedule + "'");
  const std::size_t steps_per_epoch = total_steps / std::max<std::size_t>(1, config.epochs);
  std::vector<std::size_t> drops;
  for (const std::uint64_t epoch : drop_epochs(config)) drops.push_back(epoch * steps_per_epoch);
  if (config.drops.empty()) drops = {total_steps / 2, total_steps * 3 / 4};
  return info->make({.rate = config.lr,
                     .total_steps = total_steps,
                     .warmup = config.warmup,
                     .drops = std::move(drops),
                     .drop_factor = config.drop_factor,
                     .power = config.power,
                     .start_divisor = config.start_divisor,
                     .end_divisor = config.end_divisor});
}

Augmentation augmentation_of(const Config& config) noexcept {
  return {.crop_padding = static_cast<std::size_t>(config.crop_padding),
          .crop_area = config.crop_area,
          .flip = config.flip,
          .brightness = config.brightness,
          .contrast = config.contrast,
          .saturation = config.saturation};
}

kernels::CpuFeatures run_features() {
  const kernels::IsaResolution resolution = kernels::resolve_isa("");
  if (resolution.error == kernels::IsaError::UnknownName) {
    std::vector<std::string_view> known;
    for (const kernels::IsaInfo& isa : kernels::kIsas) known.push_back(isa.name);
    throw cli::CommandError(cli::ExitCode::BadUsage,
                            "BITPLANE_ISA: " + engine::data::unknown_name_message(
                                                   "instruction set", resolution.requested, known));
  }
  if (resolution.error == kernels::IsaError::Unsupported) {
    throw cli::CommandError(cli::ExitCode::Unsupported, "BITPLANE_ISA: this machine or this build lacks '" +
                                                            std::string(resolution.requested) +
                                                            "'; unset it, or see: trainer --version");
  }
  return resolution.features;
}

BackendOptions backend_options(const Config& config, std::size_t threads) {
  BackendOptions options{.features = run_features(), .threads = threads};
  for (const PrecisionInfo& info : kPrecisions) {
    if (info.name == config.precision) options.precision = info.precision;
  }
  if (options.precision == Precision::Bf16 && kernels::select_bf16(options.features) == nullptr) {
    throw cli::CommandError(cli::ExitCode::Unsupported,
                            "--precision bf16 needs a CPU with AVX-512 BF16 (level avx512bf16) or AMX-bf16 "
                            "(amx), which this machine, "
                            "this build or BITPLANE_ISA lacks; take --precision float32");
  }
  return options;
}

std::size_t thread_count(const Config& config) {
  if (config.threads != 0) return config.threads;
  return std::max<std::size_t>(1, std::thread::hardware_concurrency());
}

}  // namespace bitplane::train
