// SPDX-License-Identifier: Apache-2.0
//
// Rows of the bit-serial family: every ISA present, every shape, 1/1, 1/2 and 2/2 (weight bits / activation
// bits).
//
//   gemm  a 1x1 layer: packed activations in, z through the float epilogue out
//   conv  the 3x3 layer with padding 1 behind S1..S4: gathering included, packed planes out
//
// Uniform rows have two's complement weights, learned rows LQ-Nets' bipolar weights with a basis per channel.
// The time counts everything from packed activations to the stored result; MACs are the useful ones.
#include <benchmark/benchmark.h>

#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "bitplane/kernels/aligned.h"
#include "bitplane/kernels/bitserial.h"
#include "gemm_shapes.h"
#include "peaks.h"

namespace bitplane::bench {
namespace {

using namespace kernels;

enum class Basis { Uniform, Learned };

struct Row {
  const GemmShape* shape;
  std::size_t kernel;  ///< 1: gemm, 3: conv
  std::size_t weight_bits, activation_bits;
  Basis basis;
  Isa isa;
};

ConvShape conv_shape(const Row& row) {
  if (row.kernel == 1)
    return {.height = row.shape->n, .channels = row.shape->k, .out_channels = row.shape->m};
  const auto side = static_cast<std::size_t>(std::lround(std::sqrt(static_cast<double>(row.shape->n))));
  return {.height = side,
          .width = side,
          .channels = row.shape->k / 9,
          .out_channels = row.shape->m,
          .kernel_h = 3,
          .kernel_w = 3,
          .pad_h = 1,
          .pad_w = 1};
}

/// A layer with random operands, and one output of it computed the slow way.
class Problem {
 public:
  explicit Problem(const Row& row) : row_(row), shape_(conv_shape(row)) {
    std::mt19937_64 random(1);
    const std::size_t row_words = words_for_bits(shape_.filter_size());
    const std::uint64_t last = ~std::uint64_t{0} >> (row_words * 64 - shape_.filter_size());
    words_.resize(row.weight_bits * shape_.out_channels * row_words);
    for (std::size_t at = 0; at < words_.size(); ++at) {
      words_[at] = random() & (at % row_words == row_words - 1 ? last : ~std::uint64_t{0});
    }
    codes_.resize(shape_.height * shape_.width * shape_.channels);
    for (auto& code : codes_) code = static_cast<std::uint8_t>(random() & ((1U << row.activation_bits) - 1));
    for (std::size_t i = 0; i < row.weight_bits * shape_.out_channels; ++i) {
      weight_basis_.push_back(0.3F + 0.001F * static_cast<float>(i % 101));
    }
    for (std::size_t i = 0; i < row.weight_bits; ++i) weight_multiples_.push_back(1 << i);
    if (row.weight_bits > 1) weight_multiples_.back() = -weight_multiples_.back();
    for (std::size_t j = 0; j < row.activation_bits; ++j) {
      activation_multiples_.push_back(1 << j);
      activation_basis_.push_back(0.7F + 0.61F * static_cast<float>(j));
    }
  }

  [[nodiscard]] BitConv pack(const BitSerialKernels& kernels) const {
    const bool learned = row_.basis == Basis::Learned;
    return BitConv(kernels, {.shape = shape_,
                             .weight_encoding = learned ? Encoding::Bipolar : Encoding::Unsigned,
                             .weights = weights(),
                             .activation_planes = row_.activation_bits,
                             .combination = learned ? Combination::LearnedBoth : Combination::UniformBoth,
                             .weight_multiples = weight_multiples_.data(),
                             .activation_multiples = activation_multiples_.data(),
                             .weight_basis = weight_basis_.data(),
                             .activation_basis = activation_basis_.data()});
  }
  [[nodiscard]] const ConvShape& shape() const { return shape_; }
  [[nodiscard]] const std::vector<std::uint8_t>& codes() const { return codes_; }

  [[nodiscard]] float z_at(std::size_t pixel, std::size_t channel) const {
    std::int64_t d[2][2] = {}, a = 0;
    for (std::size_t k = 0; k < shape_.filter_size(); ++k) {
      const std::size_t tap = k / shape_.channels;
      const std::size_t y = pixel / shape_.width + tap / shape_.kernel_w,
                        x = pixel % shape_.width + tap % shape_.kernel_w;
      if (y < shape_.pad_h || x < shape_.pad_w || y - shape_.pad_h >= shape_.height ||
          x - shape_.pad_w >= shape_.width)
        continue;
      const std::size_t from = (y - shape_.pad_h) * shape_.width + x - shape_.pad_w;
      const unsigned code = codes_[from * shape_.channels + k % shape_.channels];
      for (std::size_t i = 0; i < row_.weight_bits; ++i) {
        const int bit = static_cast<int>((weights().row(i, channel)[k / 64] >> (k % 64)) & 1U);
        for (std::size_t j = 0; j < row_.activation_bits; ++j) {
          const int active = static_cast<int>((code >> j) & 1U);
          d[i][j] += active * (row_.basis == Basis::Learned ? 2 * bit - 1 : bit);
        }
      }
    }
    float z = 0.0F;
    for (std::size_t j = 0; j < row_.activation_bits; ++j) {
      for (std::size_t i = 0; i < row_.weight_bits; ++i) {
        a += std::int64_t{weight_multiples_[i]} * activation_multiples_[j] * d[i][j];
        const float coefficient = weight_basis_[i * shape_.out_channels + channel] * activation_basis_[j];
        z = std::fma(coefficient, static_cast<float>(d[i][j]), z);
      }
    }
    return row_.basis == Basis::Learned ? z : static_cast<float>(a);
  }

