// SPDX-License-Identifier: Apache-2.0
#include "trainer/nets/net_file.h"

#include <algorithm>
#include <array>
#include <map>
#include <stdexcept>
#include <utility>
#include <vector>

#include "engine/cli/shared/input_files.h"
#include "engine/cli/shared/json_output.h"
#include "engine/cli/shared/plain_text.h"
#include "engine/data/nearest_name.h"
#include "trainer/nets/layer_sizes.h"
#include "trainer/nets/net_fields.h"
#include "trainer/nets/parts.h"

namespace bitplane::train {
namespace {

constexpr std::string_view kExtension = ".json";
constexpr std::size_t kLargestKernel = 255, kLargestPool = 15;
constexpr std::size_t kMaxDepth = 16;  // of lists in lists

/// What flows from layer to layer of a list.
struct Flow {
  PictureShape shape;
  bool flat = false;      ///< [n][features]: behind flatten, global_average_pool, linear
  std::string path = {};  ///< of the container, "" or "stage1.block1"
  std::size_t depth = 0;
};

class NetFileBuilder {
 public:
  explicit NetFileBuilder(const NetOptions& options) : parts_(options) {}
  void add_layers(std::vector<NetElement> elements, Sequential& to, Flow& flow);

 private:
  /// A layer's entry, its name, and where it goes.
  struct Entry {
    NetElement& element;
    std::string name;
    Sequential& to;
    Flow& flow;
    [[nodiscard]] std::string path() const { return layer_path(flow.path, name); }
  };
  struct Kind {
    std::string_view name;
    void (NetFileBuilder::*add)(const Entry& entry);
  };
  static const std::array<Kind, 15> kKinds;

  void conv(const Entry& e);
  void linear(const Entry& e);
  void batch_norm(const Entry& e);
  void relu(const Entry& e) { put(e, std::make_unique<Relu>()); }
  void quantize(const Entry& e) { parts_.quantize(e.to, e.name); }
  void max_pool(const Entry& e);
  void average_pool(const Entry& e);
  void global_average_pool(const Entry& e);
  void flatten(const Entry& e);
  void dropout(const Entry& e);
  void local_response_norm(const Entry& e);
  void zero_channel_shortcut(const Entry& e);
  void residual(const Entry& e);
  void branches(const Entry& e);
  void sequence(const Entry& e);

  void need_picture(const Entry& e) const;
  void check_path(const Entry& e) const;
  [[nodiscard]] Flow inner(const Entry& e, const std::string& name) const;
  void put(const Entry& e, std::unique_ptr<Module> module);
  /// The shapes behind the layer that was added last.
  void measure(const Entry& e);

