// SPDX-License-Identifier: Apache-2.0
#include "trainer/procedures/tfl_layers.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <stdexcept>
#include <utility>

#include "engine/cli/shared/number_text.h"
#include "trainer/math/random.h"
#include "trainer/procedures/tfl_site.h"

namespace bitplane::train {
namespace {

constexpr std::size_t kBatch = 100;
constexpr std::size_t kSmallMap = 16;  ///< positions of a map that is taken as a whole

/// The same pictures for all layers.
std::vector<std::uint32_t> sample_pictures(const StartPoint& point, std::size_t count) {
  std::vector<std::uint32_t> order(point.data.train.count);
  std::iota(order.begin(), order.end(), 0U);
  Random random(point.config.seed, stream_of("transformation pictures"));
  shuffle(order, random);
  order.resize(std::min(count, order.size()));
  return order;
}

/// Positions in the output map of one layer, for each picture.
class Positions {
 public:
  Positions(const std::string& layer, std::uint64_t seed, std::size_t per_picture)
      : random_(seed, stream_of("transformation positions of " + layer)), per_picture_(per_picture) {}
  std::vector<std::uint32_t> next(std::size_t map) {
    std::vector<std::uint32_t> chosen;
    if (map <= std::max(kSmallMap, per_picture_)) {
      chosen.resize(map);
      std::iota(chosen.begin(), chosen.end(), 0U);
      return chosen;
    }
    for (std::size_t i = 0; i < per_picture_; ++i)
      chosen.push_back(random_.below(static_cast<std::uint32_t>(map)));
    return chosen;
  }

 private:
  Random random_;
  std::size_t per_picture_;
};

/// Height times width of [n][h][w][c]; 1 of [n][c].
std::size_t map_size(const Tensor& t) {
  return t.shape().rank() == 4 ? t.shape()[1] * t.shape()[2] : 1;
}

/// Runs the pictures through the net, batch by batch; `take` sees the values of `nodes`, in their order.
void watch_nodes(const StartPoint& point, Module& net, std::span<const std::uint32_t> pictures,
                 const std::vector<std::string>& nodes,
                 const std::function<void(const std::vector<Tensor>&)>& take) {
  for (std::size_t first = 0; first < pictures.size(); first += kBatch) {
    const auto indices = pictures.subspan(first, std::min(kBatch, pictures.size() - first));
    const Batch batch = make_batch(point.data.train, point.task.preprocessing, indices);
    std::vector<Tensor> values(nodes.size());
    const Context ctx{.backend = point.backend, .mode = Mode::Eval, .grad = GradMode::Off};
    net.watch(ctx, Variable(batch.pictures), "", [&](const std::string& name, const Variable& value) {
      for (std::size_t i = 0; i < nodes.size(); ++i) {
        if (name == nodes[i]) values[i] = value.value();
      }
    });
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      if (!values[i].defined()) throw std::logic_error("layer '" + nodes[i] + "' was not seen");
    }
    take(values);
  }
}

/// All of what a batch norm reads, the output of node `input_name`.
NormInput measure_norm_input(const StartPoint& point, const std::string& input_name, std::size_t channels,
                             std::span<const std::uint32_t> pictures) {
  std::vector<double> sum(channels), square(channels);
  std::size_t values_seen = 0;
  watch_nodes(point, point.net, pictures, {input_name}, [&](const std::vector<Tensor>& values) {
    const std::span<const float> x = values.front().values();
    for (std::size_t i = 0; i < x.size(); ++i) {
      const auto v = static_cast<double>(x[i]);
      sum[i % channels] += v;
      square[i % channels] += v * v;
    }
    values_seen += x.size();
  });
  const std::size_t positions = values_seen / channels;
  const auto count = static_cast<double>(positions);
  NormInput input;
  for (std::size_t o = 0; o < channels; ++o) {
    const double mean = sum[o] / count;
    input.mean.push_back(mean);
    input.variance.push_back(std::max(0.0, square[o] / count - mean * mean));
  }
  return input;
}

/// Samples of one layer as they come in.
struct Samples {
  std::vector<std::vector<std::uint8_t>> inputs;  ///< by group: one receptive field after the other
  std::vector<float> outputs;                     ///< [samples][out]
};

class LayerSampler {
 public:
  LayerSampler(const StartPoint& point, const TflSite& site, double delta, std::size_t levels)
      : point_(point), site_(site), delta_(delta), levels_(levels) {}

