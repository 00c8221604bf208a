// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>
#include <set>
#include <string>

#include "bitplane/kernels/aligned.h"
#include "case.h"
#include "peaks.h"

namespace bitplane::bench {
namespace {

using namespace kernels;

constexpr std::size_t kKiB = 1024;
constexpr std::string_view kReadPrefix = "read ";
/// Of L1, L2, L3 and memory on the machines of the day, two sizes each.
constexpr std::size_t kReadSizes[] = {16 * kKiB,   24 * kKiB,   256 * kKiB,    512 * kKiB,
                                      4096 * kKiB, 8192 * kKiB, 131072 * kKiB, 262144 * kKiB};

/// One buffer for all sizes. Written once: untouched pages would all be the one zero page.
const std::byte* read_buffer() {
  static const auto buffer = [] {
    AlignedArray<std::byte> bytes(*std::max_element(std::begin(kReadSizes), std::end(kReadSizes)));
    std::memset(bytes.data(), 1, bytes.size());
    return bytes;
  }();
  return buffer.data();
}

Row peak_row(std::string_view name, Isa isa, std::string_view what, double work) {
  return {.key = {.group = "peaks",
                  .shape = std::string(name),
                  .kernel = std::string(what),
                  .isa = std::string(isa_name(isa))},
          .work = work};
}

void add_loops(std::span<const PeakLoop> loops, const Selection& selection, std::vector<Case>& cases) {
  for (const PeakLoop& loop : loops) {
    if (!selection.wants(loop.isa)) continue;
    Row row = peak_row(loop.name, loop.isa, loop.instructions, loop.work);
    row.unit = loop.unit;
    cases.push_back({std::move(row), [&loop]() -> Timed { return RunHere(loop.run); }});
  }
}

void add_read(std::size_t bytes, Isa isa, std::vector<Case>& cases) {
  Row row = peak_row(read_peak_name(bytes), isa, "aligned loads", static_cast<double>(bytes));
  row.unit = "GB/s";
  cases.push_back({std::move(row), [bytes, isa]() -> Timed {
                     const std::byte* data = read_buffer();
                     return RunHere([=] { read_once(isa, data, bytes); });
                   }});
}

std::size_t bytes_of(const std::string& peak) {
  return std::stoul(peak.substr(kReadPrefix.size())) * kKiB;
}

}  // namespace

std::string read_peak_name(std::size_t bytes) {
  return std::string(kReadPrefix) + std::to_string((bytes + kKiB - 1) / kKiB) + " KiB";
}

void add_peak_cases(const Selection& selection, std::vector<Case>& cases) {
  // Work that a peak's name counts in bytes: exactly the sizes that rows refer to.
  std::set<std::pair<std::size_t, Isa>> reads;
  for (const Case& c : cases) {
    const auto isa = parse_isa(c.row.key.isa);
    if (c.row.peak.starts_with(kReadPrefix) && isa && can_read(*isa))
      reads.emplace(bytes_of(c.row.peak), *isa);
  }
  for (const IsaInfo& info : kIsas) {
    if (!selection.wants("peaks") || !selection.wants(info.isa) || !can_read(info.isa)) continue;
    for (const std::size_t bytes : kReadSizes) reads.emplace(bytes, info.isa);
  }
  for (const auto loops : {float_loops(), bit_loops(), lookup_loops(), int8_loops()})
    add_loops(loops, selection, cases);
  for (const auto& [bytes, isa] : reads) add_read(bytes, isa, cases);
}

}  // namespace bitplane::bench
