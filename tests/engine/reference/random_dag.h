// SPDX-License-Identifier: Apache-2.0
//
// Small random networks with branches: residual blocks with every kind of shortcut, dense and inception
// blocks, and the operations that stand between. Every node is read, many are read several times.
#pragma once

#include <algorithm>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "engine/reference/random_graph.h"

namespace bitplane::engine::reference {

class RandomDag : public RandomGraph {
 public:
  using RandomGraph::RandomGraph;

  ModelSpec make() {
    begin({pick(3, 7), pick(3, 7), pick(1, 4)});
    if (chance(0.8)) {
      convolve(false, pick(2, 20), 1);
      if (chance(0.6)) batch_norm();
      if (chance(0.6)) add("relu", Relu{});
    }
    const std::size_t blocks = pick(1, 3);
    for (std::size_t b = 0; b < blocks; ++b) {
      if (chance(0.3)) small_step();
      switch (pick(0, 3)) {
        case 0:
          dense_block();
          break;
        case 1:
          inception_block();
          break;
        default:
          residual_block();
      }
    }
    end();
    return finish();
  }

 private:
  /// Keeps the map, or halves it.
  void convolve(bool planes, std::size_t out, std::size_t stride) {
    const Map in = shape();
    Conv2d conv;
    conv.out_channels = out;
    conv.kernel_h = conv.kernel_w = chance(0.5) ? 3 : 1;
    conv.pad_h = conv.pad_w = conv.kernel_h / 2;
    conv.stride_h = conv.stride_w = stride;
    const std::size_t divisor = std::gcd(in.channels, out);
    if (chance(0.3)) conv.groups = divisor;
    conv.weights = weights(out, conv.kernel_h * conv.kernel_w * (in.channels / conv.groups), planes);
    if (chance(0.3)) conv.bias = normals(out, 0.3F);
    add("conv", std::move(conv));
  }

  void norm_relu_quantize() {
    if (chance(0.7)) batch_norm();
    if (chance(0.7)) add("relu", Relu{});
    quantizer();
  }

  void small_step() {
    const Map in = shape();
    switch (pick(0, 5)) {
      case 0:
        add("same", Identity{});
        break;
      case 1:
        average_pool(pick(1, std::min<std::size_t>(2, std::min(in.height, in.width))));
        break;
      case 2:
        add("lrn", LocalResponseNorm{chance(0.5) ? NormScope::AcrossChannels : NormScope::WithinChannel,
                                     pick(0, 2) * 2 + 1, uniform(0.0F, 2.0F),
                                     chance(0.5) ? 0.75F : uniform(0.1F, 1.5F), uniform(0.5F, 2.0F)});
        break;
      case 3:
        max_pool();
        break;
      case 4:
        batch_norm();
        break;
      default:
        if (chance(0.5)) add("soft", Softmax{});
        add("relu", Relu{});
    }
  }

  void average_pool(std::size_t stride) {
    AveragePool pool;
    pool.kernel_h = pick(1, std::min<std::size_t>(3, shape().height));
    pool.kernel_w = pick(1, std::min<std::size_t>(3, shape().width));
    pool.stride_h = pool.stride_w = stride;
    pool.pad_h = pick(0, pool.kernel_h - 1);
    pool.pad_w = pick(0, pool.kernel_w - 1);
    if (chance(0.5)) pool.rounding = PoolRounding::Ceil;
    if (chance(0.5)) pool.divisor = AverageDivisor::Padded;
    add("average", pool);
  }

  /// Of 3x3 pixels: as many as a convolution of that stride gives.
  void max_pool_of_stride(std::size_t stride) {
    add("pool", MaxPool{3, 3, stride, stride, 1, 1, PoolRounding::Floor});
  }

  /// Zero channels, a convolution of the same codes, or the value as it is.
  void residual_block() {
    const std::string x = cursor();
    const std::size_t in = shape().channels;
    const std::size_t stride = pick(1, 2), out = chance(0.5) ? in : in + pick(1, 9);
    norm_relu_quantize();
    const std::string codes = cursor();
    convolve(true, chance(0.3) ? pick(1, 8) : in, 1);
    norm_relu_quantize();
    const bool pooled = chance(0.3);
    convolve(true, out, pooled ? 1 : stride);
    if (pooled) max_pool_of_stride(stride);
    if (chance(0.4)) batch_norm();
    const std::string branch = cursor();
    if (chance(0.4)) {
      go_to(codes);
      convolve(true, out, stride);
      if (chance(0.5)) batch_norm();
    } else {
      go_to(x);
      if (chance(0.4)) {
        go_to(codes);
        add("values", Dequantize{});
        if (chance(0.3)) max_pool_of_stride(1);
      }
      if (stride > 1 || in != out) {
        const std::size_t front = pick(0, out - in);
        add("zeros",
            ZeroChannelShortcut{stride, stride, front, out - in - front,
                                chance(0.5) ? ShortcutSampling::Average : ShortcutSampling::Subsample});
      }
    }
    const std::string shortcut = cursor();
    join("add", chance(0.5) ? std::vector{branch, shortcut} : std::vector{shortcut, branch}, Add{});
    if (chance(0.2)) add("relu", Relu{});
  }

  /// Each layer's features join those before it.
  void dense_block() {
    const std::size_t layers = pick(1, 3);
    for (std::size_t l = 0; l < layers; ++l) {
      const std::string x = cursor();
      norm_relu_quantize();
      convolve(true, pick(1, 9), 1);
      const std::string features = cursor();
      join("concat", chance(0.5) ? std::vector{features, x} : std::vector{x, features}, Concat{});
    }
  }

  /// Ways of different depth, of one quantizer or of their own.
  void inception_block() {
    const std::string x = cursor();
    quantizer();
    const std::string codes = cursor();
    std::vector<std::string> ways;
    const std::size_t count = pick(1, 4);
    for (std::size_t w = 0; w < count; ++w) {
      go_to(codes);
      convolve(true, pick(1, 9), 1);
      if (chance(0.4)) {
        norm_relu_quantize();
        convolve(true, pick(1, 9), 1);
      }
      if (chance(0.2)) add("relu", Relu{});
      ways.push_back(cursor());
    }
    if (chance(0.3)) ways.push_back(x);
    if (chance(0.3)) {
      go_to(codes);
      add("values", Dequantize{});
      ways.push_back(cursor());
    }
    join("concat", ways, Concat{});
    if (chance(0.4)) max_pool();
    if (chance(0.6)) {
      norm_relu_quantize();
      convolve(true, pick(1, 9), 1);
    }
  }

  void end() {
    if (chance(0.3)) return;
    if (chance(0.5)) batch_norm();
    add("gap", GlobalAveragePool{});
    if (chance(0.3)) add("same", Identity{});
    if (chance(0.8)) linear(false);
    if (chance(0.3)) add("soft", Softmax{});
  }
};

}  // namespace bitplane::engine::reference
