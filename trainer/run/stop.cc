// SPDX-License-Identifier: Apache-2.0
#include "trainer/run/stop.h"

#include <array>
#include <csignal>

namespace bitplane::train {
namespace {

constexpr std::array<int, 2> kSignals{SIGINT, SIGTERM};

volatile std::sig_atomic_t g_requested = 0;

extern "C" void request_stop(int signal) {
  g_requested = 1;
  std::signal(signal, SIG_DFL);
}

}  // namespace

StopSignal::StopSignal() {
  g_requested = 0;
  for (const int signal : kSignals) std::signal(signal, request_stop);
}

StopSignal::~StopSignal() {
  for (const int signal : kSignals) std::signal(signal, SIG_DFL);
}

bool StopSignal::requested() noexcept {
  return g_requested != 0;
}

}  // namespace bitplane::train
