// SPDX-License-Identifier: Apache-2.0
#include "peer/peer_cases.h"

#include <csignal>
#include <memory>

#include "peaks.h"
#include "peer/peer_list.h"
#include "peer/process.h"
#include "window.h"

namespace bitplane::bench {
namespace {

using namespace kernels;

/// Our levels that oneDNN tells apart; its float32 kernels know AVX2 and AVX-512 only.
constexpr Isa kPeerIsas[] = {Isa::Avx2, Isa::AvxVnni, Isa::Avx512, Isa::Amx};
bool has_own_kernels(Isa isa, PeerKind kind) {
  return is_int8(kind) || isa == Isa::Avx2 || isa == Isa::Avx512;
}

void add_peak(const PeerCase& peer, Row& row) {
  row.peak = is_int8(peer.kind) ? kInt8Peak : kFmaPeak;
  row.work = row.macs;
  if (peer.shape.out_pixels() != 1) return;
  const std::size_t bytes =
      peer.shape.out_channels * peer.shape.filter_size() * (is_int8(peer.kind) ? 1 : sizeof(float));
  row.peak = read_peak_name(bytes);
  row.work = static_cast<double>(bytes);
}

}  // namespace

void add_peer_cases(const Selection& selection, std::vector<Case>& cases) {
  if (!peers_are_built()) return;
  std::signal(SIGPIPE, SIG_IGN);  // a peer that dies is an error of its rows
  for (const Isa isa : kPeerIsas) {
    if (!selection.wants(isa)) continue;
    // Started by the first of its rows.
    const auto process = std::make_shared<std::unique_ptr<PeerProcess>>();
    for (std::size_t index = 0; index < peer_cases().size(); ++index) {
      const PeerCase& peer = peer_cases()[index];
      if (!selection.wants(peer.group) || !has_own_kernels(isa, peer.kind)) continue;
      Row row{.key = {.group = peer.group,
                      .shape = peer.shape_name,
                      .bits = is_int8(peer.kind) ? "8/8" : "32/32",
                      .basis = is_int8(peer.kind) ? "int8" : "float",
                      .kernel = peer_kernel_name(peer.kind),
                      .isa = std::string(isa_name(isa))},
              .macs = useful_macs(peer.shape)};
      add_peak(peer, row);
      cases.push_back({std::move(row),
                       [process, isa, index]() -> Timed {
                         if (*process == nullptr) *process = std::make_unique<PeerProcess>(isa);
                         (*process)->prepare(index);
                         return RunElsewhere(
                             [process, index](std::int64_t runs) { return (*process)->run(index, runs); });
                       },
                       Timing::Elsewhere});
    }
  }
}

}  // namespace bitplane::bench