  NetParts parts_;
};

const std::array<NetFileBuilder::Kind, 15> NetFileBuilder::kKinds{{
    {"conv", &NetFileBuilder::conv},
    {"linear", &NetFileBuilder::linear},
    {"batch_norm", &NetFileBuilder::batch_norm},
    {"relu", &NetFileBuilder::relu},
    {"quantize", &NetFileBuilder::quantize},
    {"max_pool", &NetFileBuilder::max_pool},
    {"average_pool", &NetFileBuilder::average_pool},
    {"global_average_pool", &NetFileBuilder::global_average_pool},
    {"flatten", &NetFileBuilder::flatten},
    {"dropout", &NetFileBuilder::dropout},
    {"local_response_norm", &NetFileBuilder::local_response_norm},
    {"zero_channel_shortcut", &NetFileBuilder::zero_channel_shortcut},
    {"residual", &NetFileBuilder::residual},
    {"branches", &NetFileBuilder::branches},
    {"sequence", &NetFileBuilder::sequence},
}};

/// What model files cannot hold is said before anything is trained.
void NetFileBuilder::check_path(const Entry& e) const {
  constexpr std::size_t kMost = 240;  // of 256 bytes; the node behind a quantizer has its name and ".values"
  constexpr std::array<std::string_view, 2> kReserved{"input", "golden"};
  const std::string path = e.path();
  if (std::ranges::find(kReserved, path) != kReserved.end())
    e.element.fail("the name '" + path + "' is reserved: choose another");
  if (path.size() > kMost)
    e.element.fail("the names on the way to this layer have " + std::to_string(path.size()) +
                   " bytes; at most " + std::to_string(kMost) + " fit into a model file");
  if (!cli::is_plain_text(path)) e.element.fail("a name has no control characters");
}

void NetFileBuilder::add_layers(std::vector<NetElement> elements, Sequential& to, Flow& flow) {
  if (flow.depth > kMaxDepth && !elements.empty()) elements.front().fail("too many lists in lists");
  std::vector<std::string_view> known;
  known.reserve(kKinds.size());
  for (const Kind& kind : kKinds) known.push_back(kind.name);
  std::map<std::string, std::size_t> seen;
  for (NetElement& element : elements) {
    const std::string type = element.required_text("type");
    const std::string number = std::to_string(++seen[type]);
    const Entry entry{element, element.text("name", type + number), to, flow};
    if (entry.name.empty() || entry.name.find('.') != std::string::npos)
      element.fail("a name is not empty and has no '.'; this one is '" + entry.name + "'");
    check_path(entry);
    const auto found =
        std::find_if(kKinds.begin(), kKinds.end(), [&](const Kind& k) { return k.name == type; });
    if (found == kKinds.end()) element.fail(engine::data::unknown_name_message("type", type, known));
    try {
      (this->*found->add)(entry);
    } catch (const NetFileError&) {
      throw;
    } catch (const std::invalid_argument& error) {
      element.fail(error.what());
    }
    element.finish();
  }
}

void NetFileBuilder::need_picture(const Entry& e) const {
  if (!e.flow.flat) return;
  e.element.fail("layer '" + e.path() + "' needs a picture; its input is flat, " +
                 std::to_string(e.flow.shape.channels) + " numbers");
}

Flow NetFileBuilder::inner(const Entry& e, const std::string& name) const {
  return {.shape = e.flow.shape,
          .flat = e.flow.flat,
          .path = name.empty() ? e.path() : layer_path(e.path(), name),
          .depth = e.flow.depth + 1};
}

void NetFileBuilder::put(const Entry& e, std::unique_ptr<Module> module) {
  e.to.add(e.name, std::move(module));
  measure(e);
}

void NetFileBuilder::measure(const Entry& e) {
  LayerGraph graph;
  const Module& module = *e.to.children().back().module;
  graph.output = module.append_to(graph, e.path(), LayerGraph::kInput);
  if (graph.nodes.empty()) return;
  e.flow.shape = layer_sizes(graph, e.flow.shape).back().out;
}

constexpr std::array<std::string_view, 4> kPlaces{"first", "inner", "last", "last_signed"};
constexpr std::size_t kInner = 1;

WeightStart read_start(NetElement& element) {
  WeightStart start;
  if (element.has("deviation"))
    start.deviation = static_cast<float>(element.number("deviation", 0, {.least = 0}));
  start.bias = static_cast<float>(element.number("bias_start", 0));
  start.bias_rate = static_cast<float>(element.number("bias_rate", 1, {.least = 0}));
  return start;
}

void NetFileBuilder::conv(const Entry& e) {
  need_picture(e);
  NetElement& in = e.element;
  Conv2dOptions conv{.in_channels = e.flow.shape.channels,
                     .out_channels = parts_.scaled(in.required_count("channels")),
                     .kernel = in.count("kernel", 3, {.least = 1, .most = kLargestKernel})};
  conv.stride = in.count("stride", 1, kAtLeastOne);
  conv.pad = in.count("pad", conv.kernel / 2);
  conv.dilation = in.count("dilation", 1, kAtLeastOne);
  conv.groups = in.count("groups", 1, kAtLeastOne);
  conv.bias = in.flag("bias", false) ? Bias::Learned : Bias::None;
  conv.start = read_start(in);
  if (conv.in_channels % conv.groups != 0 || conv.out_channels % conv.groups != 0) {
    in.fail(std::to_string(conv.groups) + " groups do not divide " + std::to_string(conv.in_channels) +
            " channels in and " + std::to_string(conv.out_channels) + " out");
  }
  parts_.conv(e.to, e.name, conv, static_cast<Place>(in.choice("place", kPlaces, kInner)));
  measure(e);
}

void NetFileBuilder::linear(const Entry& e) {
  NetElement& in = e.element;
  if (!e.flow.flat)
    in.fail("layer '" + e.path() + "' needs a flat input, it gets " + to_string(e.flow.shape) +
            ": put flatten or global_average_pool in front of it");
  LinearOptions linear{.in_features = e.flow.shape.channels};
  if (in.is_text("features") && in.text("features", "") != "classes")
    in.fail("'features' is a whole number, or \"classes\": one for each class of the data set");
  linear.out_features =
      in.is_text("features") ? parts_.options().classes : parts_.scaled(in.required_count("features"));
  linear.bias = in.flag("bias", true) ? Bias::Learned : Bias::None;
  linear.start = read_start(in);
  parts_.linear(e.to, e.name, linear, static_cast<Place>(in.choice("place", kPlaces, kInner)));
  measure(e);
}

void NetFileBuilder::batch_norm(const Entry& e) {
  NetElement& in = e.element;
  put(e, std::make_unique<BatchNorm>(
             BatchNormModuleOptions{.channels = e.flow.shape.channels,
                                    .affine = in.flag("affine", true) ? Affine::Learned : Affine::None,
                                    .epsilon = static_cast<float>(in.number("epsilon", 1e-5, {1e-12})),
                                    .momentum = static_cast<float>(in.number("momentum", 0.9, {0.0, 1.0})),
                                    .gamma = static_cast<float>(in.number("gamma", 1.0))}));
}

constexpr std::array<std::string_view, 2> kRoundings{"floor", "ceil"};
constexpr std::array<std::string_view, 2> kPaddings{"excluded", "included"};

PoolOptions read_pool(NetElement& in) {
  PoolOptions pool;
  pool.kernel = in.count("kernel", 2, {.least = 1, .most = kLargestPool});
  pool.stride = in.count("stride", 2, kAtLeastOne);
  pool.pad = in.count("pad", 0);
  pool.rounding = static_cast<engine::PoolRounding>(in.choice("rounding", kRoundings, 0));
  if (pool.pad >= pool.kernel) in.fail("a pool's pad is less than its kernel");
  return pool;
}

void NetFileBuilder::max_pool(const Entry& e) {
  need_picture(e);
  put(e, std::make_unique<MaxPool>(read_pool(e.element)));
}

void NetFileBuilder::average_pool(const Entry& e) {
  need_picture(e);
  PoolOptions pool = read_pool(e.element);
  pool.padding = static_cast<PoolPadding>(e.element.choice("padding", kPaddings, 0));
  put(e, std::make_unique<AveragePool>(pool));
}

void NetFileBuilder::global_average_pool(const Entry& e) {
  need_picture(e);
  put(e, std::make_unique<GlobalAveragePool>());
  e.flow.flat = true;
}

void NetFileBuilder::flatten(const Entry& e) {
  put(e, std::make_unique<Flatten>());
  e.flow.flat = true;
}

void NetFileBuilder::dropout(const Entry& e) {
  const double rate = e.element.number("rate", 0.5);
  if (!(rate >= 0.0 && rate < 1.0)) e.element.fail("'rate' is at least 0 and below 1");
  put(e, std::make_unique<Dropout>(rate, e.path()));
}

void NetFileBuilder::local_response_norm(const Entry& e) {
  constexpr std::array<std::string_view, 2> kWindows{"across_channels", "within_channel"};
  need_picture(e);
  NetElement& in = e.element;
  ResponseNormOptions norm;
  norm.size = in.count("size", norm.size);
  norm.alpha = in.number("alpha", norm.alpha);
  norm.beta = in.number("beta", norm.beta);
  norm.k = in.number("k", norm.k);
  norm.window = static_cast<ResponseWindow>(in.choice("window", kWindows, 0));
  if (norm.size % 2 == 0 || !(norm.k > 0)) in.fail("'size' is odd, 'k' above 0");
  if (norm.alpha < 0 || norm.beta < 0) in.fail("'alpha' and 'beta' are at least 0");
  put(e, std::make_unique<LocalResponseNorm>(norm));
}

void NetFileBuilder::zero_channel_shortcut(const Entry& e) {
  constexpr std::array<std::string_view, 2> kSamplings{"average", "subsample"}, kZeros{"around", "behind"};
  need_picture(e);
  NetElement& in = e.element;
  const std::size_t channels = parts_.scaled(in.required_count("channels")), have = e.flow.shape.channels;
  ShortcutOptions shortcut{.stride = in.count("stride", 2, kAtLeastOne)};
  if (channels < have) {
    in.fail("a shortcut cannot take channels away: it gets " + std::to_string(have) + " and should give " +
            std::to_string(channels));
  }
  shortcut.front = in.choice("zeros", kZeros, 0) == 0 ? (channels - have) / 2 : 0;
  shortcut.back = channels - have - shortcut.front;
  shortcut.sampling = static_cast<ShortcutSampling>(in.choice("sampling", kSamplings, 0));
  put(e, std::make_unique<ZeroChannelShortcut>(shortcut));
}

void NetFileBuilder::residual(const Entry& e) {
  auto branch = std::make_unique<Sequential>();
  Flow of_branch = inner(e, "");
  add_layers(e.element.required_elements("branch"), *branch, of_branch);
  std::unique_ptr<Sequential> shortcut;
  if (e.element.has("shortcut")) {
    shortcut = std::make_unique<Sequential>();
    Flow of_shortcut = inner(e, "shortcut");
    add_layers(e.element.elements("shortcut"), *shortcut, of_shortcut);
  }
  put(e, std::make_unique<Residual>(std::move(branch), std::move(shortcut)));
  e.flow.flat = of_branch.flat;
}

void NetFileBuilder::branches(const Entry& e) {
  auto ways = std::make_unique<Branches>();
  std::vector<NetElement> elements = e.element.required_elements("ways");
  if (elements.empty()) e.element.fail("'ways' is empty");
  Flow of_way;
  for (NetElement& way : elements) {
    const std::string name = way.required_text("name");
    of_way = inner(e, name);
    add_layers(way.required_elements("layers"), ways->emplace(name), of_way);
    way.finish();
  }
  put(e, std::move(ways));
  e.flow.flat = of_way.flat;
}

void NetFileBuilder::sequence(const Entry& e) {
  Flow of_layers = inner(e, "");
  add_layers(e.element.required_elements("layers"), e.to.emplace<Sequential>(e.name), of_layers);
  e.flow.shape = of_layers.shape;
  e.flow.flat = of_layers.flat;
}

NetJson parse_net(std::string_view text) {
  try {
    return cli::parse_json(text);
  } catch (const std::invalid_argument& error) {
    throw std::invalid_argument(std::string("the net is damaged: ") + error.what());
  }
}

}  // namespace

bool is_net_file(std::string_view net) noexcept {
  return net.ends_with(kExtension) && !is_net_text(net);
}

bool is_net_text(std::string_view net) noexcept {
  return net.starts_with("{");
}

std::string read_net_file(const std::string& path) {
  if (!cli::is_utf8(path)) throw std::invalid_argument("the net file's path is not UTF-8 text: rename it");
  NetJson json = cli::read_json_object(path);
  json["file"] = path;
  return json.dump();
}

std::string net_title(const std::string& net) {
  if (!is_net_text(net)) return net;
  const NetJson json = parse_net(net);
  return json.value("name", json.value("file", "net file"));
}

std::unique_ptr<Module> build_net_text(std::string_view text, const NetOptions& options) {
  const NetJson json = parse_net(text);
  const std::string file = json.value("file", "net.json");
  NetElement root(json, file);
  (void)root.text("file", "");
  (void)root.text("name", "");
  (void)root.text("description", "");
  auto net = std::make_unique<Sequential>();
  Flow flow{.shape = options.input};
  NetFileBuilder(options).add_layers(root.required_elements("layers"), *net, flow);
  root.finish();
  if (!flow.flat || flow.shape.channels != options.classes) {
    root.fail("the net gives " +
              (flow.flat ? std::to_string(flow.shape.channels) + " numbers" : to_string(flow.shape)) +
              " for a picture of " + to_string(options.input) + ", the data set has " +
              std::to_string(options.classes) +
              " classes: end with a linear layer of \"features\": \"classes\"");
  }
  return net;
}

}  // namespace bitplane::train
