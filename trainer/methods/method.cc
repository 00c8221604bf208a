// SPDX-License-Identifier: Apache-2.0
#include "trainer/methods/method.h"

#include <algorithm>
#include <array>
#include <stdexcept>

#include "engine/data/nearest_name.h"

namespace bitplane::train {
namespace {

/// The quantizers that have activations (a test compares with quantizers()), the default first.
constexpr std::array<std::string_view, 10> kAnyActivations{"gdrq", "lq-nets", "qil",  "lsq", "dorefa",
                                                           "pact", "hwgq",    "sign", "tsq", "abc-net"};
constexpr OptionInfo kActivations{.name = "activations",
                                  .help = "whose activations the net takes where abits is not 32",
                                  .kind = OptionKind::Choice,
                                  .choices = kAnyActivations};

constexpr std::array<std::string_view, 3> kAllLayers{"all", "not-last", "inner"};
constexpr std::array<std::string_view, 3> kNotLastLayers{"not-last", "all", "inner"};
constexpr std::array<std::string_view, 3> kInnerLayers{"inner", "not-last", "all"};
constexpr OptionInfo layers_option(std::span<const std::string_view> choices) {
  return {.name = "layers",
          .help = "whose weights are quantized: all, not-last, or inner (neither first nor last)",
          .kind = OptionKind::Choice,
          .choices = choices};
}
constexpr std::array kGdrqMethodOptions{layers_option(kNotLastLayers)};
constexpr std::array kClusterOptions{layers_option(kAllLayers), kActivations};
constexpr std::array kInqMethodOptions{layers_option(kInnerLayers), kActivations};

constexpr std::array kMethods{
    MethodInfo{.name = "float",
               .description = "float32 everywhere: the twin to compare with",
               .weights = "float32",
               .activations = "float32",
               .weight_quantizer = "",
               .activation_quantizer = "",
               .defaults = {.wbits = kFloatBits, .abits = kFloatBits, .lr = 0.1, .weight_decay = 5e-4}},
    MethodInfo{
        .name = "lq-nets",
        .description = "LQ-Nets: learned real-valued bases (Zhang, Yang, Ye, Hua, ECCV 2018)",
        .weights = "sum of +-1 bits times a learned basis, per output channel",
        .activations = "sum of 0/1 bits times a learned basis, per layer",
        .weight_quantizer = "lq-nets",
        .activation_quantizer = "lq-nets",
        // 1e-3: 91.73 % at 2/2 (Fashion-MNIST, cnn-small, 5 epochs, seed 1), against 91.54 % with 5e-4.
        .defaults = {.wbits = 2, .abits = 2, .lr = 0.1, .weight_decay = 1e-3}},
    MethodInfo{.name = "qil",
               .description = "QIL: trained quantization intervals (Jung et al., CVPR 2019)",
               .weights = "uniform levels in a trained interval, per layer; 2 bits: ternary",
               .activations = "uniform levels in a trained interval, per layer",
               .weight_quantizer = "qil",
               .activation_quantizer = "qil",
               .defaults = {.wbits = 2, .abits = 2, .lr = 0.1, .weight_decay = 2e-4}},
    MethodInfo{.name = "tsq",
               .description = "TSQ: two-step quantization (Wang et al., CVPR 2018); this is its first step, "
                              "`trainer quantize` does both",
               .weights = "float32; with 2 bits alpha {-1, 0, 1}, the best for each filter",
               .activations = "sparse uniform levels, fixed for a normal distribution",
               .weight_quantizer = "tsq",
               .activation_quantizer = "tsq",
               .defaults = {.wbits = kFloatBits, .abits = 2, .lr = 0.1, .weight_decay = 5e-4},
               .float_weights = FloatWeights::Allowed},
    MethodInfo{.name = "gdrq",
               .description = "GDRQ: group-based distribution reshaping (Yu et al., 2019)",
               .weights = "uniform levels up to a clip point per group of filters; 1 bit: sign times mean",
               .activations = "uniform levels up to a running clip point, per layer",
               .weight_quantizer = "gdrq",
               .activation_quantizer = "gdrq",
               .defaults = {.wbits = 2, .abits = 2, .lr = 0.1, .weight_decay = 5e-4},
               .float_weights = FloatWeights::Allowed,
               .options = kGdrqMethodOptions},
    MethodInfo{.name = "lsq",
               .description = "LSQ: learned step size (Esser et al., ICLR 2020)",
               .weights = "uniform levels with a trained step, per layer",
               .activations = "uniform levels with a trained step, per layer",
               .weight_quantizer = "lsq",
               .activation_quantizer = "lsq",
               .defaults = {.wbits = 2, .abits = 2, .lr = 0.1, .weight_decay = 1e-4}},
    MethodInfo{.name = "dorefa",
               .description = "DoReFa-Net (Zhou, Wu, Ni, Zhou, Wen, Zou, 2016), float gradients",
               .weights = "uniform levels in [-1, 1] behind tanh; 1 bit: sign times the layer's mean",
               .activations = "uniform levels in [0, 1]",
               .weight_quantizer = "dorefa",
               .activation_quantizer = "dorefa",
               .defaults = {.wbits = 2, .abits = 2, .lr = 0.1, .weight_decay = 1e-4}},
    MethodInfo{.name = "pact",
               .description = "PACT: trained clip points of activations (Choi et al., 2018)",
               .weights = "as dorefa",
               .activations = "uniform levels up to a trained clip point, per layer",
               .weight_quantizer = "dorefa",
               .activation_quantizer = "pact",
               .defaults = {.wbits = 2, .abits = 2, .lr = 0.1, .weight_decay = 1e-4}},
    MethodInfo{.name = "hwgq",
               .description = "HWGQ: half-wave Gaussian quantization (Cai, He, Sun, Vasconcelos, CVPR 2017)",
               .weights = "sign times the mean of the filter",
               .activations = "fixed levels for a half-wave Gaussian",
               .weight_quantizer = "bwn",
               .activation_quantizer = "hwgq",
               .defaults = {.wbits = 1, .abits = 2, .lr = 0.1, .weight_decay = 5e-4}},
    MethodInfo{.name = "xnor-net",
               .description = "XNOR-Net without its map of scales (Rastegari et al., ECCV 2016)",
               .weights = "sign times the mean of the filter",
               .activations = "sign",
               .weight_quantizer = "bwn",
               .activation_quantizer = "sign",
               .defaults = {.wbits = 1, .abits = 1, .lr = 0.1, .weight_decay = 1e-4}},
    MethodInfo{.name = "bnn",
               .description = "BNN: binarized neural networks (Courbariaux et al., 2016)",
               .weights = "sign",
               .activations = "sign",
               .weight_quantizer = "sign",
               .activation_quantizer = "sign",
               .defaults = {.wbits = 1, .abits = 1, .lr = 0.1, .weight_decay = 0}},
    MethodInfo{.name = "bwn",
               .description = "BWN: binary weight network (Rastegari et al., ECCV 2016)",
               .weights = "sign times the mean of the filter",
               .activations = "float32; with bits as gdrq",
               .weight_quantizer = "bwn",
               .activation_quantizer = "gdrq",
               .defaults = {.wbits = 1, .abits = kFloatBits, .lr = 0.1, .weight_decay = 1e-4}},
    MethodInfo{.name = "binaryconnect",
               .description = "BinaryConnect, deterministic (Courbariaux, Bengio, David, NIPS 2015)",
               .weights = "sign",
               .activations = "float32; with bits as gdrq",
               .weight_quantizer = "sign",
               .activation_quantizer = "gdrq",
               .defaults = {.wbits = 1, .abits = kFloatBits, .lr = 0.1, .weight_decay = 0}},
    MethodInfo{.name = "twn",
               .description = "TWN: ternary weight networks (Li, Zhang, Liu, 2016)",
               .weights = "alpha {-1, 0, 1}, per layer",
               .activations = "float32; with bits as gdrq",
               .weight_quantizer = "twn",
               .activation_quantizer = "gdrq",
               .defaults = {.wbits = 2, .abits = kFloatBits, .lr = 0.1, .weight_decay = 1e-4}},
    MethodInfo{.name = "ttq",
               .description = "TTQ: trained ternary quantization (Zhu, Han, Mao, Dally, ICLR 2017)",
               .weights = "{-n, 0, p} with trained n, p, per layer",
               .activations = "float32; with bits as gdrq",
               .weight_quantizer = "ttq",
               .activation_quantizer = "gdrq",
               .defaults = {.wbits = 2, .abits = kFloatBits, .lr = 0.1, .weight_decay = 1e-4}},
    MethodInfo{.name = "abc-net",
               .description = "ABC-Net: sums of binary bases (Lin, Zhao, Pan, NIPS 2017)",
               .weights = "sum of +-1 bases with least-squares shares, per layer",
               .activations = "sum of +-1 steps with trained shares and shifts, per layer",
               .weight_quantizer = "abc-net",
               .activation_quantizer = "abc-net",
               .defaults = {.wbits = 3, .abits = 3, .lr = 0.1, .weight_decay = 1e-4}},
    MethodInfo{.name = "inq",
               .description = "INQ: incremental network quantization (Zhou, Yao, Guo, Xu, Chen, ICLR 2017)",
               .weights = "0 and powers of two of the layer, the largest weights first",
               .activations = "float32; with bits as the option activations says",
               .weight_quantizer = "inq",
               .activation_quantizer = "gdrq",
               .defaults = {.wbits = 5, .abits = kFloatBits, .lr = 0.1, .weight_decay = 5e-4},
               .start = MethodStart::FloatNet,
               .options = kInqMethodOptions},
    MethodInfo{.name = "slq",
               .description = "SLQ: clusters, quantized part by part (Xu, Wang, Zhou, Lin, Xiong, AAAI 2018)",
               .weights = "2^(bits-1) + 1 centres of the layer, one of them 0",
               .activations = "float32; with bits as the option activations says",
               .weight_quantizer = "slq",
               .activation_quantizer = "gdrq",
               .defaults = {.wbits = 5, .abits = kFloatBits, .lr = 0.1, .weight_decay = 5e-4},
               .start = MethodStart::FloatNet,
               .options = kClusterOptions},
    MethodInfo{.name = "eslq",
               .description = "ESLQ: SLQ with centres of a prescribed type (Xu et al., AAAI 2018)",
               .weights = "2^(bits-1) + 1 centres of the layer that are powers of two, or two digits",
               .activations = "float32; with bits as the option activations says",
               .weight_quantizer = "eslq",
               .activation_quantizer = "gdrq",
               .defaults = {.wbits = 5, .abits = kFloatBits, .lr = 0.1, .weight_decay = 5e-4},
               .start = MethodStart::FloatNet,
               .options = kClusterOptions},
    MethodInfo{.name = "mlq",
               .description = "MLQ: three centres, layers and clusters part by part (Xu et al., AAAI 2018)",
               .weights = "three centres of the layer, not symmetric",
               .activations = "float32; with bits as the option activations says",
               .weight_quantizer = "mlq",
               .activation_quantizer = "gdrq",
               .defaults = {.wbits = 2, .abits = kFloatBits, .lr = 0.1, .weight_decay = 5e-4},
               .start = MethodStart::FloatNet,
               .options = kClusterOptions},
};

const QuantizerInfo* quantizer_of(std::string_view name) {
  if (name.empty()) return nullptr;
  const QuantizerInfo* quantizer = find_quantizer(name);
  if (quantizer == nullptr) throw std::logic_error("no quantizer '" + std::string(name) + "'");
  return quantizer;
}

bool has_option(const MethodInfo& method, std::string_view name) {
  return std::any_of(method.options.begin(), method.options.end(),
                     [&](const OptionInfo& option) { return option.name == name; });
}

const QuantizerInfo* activations_of(const MethodInfo& method, const OptionValues& options) {
  if (!has_option(method, kActivations.name)) return quantizer_of(method.activation_quantizer);
  return quantizer_of(OptionReader(method.options, options).choice(kActivations.name));
}

WeightReach reach_of(const MethodInfo& method, const OptionValues& options) {
  if (!has_option(method, "layers")) return WeightReach::Inner;
  const std::string layers = OptionReader(method.options, options).choice("layers");
  return layers == "all"     ? WeightReach::All
         : layers == "inner" ? WeightReach::Inner
                             : WeightReach::AllButLast;
}

std::string title(const MethodInfo& method) {
  return "method '" + std::string(method.name) + "'";
}

std::string or_float(BitRange range) {
  return range.max == 0 ? std::to_string(kFloatBits) : to_string(range) + ", or 32 for float";
}

[[noreturn]] void refuse_bits(const MethodInfo& method, const char* which, std::size_t bits,
                              const std::string& possible) {
  throw std::invalid_argument(std::string(which) + " is " + std::to_string(bits) + ": with " + title(method) +
                              " bits are " + possible);
}

/// Whether float weights are moved between steps: with 32/32 bits too that is another training than 'float'.
bool moves_float_weights(const MethodInfo& method, const OptionValues& options) {
  const QuantizerInfo* weights = quantizer_of(method.weight_quantizer);
  return weights != nullptr && weights->float_weights != nullptr &&
         weights->float_weights({.bits = kFloatBits, .options = options}) != nullptr;
}

void check_pair(const MethodInfo& method, const MethodSettings& settings) {
  const std::size_t wbits = settings.wbits, abits = settings.abits;
  const bool quantizes = !method.weight_quantizer.empty();
  if (!quantizes && (wbits != kFloatBits || abits != kFloatBits)) {
    throw std::invalid_argument(
        title(method) +
        " keeps 32 bits on both sides: leave wbits and abits out, or choose a method that "
        "quantizes (trainer list methods)");
  }
  if (quantizes && wbits == kFloatBits && abits == kFloatBits &&
      !moves_float_weights(method, settings.options)) {
    throw std::invalid_argument(title(method) + " with 32/32 bits quantizes nothing: choose method 'float'");
  }
  if (wbits != kFloatBits && !weight_bits(method).contains(wbits))
    refuse_bits(method, "wbits", wbits, weight_bits_text(method));
  const QuantizerInfo* activations = activations_of(method, settings.options);
  const BitRange range = activations != nullptr ? activations->activation_bits : BitRange{};
  if (abits != kFloatBits && !range.contains(abits)) refuse_bits(method, "abits", abits, or_float(range));
  if (wbits == kFloatBits && abits != kFloatBits && method.float_weights == FloatWeights::Refused) {
    throw std::invalid_argument("float weights (wbits 32) on quantized activations (abits " +
                                std::to_string(abits) + ") have no bit-plane product: give wbits " +
                                to_string(weight_bits(method)));
  }
}

}  // namespace

std::span<const MethodInfo> methods() noexcept {
  return kMethods;
}

const MethodInfo& find_method(std::string_view name) {
  std::vector<std::string_view> known;
  for (const MethodInfo& method : kMethods) {
    if (method.name == name) return method;
    known.push_back(method.name);
  }
  throw std::invalid_argument(engine::data::unknown_name_message("method", name, known));
}

std::vector<OptionInfo> method_options(const MethodInfo& method) {
  std::vector<OptionInfo> options;
  const auto add = [&](std::span<const OptionInfo> more) {
    for (const OptionInfo& option : more) {
      const bool known = std::any_of(options.begin(), options.end(),
                                     [&](const OptionInfo& o) { return o.name == option.name; });
      if (!known) options.push_back(option);
    }
  };
  if (const auto* quantizer = quantizer_of(method.weight_quantizer)) add(quantizer->weight_options);
  if (const auto* quantizer = quantizer_of(method.activation_quantizer)) add(quantizer->activation_options);
  add(method.options);
  if (has_option(method, kActivations.name)) {
    for (const std::string_view name : kAnyActivations) add(quantizer_of(name)->activation_options);
  }
  return options;
}

void require_random_start(std::string_view method) {
  if (find_method(method).start == MethodStart::Random) return;
  const std::string name(method);
  throw std::invalid_argument("method '" + name +
                              "' starts from a float net: train one with --method float, then: trainer "
                              "quantize --from RUN --method " +
                              name);
}

BitRange weight_bits(const MethodInfo& method) {
  const QuantizerInfo* quantizer = quantizer_of(method.weight_quantizer);
  return quantizer != nullptr ? quantizer->weight_bits : BitRange{};
}

BitRange activation_bits(const MethodInfo& method) {
  const QuantizerInfo* quantizer = quantizer_of(method.activation_quantizer);
  return quantizer != nullptr ? quantizer->activation_bits : BitRange{};
}

std::string weight_bits_text(const MethodInfo& method) {
  const BitRange range = weight_bits(method);
  const bool quantized_alone = range.max != 0 && method.float_weights == FloatWeights::Refused;
  return quantized_alone ? to_string(range) : or_float(range);
}

std::string activation_bits_text(const MethodInfo& method) {
  return or_float(activation_bits(method));
}

MethodSettings resolve_method(MethodSettings settings) {
  const MethodInfo& method = find_method(settings.method);
  settings.options = resolve_options(title(method), method_options(method), std::move(settings.options));
  check_pair(method, settings);
  return settings;
}

QuantizationPlan make_plan(const MethodSettings& settings) {
  const MethodInfo& method = find_method(settings.method);
  QuantizationPlan plan{.weights = {}, .activations = {}, .reach = reach_of(method, settings.options)};
  const QuantizerInfo* weights = quantizer_of(method.weight_quantizer);
  if (settings.wbits == kFloatBits && weights != nullptr && weights->float_weights != nullptr) {
    plan.weights = [weights, options = settings.options](WeightQuantizerOptions layer) {
      layer.bits = kFloatBits;
      layer.options = options;
      return weights->float_weights(layer);
    };
  }
  if (settings.wbits != kFloatBits) {
    const QuantizerInfo* quantizer = weights;
    plan.weights = [quantizer, bits = settings.wbits,
                    options = settings.options](WeightQuantizerOptions layer) {
      layer.bits = bits;
      layer.options = options;
      return quantizer->make_weights(layer);
    };
  }
  if (settings.abits != kFloatBits) {
    const QuantizerInfo* quantizer = activations_of(method, settings.options);
    plan.activations = [quantizer, bits = settings.abits, options = settings.options] {
      return quantizer->make_activations({.bits = bits, .options = options});
    };
  }
  return plan;
}

}  // namespace bitplane::train
