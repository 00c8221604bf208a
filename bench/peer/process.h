// SPDX-License-Identifier: Apache-2.0
//
// oneDNN takes its instruction set once per process, so each level's peers live in a process of their own:
// this program again, started with --serve-peer. It sleeps between requests, so that its repetitions can
// alternate with everybody else's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "bitplane/kernels/isa.h"

namespace bitplane::bench {

class PeerProcess {
 public:
  /// Starts it. Throws std::runtime_error.
  explicit PeerProcess(kernels::Isa isa);
  ~PeerProcess();
  PeerProcess(const PeerProcess&) = delete;
  PeerProcess& operator=(const PeerProcess&) = delete;

  /// Both throw std::runtime_error with what the other side said.
  void prepare(std::size_t peer_case);
  [[nodiscard]] double run(std::size_t peer_case, std::int64_t runs);

 private:
  [[nodiscard]] std::string ask(const std::string& request);

  int to_ = -1, from_ = -1, pid_ = -1;
};

}  // namespace bitplane::bench
