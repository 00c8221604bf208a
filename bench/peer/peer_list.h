// SPDX-License-Identifier: Apache-2.0
//
// What the peers run: one list for the process that prints the table and the processes that run them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bitplane/kernels/conv_shape.h"
#include "bitplane/kernels/isa.h"

namespace bitplane::bench {

enum class PeerKind : std::uint8_t {
  Int8Matmul,        ///< u8 x s8 -> s32
  Int8InnerProduct,  ///< the same by oneDNN's layer for it
  Int8Conv,          ///< u8 x s8 + bias, ReLU -> u8
  F32Matmul,
  F32InnerProduct,
  F32Conv,  ///< bias and ReLU included
};

struct PeerCase {
  PeerKind kind;
  std::string group, shape_name;
  kernels::ConvShape shape;
};
/// The same in every process. An index into it names a case.
[[nodiscard]] const std::vector<PeerCase>& peer_cases();
[[nodiscard]] std::string peer_kernel_name(PeerKind kind);
[[nodiscard]] bool is_int8(PeerKind kind);

/// Runs peer cases for the process at the other end of stdin and stdout, limited to `isa`, until stdin ends:
///   prepare INDEX       ->  ok | error TEXT
///   run INDEX RUNS      ->  seconds NUMBER
/// Returns the process' exit code.
int serve_peer(kernels::Isa isa);
/// Was the benchmark built with oneDNN?
[[nodiscard]] bool peers_are_built();

}  // namespace bitplane::bench
