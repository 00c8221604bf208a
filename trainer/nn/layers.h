// SPDX-License-Identifier: Apache-2.0
//
// Layers without parameters, and the header that brings all layers.
#pragma once

#include <string_view>

#include "trainer/nn/batch_norm.h"
#include "trainer/nn/branches.h"
#include "trainer/nn/conv2d.h"
#include "trainer/nn/linear.h"
#include "trainer/nn/module.h"
#include "trainer/nn/quantize.h"
#include "trainer/nn/sequential.h"
#include "trainer/ops/dropout.h"
#include "trainer/ops/local_response_norm.h"
#include "trainer/ops/pooling.h"
#include "trainer/ops/shortcut.h"

namespace bitplane::train {

class Relu final : public Module {
 public:
  Variable forward(const Context& ctx, const Variable& x) override;
  std::string append_to(LayerGraph& graph, const std::string& name, const std::string& input) const override;
};

class MaxPool final : public Module {
 public:
  explicit MaxPool(const PoolOptions& options) : options_(options) {}
  Variable forward(const Context& ctx, const Variable& x) override;
  std::string append_to(LayerGraph& graph, const std::string& name, const std::string& input) const override;
  [[nodiscard]] const PoolOptions& options() const noexcept { return options_; }

 private:
  PoolOptions options_;
};

class AveragePool final : public Module {
 public:
  explicit AveragePool(const PoolOptions& options) : options_(options) {}
  Variable forward(const Context& ctx, const Variable& x) override;
  std::string append_to(LayerGraph& graph, const std::string& name, const std::string& input) const override;
  [[nodiscard]] const PoolOptions& options() const noexcept { return options_; }

 private:
  PoolOptions options_;
};

/// [n][h][w][c] -> [n][c]
class GlobalAveragePool final : public Module {
 public:
  Variable forward(const Context& ctx, const Variable& x) override;
  std::string append_to(LayerGraph& graph, const std::string& name, const std::string& input) const override;
};

/// Random zeros while training: ops/dropout.h.
class Dropout final : public Module {
 public:
  /// `stream_name`: the layer's path in the net, or whatever else is unique in it.
  Dropout(double rate, std::string_view stream_name);
  Variable forward(const Context& ctx, const Variable& x) override;
  std::string append_to(LayerGraph& graph, const std::string& name, const std::string& input) const override;

 private:
  DropoutOptions options_;
};

class LocalResponseNorm final : public Module {
 public:
  explicit LocalResponseNorm(const ResponseNormOptions& options) : options_(options) {}
  Variable forward(const Context& ctx, const Variable& x) override;
  std::string append_to(LayerGraph& graph, const std::string& name, const std::string& input) const override;
  [[nodiscard]] const ResponseNormOptions& options() const noexcept { return options_; }

 private:
  ResponseNormOptions options_;
};

/// Fewer pixels and more channels, without parameters: ops/shortcut.h.
class ZeroChannelShortcut final : public Module {
 public:
  explicit ZeroChannelShortcut(const ShortcutOptions& options) : options_(options) {}
  Variable forward(const Context& ctx, const Variable& x) override;
  std::string append_to(LayerGraph& graph, const std::string& name, const std::string& input) const override;
  [[nodiscard]] const ShortcutOptions& options() const noexcept { return options_; }

 private:
  ShortcutOptions options_;
};

/// [n][h][w][c] -> [n][h * w * c]
class Flatten final : public Module {
 public:
  Variable forward(const Context& ctx, const Variable& x) override;
  std::string append_to(LayerGraph& graph, const std::string& name, const std::string& input) const override;
};

}  // namespace bitplane::train
