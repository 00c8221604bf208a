// SPDX-License-Identifier: Apache-2.0
#include <cstring>

#include "dot/dot_infos.h"
#include "dot/expand_kernel.h"
#include "dot/panel_kernel.h"

namespace bitplane::kernels {
namespace {

/// 8 output channels in arrays: what a compiler makes of plain loops. It is there so that layers of bytes run
/// on every CPU.
struct ScalarLanes {
  struct Weights {
    std::int8_t at[32];
  };
  struct Pixels {
    std::uint8_t at[4];
  };
  struct Ints {
    std::int32_t at[8];
  };
  using Counter = Ints;
  static constexpr std::size_t kLanes = 8;
  static constexpr bool kScarceRegisters = false;
  static constexpr DotTiles tiles(std::size_t) { return {2, {2, 1}}; }

  static Weights load_weights(const std::byte* p) {
    Weights w;
    std::memcpy(&w, p, sizeof(w));
    return w;
  }
  static Pixels load_pixels(const std::byte* p) {
    Pixels x;
    std::memcpy(&x, p, sizeof(x));
    return x;
  }
  static Counter zero() { return {}; }
  static void add(Counter& counter, const Pixels& x, const Weights& w) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      for (std::size_t b = 0; b < kStepBytes; ++b) counter.at[lane] += x.at[b] * w.at[lane * kStepBytes + b];
    }
  }
  static Ints sums(const Counter& counter) { return counter; }
  static Ints load(const std::byte* p, std::size_t count) {
    Ints x{};
    std::memcpy(&x, p, count * sizeof(std::int32_t));
    return x;
  }
  static Ints add(Ints a, const Ints& b) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      a.at[lane] = static_cast<std::int32_t>(static_cast<std::uint32_t>(a.at[lane]) +
                                             static_cast<std::uint32_t>(b.at[lane]));
    }
    return a;
  }
  static void store(std::byte* p, const Ints& x, std::size_t count) {
    std::memcpy(p, &x, count * sizeof(std::int32_t));
  }
  static void store_floats(std::byte* p, const Ints& x, std::size_t count) {
    for (std::size_t lane = 0; lane < count; ++lane) {
      const auto z = static_cast<float>(x.at[lane]);
      std::memcpy(p + lane * sizeof(float), &z, sizeof(float));
    }
  }

  struct Bytes {
    std::uint8_t at[32];
  };
  struct Table {
    std::uint8_t at[16];
  };
  static Bytes load_bytes(const std::byte* p) {
    Bytes x;
    std::memcpy(&x, p, sizeof(x));
    return x;
  }
  static void store_bytes(std::byte* p, const Bytes& x) { std::memcpy(p, &x, sizeof(x)); }
  static Table broadcast_table(const std::byte* values) {
    Table table;
    std::memcpy(&table, values, sizeof(table));
    return table;
  }
  template <int kShift, int kMask>
  static Bytes field(Bytes x) {
    for (std::uint8_t& byte : x.at) byte = static_cast<std::uint8_t>((byte >> kShift) & kMask);
    return x;
  }
  static Bytes look_up(const Table& table, Bytes index) {
    for (std::uint8_t& byte : index.at) byte = table.at[byte];
    return index;
  }
};

/// 16 byte elements, each with its bit.
struct ScalarByteElements {
  struct Vector {
    std::uint8_t at[16];
  };
  static constexpr std::size_t kBits = 16, kElementBytes = 1;
  static Vector set(std::uint16_t value) {
    Vector x;
    std::memset(&x, value & 0xFF, sizeof(x));
    return x;
  }
  static Vector add_where(Vector x, std::uint64_t bits, const Vector& value) {
    for (std::size_t i = 0; i < kBits; ++i) {
      if (((bits >> i) & 1U) != 0) x.at[i] = static_cast<std::uint8_t>(x.at[i] + value.at[i]);
    }
    return x;
  }
  static void store(std::byte* p, const Vector& x) { std::memcpy(p, &x, sizeof(x)); }
};

}  // namespace

constinit const DotKernels kDotScalar{
    .info = kDotInfos[5],
    .lanes = ScalarLanes::kLanes,
    .register_sizes = {1, 0, 0},
    .segment_steps = 1,
    .slack_pixels = 0,
    .chunk_bytes = 16 * 1024,
    .formats = {{.element_bytes = 1,
                 .weights = {-128, 127},
                 .activations = {0, 255},
                 .lane_limit = 0,
                 .least_steps = 0,
                 .lane_sums = LaneSums::EndChunks,
                 .run_panel = {run_dot_panel<ScalarLanes, 1>},
                 .expand_pixels = expand_pixels<ScalarByteElements>},
                {},
                {}},
    .expand_weights = expand_weights<ScalarLanes>,
    .begin = nullptr,
    .end = nullptr,
};

}  // namespace bitplane::kernels