  Samples collect(Module& net, const std::vector<std::uint32_t>& pictures, std::size_t positions,
                  bool outputs_too) const {
    Samples samples;
    samples.inputs.resize(site_.groups());
    Positions chosen(site_.name, point_.config.seed, positions);
    const auto take = [&](const std::vector<Tensor>& values) {
      const Tensor &input = values[0], &output = values[1];
      const std::size_t map = map_size(output), channels = site_.out_channels();
      for (std::size_t i = 0; i < output.shape()[0]; ++i) {
        for (const std::uint32_t at : chosen.next(map)) {
          add_fields(input, output, i, at, samples);
          if (!outputs_too) continue;
          const auto values_there = output.values().subspan((i * map + at) * channels, channels);
          samples.outputs.insert(samples.outputs.end(), values_there.begin(), values_there.end());
        }
      }
    };
    watch_nodes(point_, net, pictures, {site_.input, site_.name}, take);
    return samples;
  }

 private:
  [[nodiscard]] std::uint8_t code_of(float value) const {
    const double code = std::floor(static_cast<double>(value) / delta_ + 0.5);
    const bool is_level = code >= 0 && code < static_cast<double>(levels_) &&
                          std::fabs(static_cast<double>(value) - code * delta_) <= 1e-3 * delta_;
    if (!is_level) {
      throw std::invalid_argument("layer '" + site_.name +
                                  "' reads numbers that are no codes of method 'tsq': its transformation "
                                  "cannot be learned, train this net with `trainer train --method tsq`");
    }
    return static_cast<std::uint8_t>(code);
  }

  void add_fields(const Tensor& input, const Tensor& output, std::size_t picture, std::size_t at,
                  Samples& samples) const {
    if (site_.linear != nullptr) {
      const std::size_t features = input.size() / input.shape()[0];
      for (const float value : input.values().subspan(picture * features, features))
        samples.inputs[0].push_back(code_of(value));
      return;
    }
    const Conv2dOptions& conv = site_.conv->options();
    const std::size_t height = input.shape()[1], width = input.shape()[2], channels = conv.in_channels;
    const std::size_t row = at / output.shape()[2], column = at % output.shape()[2];
    const std::size_t depth = channels / conv.groups;
    for (std::size_t g = 0; g < conv.groups; ++g) {
      for (std::size_t ky = 0; ky < conv.kernel; ++ky) {
        for (std::size_t kx = 0; kx < conv.kernel; ++kx) {
          // Below 0 wraps round and is outside too.
          const std::size_t y = row * conv.stride + ky * conv.dilation - conv.pad;
          const std::size_t x = column * conv.stride + kx * conv.dilation - conv.pad;
          for (std::size_t c = 0; c < depth; ++c) {
            const bool inside = y < height && x < width;
            const std::size_t pixel = (picture * height + y) * width + x;
            samples.inputs[g].push_back(inside ? code_of(input.values()[pixel * channels + g * depth + c])
                                               : std::uint8_t{0});
          }
        }
      }
    }
  }

  const StartPoint& point_;
  const TflSite& site_;
  double delta_;
  std::size_t levels_;
};

/// [samples][m] -> [m][samples]
std::vector<std::uint8_t> transposed(const std::vector<std::uint8_t>& fields, std::size_t m) {
  const std::size_t samples = fields.size() / m;
  std::vector<std::uint8_t> codes(fields.size());
  for (std::size_t n = 0; n < samples; ++n) {
    for (std::size_t j = 0; j < m; ++j) codes[j * samples + n] = fields[n * m + j];
  }
  return codes;
}

struct LayerErrors {
  double start = 0, end = 0, power = 0;  ///< |y - Q(v)|^2 and |y|^2, of all channels
  std::size_t kept = 0;                  ///< channels whose start was better
  std::size_t samples = 0;               ///< positions of all pictures
};

/// One layer: its samples, all its channels, and what is written back.
class LayerLearner {
 public:
  LayerLearner(const StartPoint& point, const TflSite& site, const TflOptions& options,
               const ThresholdTable& table)
      : point_(point),
        site_(site),
        options_(options),
        table_(table),
        delta_(static_cast<double>(table.levels[1])),
        state_(point.net),
        fold_(fold_behind(site, state_)) {
    const bool has_shift = !site.norm.empty() || state_.find(site.name + ".bias") != nullptr;
    intercept_ = has_shift ? options.intercept : Intercept::None;
    const Tensor& weight = state_.at(site.name + ".weight");
    weights_.assign(weight.values().begin(), weight.values().end());
  }

