// SPDX-License-Identifier: Apache-2.0
#include "trainer/autograd/profile.h"

#include <algorithm>
#include <iomanip>
#include <sstream>
#include <utility>
#include <vector>

namespace bitplane::train {

void OpProfile::add(std::string_view op, Direction direction, double seconds) {
  auto it = entries_.find(op);
  if (it == entries_.end()) it = entries_.emplace(std::string(op), Entry{}).first;
  Entry& e = it->second;
  if (direction == Direction::Forward) {
    ++e.forward_calls;
    e.forward_seconds += seconds;
  } else {
    ++e.backward_calls;
    e.backward_seconds += seconds;
  }
}

std::string OpProfile::str() const {
  std::vector<std::pair<std::string, Entry>> rows(entries_.begin(), entries_.end());
  const auto total = [](const Entry& e) { return e.forward_seconds + e.backward_seconds; };
  std::sort(rows.begin(), rows.end(),
            [&](const auto& a, const auto& b) { return total(a.second) > total(b.second); });
  std::ostringstream out;
  out << std::left << std::setw(28) << "operation" << std::right << std::setw(8) << "calls" << std::setw(14)
      << "forward ms" << std::setw(14) << "backward ms" << '\n'
      << std::fixed << std::setprecision(3);
  for (const auto& [name, e] : rows) {
    out << std::left << std::setw(28) << name << std::right << std::setw(8) << e.forward_calls
        << std::setw(14) << 1e3 * e.forward_seconds << std::setw(14) << 1e3 * e.backward_seconds << '\n';
  }
  return out.str();
}

OpTimer::OpTimer(const Context& ctx, std::string_view op, OpProfile::Direction direction)
    : profile_(ctx.profile), op_(op), direction_(direction) {
  if (profile_ != nullptr) start_ = std::chrono::steady_clock::now();
}

OpTimer::~OpTimer() {
  if (profile_ == nullptr) return;
  profile_->add(op_, direction_,
                std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count());
}

}  // namespace bitplane::train
