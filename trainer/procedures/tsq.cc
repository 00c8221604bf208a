// SPDX-License-Identifier: Apache-2.0
//
// TSQ (Wang et al., CVPR 2018): the codes are learned with float weights (sparse), then ternary weights that
// reproduce them layer by layer (transform, no epochs), then both are trained on (fine-tune).
#include <array>
#include <vector>

#include "trainer/procedures/rows.h"
#include "trainer/procedures/tfl_layers.h"

namespace bitplane::train {
namespace {

constexpr std::size_t kTernaryBits = 2;

constexpr std::array<std::string_view, 2> kStarts{"otwa", "random"};
constexpr std::array<std::string_view, 2> kFronts{"asymmetric", "symmetric"};
constexpr std::array<std::string_view, 2> kIntercepts{"on", "off"};
constexpr std::array kTsqOptions{
    OptionInfo{.name = "tfl_start",
               .help = "transform: first weights, otwa (best for the float filter) or random",
               .kind = OptionKind::Choice,
               .choices = kStarts},
    OptionInfo{.name = "tfl_front",
               .help = "transform: inputs of a layer, asymmetric (of the ternary net) or symmetric (of the "
                       "float one)",
               .kind = OptionKind::Choice,
               .choices = kFronts},
    OptionInfo{.name = "tfl_bias",
               .help = "transform: on, or off (no intercept, as printed)",
               .kind = OptionKind::Choice,
               .choices = kIntercepts},
    OptionInfo{.name = "tfl_pictures",
               .help = "transform: training pictures",
               .default_value = 2000,
               .min = 1,
               .max = 1e6},
    OptionInfo{.name = "tfl_positions",
               .help = "transform: positions of each picture and layer; all of maps of up to 4 x 4",
               .default_value = 8,
               .min = 1,
               .max = 4096},
    OptionInfo{.name = "tfl_lambda1",
               .help = "transform: first penalty",
               .kind = OptionKind::Real,
               .default_value = 0.01,
               .min = 1e-9,
               .max = 1e9},
    OptionInfo{.name = "tfl_lambda2",
               .help = "transform: second penalty",
               .kind = OptionKind::Real,
               .default_value = 1,
               .min = 1e-9,
               .max = 1e9},
    OptionInfo{.name = "tfl_alternations",
               .help = "transform: alternations of each penalty; 0: the first weights are the last",
               .default_value = 25,
               .min = 0,
               .max = 10000},
};

TflOptions tfl_options(const OptionValues& given) {
  const OptionReader read(kTsqOptions, given);
  TflOptions options{.start = read.choice("tfl_start") == "otwa" ? TflStart::Otwa : TflStart::Random,
                     .front = read.choice("tfl_front") == "asymmetric" ? TflFront::Ternary : TflFront::Float,
                     .intercept = read.choice("tfl_bias") == "on" ? Intercept::Learned : Intercept::None,
                     .pictures = read.count("tfl_pictures"),
                     .positions = read.count("tfl_positions"),
                     .lambdas = {}};
  const std::size_t alternations = read.count("tfl_alternations");
  if (alternations > 0) {
    options.lambdas = {{read.real("tfl_lambda1"), alternations}, {read.real("tfl_lambda2"), alternations}};
  }
  return options;
}

/// The last stage goes on with the codes that the transformation reproduced.
constexpr std::array<std::string_view, 4> kTsqShared{"wbits", "abits", "first_last", "theta"};

void tsq_defaults(Config& config) {
  config.wbits = kTernaryBits;
  config.abits = 2;
  config.lr = 0.05;
  config.schedule = "polynomial";
  config.power = 1;
  config.warmup = 0;
  config.epochs = 10;
}

std::vector<Stage> tsq_stages(const Config& /*request*/, const OptionValues& options) {
  return {{.name = "sparse",
           .description = "float weights, sparse activation codes",
           .change = [](Config& config) { config.wbits = kFloatBits; }},
          {.name = "transform",
           .description = "ternary weights that reproduce the codes, layer by layer",
           .change = [](Config& config) { config.epochs = 0; },
           .prepare =
               [settings = tfl_options(options)](const StageStart& start) {
                 return learn_transformation(start.point, start.before, settings, start.say);
               }},
          {.name = "fine-tune", .description = "both trained on", .change = [](Config& config) {
             config.lr *= kFineTuneShare;
           }}};
}

}  // namespace

constexpr ProcedureInfo kTsqProcedure{
    .method = "tsq",
    .description = "sparse codes with float weights, ternary weights layer by layer, fine-tuning",
    .quantizes_both = true,
    .defaults = tsq_defaults,
    .options = kTsqOptions,
    .stages = tsq_stages,
    .shared = kTsqShared};

}  // namespace bitplane::train