  LayerErrors learn(Module& before, const std::vector<std::uint32_t>& pictures) {
    const LayerSampler sampler(point_, site_, delta_, table_.levels.size());
    const bool own_front = options_.front == TflFront::Ternary;
    Samples target = sampler.collect(before, pictures, options_.positions, true);
    if (own_front) target.inputs = sampler.collect(point_.net, pictures, options_.positions, false).inputs;
    LayerErrors errors{.samples = target.outputs.size() / site_.out_channels()};
    for (std::size_t g = 0; g < site_.groups(); ++g) {
      const TflInputs inputs(point_.backend, transposed(target.inputs[g], site_.filter_size()),
                             site_.filter_size(), table_.bits, intercept_);
      learn_group(inputs, g, target.outputs, errors);
    }
    if (state_.find(site_.norm + ".gamma") != nullptr)
      keep_function(site_, state_,
                    measure_norm_input(point_, site_.norm_input, site_.out_channels(), pictures));
    return errors;
  }

 private:
  struct Learned {
    TernaryChannel channel;
    TflResult result;
    double power = 0;
  };

  void learn_group(const TflInputs& inputs, std::size_t group, const std::vector<float>& outputs,
                   LayerErrors& errors) {
    const std::size_t channels = site_.out_channels() / site_.groups();
    const TflProblem problem{.inputs = inputs,
                             .output = site_.output,
                             .table = &table_,
                             .delta = delta_,
                             .lambdas = options_.lambdas};
    std::vector<Learned> learned(channels);
    point_.backend.threads().parallel_for(channels, [&](std::size_t c, std::size_t) {
      learned[c] = learn_channel(problem, group * channels + c, outputs);
    });
    for (const Learned& one : learned) {
      write_channel(site_, state_, one.channel);
      errors.start += one.result.start_error;
      errors.end += std::min(one.result.start_error, one.result.end_error);
      errors.power += one.power;
      errors.kept += one.result.start_error < one.result.end_error ? 1 : 0;
    }
  }

  /// The target values of a channel: Q(v), max(0, v) or the layer's own output.
  [[nodiscard]] std::vector<double> targets(std::size_t channel, const std::vector<float>& outputs) const {
    const std::size_t channels = site_.out_channels();
    const Tensor* bias = state_.find(site_.name + ".bias");
    const double added = bias == nullptr ? 0.0 : static_cast<double>(bias->values()[channel]);
    std::vector<double> y;
    y.reserve(outputs.size() / channels);
    for (std::size_t n = channel; n < outputs.size(); n += channels) {
      const double v =
          fold_.scale[channel] * (static_cast<double>(outputs[n]) - added) + fold_.shift[channel];
      if (site_.output == TflOutput::Codes) {
        y.push_back(tfl_level(table_, delta_, v));
      } else {
        y.push_back(site_.output == TflOutput::Relu ? std::max(0.0, v) : v);
      }
    }
    return y;
  }

  [[nodiscard]] TflSolution start_of(std::size_t channel, TflSolver& solver,
                                     std::span<const double> y) const {
    const std::size_t m = site_.filter_size();
    if (options_.start == TflStart::Random) {
      Random random(point_.config.seed, stream_of("transformation start of " + site_.name + " channel " +
                                                  std::to_string(channel)));
      std::vector<std::int8_t> t(m);
      for (std::int8_t& value : t) value = static_cast<std::int8_t>(static_cast<int>(random.below(3)) - 1);
      return solver.fit(y, std::move(t));
    }
    std::vector<double> folded;
    for (std::size_t j = 0; j < m; ++j)
      folded.push_back(fold_.scale[channel] * static_cast<double>(weights_[channel * m + j]));
    TernaryFilter filter = best_ternary(folded);
    return {.t = std::move(filter.t), .alpha = filter.alpha, .b = fold_.shift[channel]};
  }

