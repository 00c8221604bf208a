// SPDX-License-Identifier: Apache-2.0
//
// The `bitplane` command: what a trained model is, what it says about pictures, how right and how fast it is.
#include <array>

#include "engine/cli/commands.h"

namespace bitplane::cli {
namespace {

constexpr std::array<Subcommand, 11> kSubcommands{{
    {.name = "info",
     .summary = "what a model consists of, step by step",
     .examples = "bitplane info net.safetensors\nbitplane info net.safetensors --json\n"
                 "bitplane info net.safetensors --passes",
     .declare = declare_info},
    {.name = "run",
     .summary = "classifies PNG and JPEG pictures",
     .examples = "bitplane run net.safetensors shoe.png shirt.jpg\n"
                 "bitplane run net.safetensors photo.jpg --fit crop --top 3\n"
                 "bitplane run net.safetensors shoe.png --strict --json",
     .declare = declare_run},
    {.name = "eval",
     .summary = "accuracy over a data set's test pictures",
     .examples = "bitplane eval net.safetensors --data fashion-mnist\n"
                 "bitplane eval net.safetensors --data fashion-mnist --data-dir DIR --threads 2",
     .declare = declare_eval},
    {.name = "verify",
     .summary = "checks a model: self-test, every instruction set against scalar, the trainer's trace",
     .examples = "bitplane verify net.safetensors\n"
                 "trainer eval runs/a --trace a.trace && bitplane verify a.safetensors --trace a.trace",
     .declare = declare_verify},
    {.name = "bench",
     .summary = "latency, and where it goes",
     .examples = "bitplane bench net.safetensors --threads 1\n"
                 "bitplane bench net.safetensors --batch 16 --isa avx2 --json",
     .declare = declare_bench},
    {.name = "explain",
     .summary = "which layers do not gain from bits on this machine, and what would",
     .examples = "bitplane explain net.safetensors\nbitplane explain net.safetensors --isa avx2 --json",
     .declare = declare_explain},
    {.name = "compare",
     .summary = "models side by side: accuracy, size, latency, kernels",
     .examples = "bitplane compare float.safetensors low-bit.safetensors --data fashion-mnist --threads 1",
     .declare = declare_compare},
    {.name = "kernels",
     .summary = "the kernels of this build, and which of them this CPU can run",
     .examples = "bitplane kernels\nbitplane kernels --json",
     .declare = declare_kernels},
    {.name = "pictures",
     .summary = "writes a data set's test pictures as PNG files",
     .examples = "bitplane pictures --data fashion-mnist --count 5 --out pictures\n"
                 "bitplane pictures --data synthetic --first 100 --count 10 --out pictures",
     .declare = declare_pictures},
    {.name = "dump",
     .summary = "test pictures, outputs and codes as one file, for other programs to compare with",
     .examples = "bitplane dump net.safetensors --data fashion-mnist --out all.safetensors\n"
                 "bitplane dump net.safetensors --data fashion-mnist --first 7 --count 1 --codes --out "
                 "one.safetensors",
     .declare = declare_dump},
    {.name = "export",
     .summary = "the model for other runtimes",
     .examples = "bitplane export --onnx net.safetensors --out net.onnx",
     .declare = declare_export},
}};

constexpr Program kProgram{
    .name = "bitplane",
    .summary = "Runs low-bit networks with bit-plane kernels.",
    .examples =
        "bitplane info net.safetensors\n"
        "bitplane run net.safetensors shoe.png\n"
        "bitplane eval net.safetensors --data fashion-mnist\n"
        "bitplane bench net.safetensors --threads 1",
    .subcommands = kSubcommands,
};

}  // namespace
}  // namespace bitplane::cli

int main(int argc, char** argv) {
  return bitplane::cli::run_program(bitplane::cli::kProgram, argc, argv);
}
