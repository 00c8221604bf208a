// SPDX-License-Identifier: Apache-2.0
//
// A case: one row to be, and how to prepare and run it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <variant>
#include <vector>

#include "bitplane/kernels/isa.h"
#include "samples.h"
#include "table/row.h"

namespace bitplane::bench {

/// Timed here, run by run.
using RunHere = std::function<void()>;
/// Timed by another process: runs so many times and returns the seconds of all.
using RunElsewhere = std::function<double(std::int64_t runs)>;
using Timed = std::variant<RunHere, RunElsewhere>;

enum class Timing { Here, Elsewhere };

struct Case {
  Row row;
  /// Makes the operands, runs once and checks the answer against a reference that shares no code with what is
  /// timed. Throws std::runtime_error if it is wrong. Called at most once.
  std::function<Timed()> prepare;
  Timing timing = Timing::Here;
};

/// What was asked for.
struct Selection {
  std::vector<std::string> groups;  ///< empty: all
  std::vector<kernels::Isa> isas;   ///< of kernels; each can run here, and may
  [[nodiscard]] bool wants(std::string_view group) const;
  [[nodiscard]] bool wants(kernels::Isa isa) const;
};

void add_lowbit_cases(const Selection& selection, std::vector<Case>& cases);
void add_packing_cases(const Selection& selection, std::vector<Case>& cases);
void add_float_cases(const Selection& selection, std::vector<Case>& cases);
void add_bf16_cases(const Selection& selection, std::vector<Case>& cases);
void add_codebook_cases(const Selection& selection, std::vector<Case>& cases);
/// The peaks that the other cases refer to (all of them if the group itself is wanted). Comes last.
void add_peak_cases(const Selection& selection, std::vector<Case>& cases);
/// "peaks" row of reading a buffer of so many bytes, rounded up to a multiple of 1024.
[[nodiscard]] std::string read_peak_name(std::size_t bytes);

/// Bytes that every case may write its results to, one after the other; 64-byte aligned, kept.
[[nodiscard]] std::byte* shared_output(std::size_t bytes);
[[nodiscard]] std::byte* shared_scratch(std::size_t bytes);

/// Reproducible, in [-1, 1).
[[nodiscard]] std::vector<float> random_floats(std::size_t count, unsigned seed);
/// Of all bytes: kernels of one problem must agree everywhere, not only where the reference looked.
[[nodiscard]] std::uint64_t hash_of(std::span<const std::byte> bytes);

}  // namespace bitplane::bench
