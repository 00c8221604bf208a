// SPDX-License-Identifier: Apache-2.0
#include <array>

#include "trainer/cli/subcommands.h"

namespace {

using bitplane::cli::Subcommand;
namespace train = bitplane::train;

constexpr std::array kSubcommands{
    Subcommand{
        "train", "train a net into a new run folder",
        "trainer train --data fashion-mnist --net cnn-small --method lq-nets --wbits 2 --abits 2 --epochs 5 "
        "--out runs/a\n"
        "trainer train --data synthetic --method float --out runs/f\n"
        "trainer train --config runs/a/config.json --seed 2 --out runs/b",
        train::declare_train},
    Subcommand{
        "import", "a run folder that starts from the weights of a PyTorch file",
        "trainer import resnet20.safetensors --data cifar-10 --net resnet-20 --method float --out runs/p\n"
        "trainer import r18.safetensors --data cifar-10 --net resnet-18-cifar --init-missing keep --out "
        "runs/q",
        train::declare_import},
    Subcommand{
        "quantize", "from a float run to bits, by the stages of a method's procedure",
        "trainer quantize --from runs/f --method qil --wbits 2 --abits 2 --epochs 3 --out runs/q\n"
        "trainer quantize --from runs/f --method gdrq --until reshape --set reshape.epochs=5 --out runs/g",
        train::declare_quantize},
    Subcommand{"resume", "go on with a run that was stopped, as if it never was", "trainer resume runs/a",
               train::declare_resume},
    Subcommand{"eval", "accuracy under the normative arithmetic, without the engine",
               "trainer eval runs/a\ntrainer eval runs/a --data fashion-mnist --trace a.trace",
               train::declare_eval},
    Subcommand{
        "export", "write the run's net as a model file, or its float weights with PyTorch's names",
        "trainer export runs/a --out a.safetensors\ntrainer export runs/a --torch-names weights.safetensors",
        train::declare_export},
    Subcommand{"init", "write an untrained net as a model file, to measure it: no data set, no training",
               "trainer init --net resnet-18 --codes uniform --wbits 1 --abits 2 --first-last 8 --out "
               "r18.safetensors",
               train::declare_init},
    Subcommand{
        "list", "what can be trained",
        "trainer list nets\ntrainer list methods\ntrainer list datasets --json\ntrainer list optimizers",
        train::declare_list},
};

constexpr bitplane::cli::Program kProgram{
    .name = "trainer",
    .summary = "Trains low-bit nets, evaluates and exports them.",
    .examples =
        "trainer train --data fashion-mnist --net cnn-small --method lq-nets --wbits 2 --abits 2 --out "
        "runs/a\n"
        "trainer resume runs/a\n"
        "trainer export runs/a --out a.safetensors",
    .subcommands = kSubcommands,
};

}  // namespace

int main(int argc, char** argv) {
  return bitplane::cli::run_program(kProgram, argc, argv);
}
