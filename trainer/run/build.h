// SPDX-License-Identifier: Apache-2.0
//
// From a config to the objects of a run.
#pragma once

#include <memory>

#include "bitplane/kernels/isa.h"
#include "trainer/config/config.h"
#include "trainer/data/augment.h"
#include "trainer/data/preprocessing.h"
#include "trainer/nets/net.h"
#include "trainer/optim/optimizer.h"
#include "trainer/optim/schedule.h"
#include "trainer/tensor/backend.h"

namespace bitplane::train {

/// The net with the method's quantizers, parameters initialized from the seed. `preprocessing`: the task's;
/// 8-bit first layers fold its scales.
[[nodiscard]] std::unique_ptr<Module> build_run_net(const Config& config, const PictureShape& input,
                                                    std::size_t classes,
                                                    const Preprocessing& preprocessing = {});
/// As the run sees pictures: with 8-bit first layers the means are whole bytes.
[[nodiscard]] Preprocessing run_preprocessing(const Config& config, Preprocessing measured);
[[nodiscard]] std::unique_ptr<Optimizer> build_optimizer(const Config& config, Module& net);
/// The `step` schedule drops at 1/2 and 3/4 of the run unless config.drops says otherwise.
[[nodiscard]] std::unique_ptr<Schedule> build_schedule(const Config& config, std::size_t total_steps);
[[nodiscard]] Augmentation augmentation_of(const Config& config) noexcept;
/// config.threads, or as many as the machine has.
/// What the run computes with. Throws cli::CommandError where this machine lacks the precision.
[[nodiscard]] BackendOptions backend_options(const Config& config, std::size_t threads);
[[nodiscard]] std::size_t thread_count(const Config& config);
/// The instruction sets to use: those of BITPLANE_ISA, or all that the machine has. Throws cli::CommandError
/// for a name that is unknown or that this machine or build lacks.
[[nodiscard]] kernels::CpuFeatures run_features();

}  // namespace bitplane::train