 private:
  [[nodiscard]] PlaneMatrixView weights() const {
    return {words_.data(), row_.weight_bits, shape_.out_channels, shape_.filter_size()};
  }

  Row row_;
  ConvShape shape_;
  std::vector<std::uint64_t> words_;
  std::vector<std::uint8_t> codes_;
  std::vector<float> weight_basis_, activation_basis_;
  std::vector<std::int32_t> weight_multiples_, activation_multiples_;
};

void run_row(benchmark::State& state, const Row& row) {
  const Problem problem(row);
  const CpuFeatures features = detect_cpu().limited_to(row.isa);
  const BitConv conv = problem.pack(select_bitserial(features));
  const EpilogueKernels& epilogues = select_epilogue(features);
  const ConvShape& shape = problem.shape();
  AlignedArray<std::byte> input(conv.input_layout().picture_bytes()), scratch(conv.scratch_bytes());
  pack_codes(problem.codes(), 1, conv.input_layout(), input.data());
  const PackedActivations packed{input.data(), conv.input_layout()};
  const RowRange rows{0, shape.out_height()};
  const std::size_t pixels = shape.out_pixels();

  std::vector<float> z(pixels * shape.out_channels);
  const std::vector<float> ones(shape.out_channels, 1.0F), zeros(shape.out_channels, 0.0F);
  const ChannelAffine affine{ones.data(), zeros.data()};
  const Epilogue to_float{.kind = EpilogueKind::Float, .affine = affine, .out = z.data()};
  conv.run(packed, rows, epilogues, to_float, scratch.data());
  for (std::size_t at = 0; at < z.size(); at += z.size() / 37 + 1) {
    if (z[at] != problem.z_at(at / shape.out_channels, at % shape.out_channels)) {
      state.SkipWithError("wrong answer");
      return;
    }
  }

  const std::vector<float> thresholds{-1.0F, 0.0F, 1.0F};
  const std::vector<std::uint8_t> code_of_rank{0, 1, 2, 3};
  const ActivationLayout layout{.height = shape.out_height(),
                                .width = shape.out_width(),
                                .channels = shape.out_channels,
                                .planes = row.activation_bits};
  AlignedArray<std::byte> planes(layout.picture_bytes());
  const Epilogue to_planes{
      .kind = EpilogueKind::Planes,
      .affine = affine,
      .ranks = {thresholds.data(), (std::size_t{1} << row.activation_bits) - 1, code_of_rank.data()},
      .out_planes = planes.data(),
      .layout = layout};
  for (auto _ : state) {
    conv.run(packed, rows, epilogues, row.kernel == 1 ? to_float : to_planes, scratch.data());
    benchmark::ClobberMemory();
  }
  state.counters["GMAC/s"] =
      benchmark::Counter(row.shape->macs() * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
  const double bit_operations =
      row.shape->macs() * static_cast<double>(row.weight_bits * row.activation_bits);
  state.counters["Gbit/s"] =
      benchmark::Counter(bit_operations * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
  if (peaks(row.isa).bit_macs > 0) {
    state.counters["of_peak"] = benchmark::Counter(bit_operations / peaks(row.isa).bit_macs,
                                                   benchmark::Counter::kIsIterationInvariantRate);
  }
  state.SetLabel(std::string(kernel_name(select_bitserial(features))));
}

void register_row(const Row& row) {
  const std::string name = "bitserial/" + std::string(isa_name(row.isa)) +
                           (row.kernel == 1 ? "/gemm/" : "/conv/") + std::string(row.shape->name) + "/" +
                           std::to_string(row.weight_bits) + "_" + std::to_string(row.activation_bits) +
                           (row.basis == Basis::Learned ? "/learned" : "/uniform");
  benchmark::RegisterBenchmark(name.c_str(), [row](benchmark::State& state) {
    run_row(state, row);
  })->Unit(benchmark::kMicrosecond);
}

bool register_all() {
  constexpr std::size_t kBits[][2] = {{1, 1}, {1, 2}, {2, 2}};
  for (const IsaInfo& isa : kIsas) {
    if (!detect_cpu().has(isa.isa)) continue;
    for (const GemmShape& shape : kGemmShapes) {
      for (const auto& bits : kBits) {
        for (const Basis basis : {Basis::Uniform, Basis::Learned}) {
          register_row({&shape, 1, bits[0], bits[1], basis, isa.isa});
          if (shape.where.starts_with("ResNet")) register_row({&shape, 3, bits[0], bits[1], basis, isa.isa});
        }
      }
    }
  }
  return true;
}

[[maybe_unused]] const bool kRegistered = register_all();

}  // namespace
}  // namespace bitplane::bench
