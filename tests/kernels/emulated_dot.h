// SPDX-License-Identifier: Apache-2.0
//
// The micro-kernels of family `dot` for instructions that this machine may lack (AVX-VNNI, AMX), run over
// plain arrays that do what the instructions say. Everything else is the family's own code.
#pragma once

#include <cstdint>
#include <cstring>

#include "bitplane/kernels/dot.h"
#include "dot/panel.h"
#include "dot/panel_kernel.h"
#include "dot/tile_panel.h"

namespace bitplane::kernels::emulated {

/// VPDPBUSD on 8 lanes, with the tiles of the 256-bit kernels.
struct Vnni {
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
  static constexpr DotTiles tiles(std::size_t registers) {
    return registers == 2 ? DotTiles{4, {6, 4, 2, 1}} : DotTiles{4, {12, 6, 2, 1}};
  }
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
      for (std::size_t b = 0; b < 4; ++b) counter.at[lane] += x.at[b] * w.at[lane * 4 + b];
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
};

/// Eight tiles, and whether they were configured.
struct Tiles {
  static inline thread_local std::uint8_t tiles[8][kTileRows][kTileRowBytes];
  static inline thread_local int configured = 0;

  template <int kTile>
  static void load(const std::byte* p, std::size_t stride) {
    for (std::size_t row = 0; row < kTileRows; ++row) std::memcpy(tiles[kTile][row], p + row * stride, 64);
  }
  template <int kTile>
  static void store(std::byte* p, std::size_t stride) {
    for (std::size_t row = 0; row < kTileRows; ++row) std::memcpy(p + row * stride, tiles[kTile][row], 64);
  }
  template <int kSums, int kPixels, int kWeights>
  static void dot() {
    if (configured != 1) std::memset(tiles, 0x77, sizeof(tiles));  // the CPU would fault
    for (std::size_t p = 0; p < kTileRows; ++p) {
      for (std::size_t c = 0; c < kTileChannels; ++c) {
        std::uint32_t sum = 0;
        std::memcpy(&sum, &tiles[kSums][p][c * 4], 4);
        for (std::size_t k = 0; k < kTileRowBytes; ++k) {
          const auto w = static_cast<std::int8_t>(tiles[kWeights][k / 4][c * 4 + k % 4]);
          sum += static_cast<std::uint32_t>(tiles[kPixels][p][k] * w);
        }
        std::memcpy(&tiles[kSums][p][c * 4], &sum, 4);
      }
    }
  }
  static void configure() noexcept { ++configured; }
  static void release() noexcept { --configured; }
};

inline void expand_pixels(const DotPixels& pixels, std::byte* to) noexcept {
  for (std::size_t p = 0; p < pixels.pixels; ++p) {
    for (std::size_t c = 0; c < pixels.channels; ++c) {
      std::uint32_t element = pixels.base;
      for (std::size_t j = 0; j < pixels.plane_count; ++j) {
        const std::byte byte = pixels.planes[j * pixels.plane_stride + p * pixels.pixel_bytes + c / 8];
        if ((static_cast<unsigned>(byte) >> (c % 8) & 1U) != 0) element += pixels.steps[j];
      }
      to[p * pixels.channels + c] = static_cast<std::byte>(element);
    }
  }
}

template <std::size_t kLanes>
void expand_weights(const DotCodes& codes, std::byte* to) noexcept {
  const std::size_t fields = 8 / codes.code_bits, vector = kLanes * 4;
  for (std::size_t v = 0; v < codes.vectors; ++v) {
    for (std::size_t f = 0; f < fields; ++f) {
      for (std::size_t b = 0; b < vector; ++b) {
        const unsigned byte = static_cast<unsigned>(codes.codes[v * vector + b]);
        to[(v * fields + f) * vector + b] =
            codes.values[(byte >> (f * codes.code_bits)) & ((1U << codes.code_bits) - 1U)];
      }
    }
  }
}

// Chunks are short, so that small layers have several.
inline const DotKernels kVnni{
    .info = {.name = "dot_emulated_vnni", .family = Family::Dot, .isa = Isa::Scalar, .tile = ""},
    .lanes = Vnni::kLanes,
    .register_sizes = {2, 1, 0},
    .segment_steps = 1,
    .slack_pixels = 0,
    .chunk_bytes = 640,
    .formats = {{.element_bytes = 1,
                 .weights = {-128, 127},
                 .activations = {0, 255},
                 .lane_limit = 0,
                 .least_steps = 0,
                 .lane_sums = LaneSums::EndChunks,
                 .run_panel = {run_dot_panel<Vnni, 2>, run_dot_panel<Vnni, 1>},
                 .expand_pixels = expand_pixels},
                {},
                {}},
    .expand_weights = expand_weights<Vnni::kLanes>,
    .begin = nullptr,
    .end = nullptr,
};
inline const DotKernels kTiles{
    .info = {.name = "dot_emulated_tiles", .family = Family::Dot, .isa = Isa::Scalar, .tile = ""},
    .lanes = kTileChannels,
    .register_sizes = {2, 1, 0},
    .segment_steps = kTileSteps,
    .slack_pixels = kTileRows - 1,
    .chunk_bytes = 4096,
    .formats = {{.element_bytes = 1,
                 .weights = {-128, 127},
                 .activations = {0, 255},
                 .lane_limit = 0,
                 .least_steps = 0,
                 .lane_sums = LaneSums::EndChunks,
                 .run_panel = {run_tile_panel<Tiles, 2>, run_tile_panel<Tiles, 1>},
                 .expand_pixels = expand_pixels},
                {},
                {}},
    .expand_weights = expand_weights<kTileChannels>,
    .begin = Tiles::configure,
    .end = Tiles::release,
};

}  // namespace bitplane::kernels::emulated
