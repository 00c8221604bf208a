// SPDX-License-Identifier: Apache-2.0
//
// The trainer's own evaluation of a net, under the normative arithmetic of docs/BITPLANES.md and implemented
// from that page alone: it calls neither the engine nor the bit kernels (a test looks at the object files),
// so that equal codes and logits on both sides mean something. It reads the description that is exported,
// plane by plane.
//
//   const Evaluator evaluator(spec, kernels::detect_cpu());
//   Evaluator::Worker worker(evaluator);          // one per thread
//   evaluator.run(picture, worker);
//   worker.logits(); worker.codes(0);
//
// Memory: one float tensor per node and thread. Results do not depend on threads or ISA.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "bitplane/kernels/aligned.h"
#include "bitplane/kernels/f32.h"
#include "bitplane/kernels/isa.h"
#include "bitplane/model_spec.h"

namespace bitplane::train {

/// One tensor of one picture.
struct Slot {
  std::vector<float> values;  ///< [height][width][channels]; empty behind a quantizer
  std::vector<float> planes;  ///< behind a quantizer: [planes][height][width][channels], bits read as numbers
  std::vector<std::uint8_t>
      codes;  ///< behind a quantizer: [height][width][channels]; of the picture: its bytes
};

/// Room that the convolutions of one thread share.
struct Scratch {
  kernels::AlignedArray<float> padded, products;
};

struct QuantizerShape {
  std::string name;
  std::size_t height = 0, width = 0, channels = 0;
};

class Evaluator {
 public:
  /// Throws std::invalid_argument naming the node for a graph that it can't run.
  Evaluator(const engine::ModelSpec& spec, kernels::CpuFeatures features);

  class Worker {
   public:
    explicit Worker(const Evaluator& evaluator);
    [[nodiscard]] std::span<const float> logits() const noexcept;
    /// Codes of quantizers()[quantizer]: [height][width][channels].
    [[nodiscard]] std::span<const std::uint8_t> codes(std::size_t quantizer) const noexcept;

   private:
    friend class Evaluator;
    const Evaluator* evaluator_;
    std::vector<Slot> slots_;
    std::vector<const Slot*> inputs_;  ///< of the step that runs
    Scratch scratch_;
  };

  /// picture: [height][width][channels] bytes.
  void run(std::span<const std::uint8_t> picture, Worker& worker) const;

  /// In graph order; the names are those of the exported Quantize nodes.
  [[nodiscard]] std::span<const QuantizerShape> quantizers() const noexcept { return quantizers_; }
  [[nodiscard]] std::size_t classes() const noexcept { return classes_; }
  /// Bytes of a picture.
  [[nodiscard]] std::size_t picture_size() const noexcept { return picture_size_; }

 private:
  using Inputs = std::span<const Slot* const>;
  using Run = std::function<void(Inputs in, Slot& out, Scratch& scratch)>;
  struct Step {
    std::vector<std::size_t> in;
    std::size_t out = 0;
    Run run;
  };
  /// What is known of a node's output before any picture comes.
  struct Meaning {
    std::size_t slot = 0;
    engine::NodeShape shape;
    const engine::Quantize* quantize = nullptr;  ///< it holds planes
    /// z whose scale and bias are not applied yet (item 4 and 6): [channels] each, empty when nothing is
    /// pending.
    std::vector<double> pending_scale;
    std::vector<float> pending_bias;
    [[nodiscard]] bool pending() const noexcept { return !pending_scale.empty(); }
  };
  struct Builder;

  std::size_t classes_ = 0, picture_size_ = 0, slots_ = 0, output_slot_ = 0;
  std::size_t padded_floats_ = 0, product_floats_ = 0;
  std::vector<float> input_scale_, input_shift_;
  std::vector<Step> steps_;
  std::vector<QuantizerShape> quantizers_;
  std::vector<std::size_t> quantizer_slots_;
};

}  // namespace bitplane::train
