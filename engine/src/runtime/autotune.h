// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "lowering/choose_kernels.h"
#include "lowering/plan_arena.h"
#include "runtime/model_impl.h"

namespace bitplane::engine {

/// What a session tunes on: its own arena, whose contents are overwritten.
struct TuningGround {
  Model::Impl& model;
  const ArenaPlan& plan;
  std::size_t batch;
  std::byte* arena;
};

/// Replaces the estimated choice of every convolution of planes by a measured one: all candidates run the
/// layer in turn, epilogue included, on one thread; the smallest of their times decides. Which kernel wins
/// may differ from run to run, the results of the network cannot. Throws std::bad_alloc.
void autotune(const TuningGround& ground, const kernels::LowBitWishes& wishes, KernelChoice& choice);

}  // namespace bitplane::engine
