// SPDX-License-Identifier: Apache-2.0
#include "engine/cli/batches.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <vector>

#include "engine/cli/shared/errors.h"

namespace bitplane::cli {

std::size_t batch_for(std::size_t count, std::size_t threads) noexcept {
  constexpr std::size_t kPicturesPerThread = 8;
  return std::max<std::size_t>(1, std::min(count, kPicturesPerThread * threads));
}

double run_in_batches(engine::Session& session, std::size_t batch, const engine::data::PictureSet& set,
                      const std::function<void(const Batch&)>& after) {
  using Clock = std::chrono::steady_clock;
  const std::size_t size = set.picture_size();
  std::vector<std::uint8_t> gathered(batch * size), buffer;
  Clock::duration spent{};
  for (std::size_t first = 0; first < set.count; first += batch) {
    const std::size_t count = std::min(batch, set.count - first);
    std::span<const std::uint8_t> pictures = gathered;
    if (count == batch && !set.streamed()) {
      pictures = std::span(set.pixels).subspan(first * size, count * size);
    } else {
      for (std::size_t i = 0; i < batch; ++i) {
        const auto picture = take(engine::data::inference_picture(set, i < count ? first + i : 0, buffer));
        std::memcpy(gathered.data() + i * size, picture.data(), size);
      }
    }
    const auto begin = Clock::now();
    check(session.run(pictures));
    spent += Clock::now() - begin;
    after({.first = first, .count = count});
  }
  return std::chrono::duration<double>(spent).count();
}

std::size_t argmax(std::span<const float> values) noexcept {
  return static_cast<std::size_t>(std::max_element(values.begin(), values.end()) - values.begin());
}

}  // namespace bitplane::cli