  /// What a batch norm without scale makes of a channel is its shift, whatever the weights. They stay the
  /// filter's, so that the scale finds something to grow on.
  [[nodiscard]] TflSolution without_scale(std::size_t channel) const {
    const std::size_t m = site_.filter_size();
    TernaryFilter filter = best_ternary(std::span(weights_).subspan(channel * m, m));
    return {.t = std::move(filter.t), .alpha = filter.alpha, .b = fold_.shift[channel]};
  }

  [[nodiscard]] Learned learn_channel(const TflProblem& problem, std::size_t channel,
                                      const std::vector<float>& outputs) const {
    TflSolver solver(problem);
    const std::vector<double> y = targets(channel, outputs);
    Learned learned;
    for (const double value : y) learned.power += value * value;
    if (fold_.scale[channel] == 0 && intercept_ == Intercept::Learned) {
      learned.channel = {.channel = channel, .solution = without_scale(channel), .sign = 0};
      return learned;
    }
    learned.result = solver.solve(y, start_of(channel, solver, y));
    learned.channel = {.channel = channel,
                       .solution = learned.result.solution,
                       .sign = fold_.scale[channel] < 0 ? -1.0 : 1.0};
    return learned;
  }

  const StartPoint& point_;
  const TflSite& site_;
  const TflOptions& options_;
  const ThresholdTable& table_;
  double delta_;
  NetState state_;
  ChannelFold fold_;
  Intercept intercept_ = Intercept::Learned;
  std::vector<float> weights_;
};

/// Of the codes that the layers read and write: one table for the net.
ThresholdTable table_of(const LayerGraph& graph) {
  for (const LayerNode& node : graph.nodes) {
    const auto* const* quantize = std::get_if<const Quantize*>(&node.layer);
    if (quantize != nullptr && (*quantize)->quantizer().name() == "tsq")
      return (*quantize)->quantizer().table();
  }
  throw std::invalid_argument(
      "this net has no activations that method 'tsq' quantizes: its transformation "
      "cannot be learned; choose a net with quantized inner layers");
}

/// A batch norm that is part of no layer's target: behind a sum or a concatenation, for example.
bool stands_alone(const LayerNode& node, const std::vector<TflSite>& sites) {
  return std::holds_alternative<const BatchNorm*>(node.layer) &&
         std::ranges::none_of(sites, [&](const TflSite& site) { return site.norm == node.name; });
}

nlohmann::ordered_json report_of(const TflSite& site, const LayerErrors& errors) {
  const double power = errors.power > 0 ? errors.power : 1.0;
  return {
      {"layer", site.name},        {"channels", site.out_channels()},     {"filter_size", site.filter_size()},
      {"samples", errors.samples}, {"start_error", errors.start / power}, {"end_error", errors.end / power},
      {"kept_start", errors.kept}};
}

}  // namespace

nlohmann::ordered_json learn_transformation(const StartPoint& point, Module& before,
                                            const TflOptions& options,
                                            const std::function<void(const std::string&)>& say) {
  const LayerGraph graph = layer_graph(point.net);
  const ThresholdTable table = table_of(graph);
  const std::vector<std::uint32_t> pictures = sample_pictures(point, options.pictures);
  const std::vector<TflSite> sites = tfl_sites(graph);
  const NetState state(point.net);
  nlohmann::ordered_json layers = nlohmann::ordered_json::array();
  auto next = sites.begin();
  for (const LayerNode& node : graph.nodes) {
    if (next != sites.end() && next->name == node.name) {
      const TflSite& site = *next++;
      layers.push_back(report_of(site, LayerLearner(point, site, options, table).learn(before, pictures)));
      say("layer '" + site.name + "': relative error " +
          cli::fixed(layers.back().at("start_error").get<double>(), 4) + " -> " +
          cli::fixed(layers.back().at("end_error").get<double>(), 4));
    } else if (next != sites.begin() && stands_alone(node, sites)) {
      // What it reads are ternary layers' outputs now, and so are the codes that the layers behind it see.
      const std::size_t channels = state.at(node.name + ".running_mean").size();
      set_statistics(state, node.name, measure_norm_input(point, node.inputs.front(), channels, pictures));
    }
  }
  return {{"pictures", pictures.size()}, {"layers", layers}};
}

}  // namespace bitplane::train
