// SPDX-License-Identifier: Apache-2.0
//
// Steps that put values together without computing any: concatenation, ranks to planes, planes to planes.
#include <cstring>
#include <vector>

#include "runtime/steps/runner.h"

namespace bitplane::engine {
namespace {

/// One input of a concatenation, as bytes of a pixel.
struct PartOfPixel {
  Place place;
  std::size_t bytes = 0;
};

/// The inputs side by side: `element` bytes per channel.
class SideBySide {
 public:
  SideBySide(const RunnerContext& context, const Step& step, std::size_t element) {
    for (std::size_t i = 0; i < step.parts.size(); ++i) {
      parts_.push_back({context.place(step.parts[i]), step.channels[i] * element});
      pixel_bytes_ += parts_.back().bytes;
    }
  }
  [[nodiscard]] std::size_t pixel_bytes() const noexcept { return pixel_bytes_; }

  /// Pixels [first, first + count) of the batch.
  void copy(const Buffers& buffers, std::size_t first, std::size_t count, std::byte* to) const noexcept {
    for (const PartOfPixel& part : parts_) {
      const std::byte* from = part.place.value == kInputValue
                                  ? reinterpret_cast<const std::byte*>(buffers.input)
                                  : part.place.bytes(buffers);
      from += first * part.bytes;
      for (std::size_t p = 0; p < count; ++p) {
        std::memcpy(to + p * pixel_bytes_, from + p * part.bytes, part.bytes);
      }
      to += part.bytes;
    }
  }

 private:
  std::vector<PartOfPixel> parts_;
  std::size_t pixel_bytes_ = 0;
};

class Concatenation final : public Runner {
 public:
  Concatenation(const RunnerContext& context, const Step& step)
      : shape_(context.value(step.out).shape),
        batch_(context.batch),
        parts_(context, step, sizeof(float)),
        out_(context.place(step.out)) {}

  [[nodiscard]] std::size_t rows() const noexcept override { return batch_ * shape_.height; }

  void run(kernels::RowRange range, const Buffers& buffers, std::byte*) const noexcept override {
    const std::size_t first = range.begin * shape_.width;
    parts_.copy(buffers, first, (range.end - range.begin) * shape_.width,
                out_.bytes(buffers) + first * parts_.pixel_bytes());
  }

 private:
  NodeShape shape_;
  std::size_t batch_;
  SideBySide parts_;
  Place out_;
};

class PackRanks final : public Runner {
 public:
  PackRanks(const RunnerContext& context, const Step& step)
      : kernels_(context.kernels),
        batch_(context.batch),
        parts_(context, step, 1),
        in_(context.place(step.in)),
        out_(context.place(step.out)) {
    const Quantize& quantize = std::get<Quantize>(context.model.spec.nodes[step.node].op);
    epilogue_.kind = kernels::EpilogueKind::Planes;
    epilogue_.ranks.count = quantize.thresholds.size();
    epilogue_.ranks.code_of_rank = quantize.code_of_rank.data();
    epilogue_.layout = planes_layout(context.value(step.out));
  }

  [[nodiscard]] std::size_t rows() const noexcept override { return batch_ * epilogue_.layout.height; }
  /// A row of ranks side by side; those of one tensor are read where they lie.
  [[nodiscard]] std::size_t scratch_bytes() const noexcept override {
    return epilogue_.layout.width * parts_.pixel_bytes();
  }

  void run(kernels::RowRange range, const Buffers& buffers, std::byte* scratch) const noexcept override {
    kernels::Epilogue epilogue = epilogue_;
    epilogue.out_planes = out_.bytes(buffers);
    const std::size_t width = epilogue.layout.width, channels = epilogue.layout.channels;
    for (std::size_t row = range.begin; row < range.end; ++row) {
      const std::uint8_t* ranks = in_.ranks(buffers) + row * width * channels;
      if (parts_.pixel_bytes() != 0) {
        parts_.copy(buffers, row * width, width, scratch);
        ranks = reinterpret_cast<const std::uint8_t*>(scratch);
      }
      kernels_.epilogue->apply(epilogue, {.ranks = ranks, .row = row, .pixels = width, .channels = channels});
    }
  }

 private:
  const KernelChoice& kernels_;
  std::size_t batch_;
  SideBySide parts_;
  Place in_, out_;
  kernels::Epilogue epilogue_;
};

/// A row of the step is a whole picture.
class Repack final : public Runner {
 public:
  Repack(const RunnerContext& context, const Step& step)
      : batch_(context.batch),
        in_(context.place(step.in)),
        out_(context.place(step.out)),
        from_(planes_layout(context.value(step.in))),
        to_(planes_layout(context.value(step.out))) {}

  [[nodiscard]] std::size_t rows() const noexcept override { return batch_; }
  [[nodiscard]] std::size_t scratch_bytes() const noexcept override {
    return from_.height * from_.width * from_.channels;
  }

  void run(kernels::RowRange range, const Buffers& buffers, std::byte* scratch) const noexcept override {
    const std::span codes(reinterpret_cast<std::uint8_t*>(scratch), scratch_bytes());
    for (std::size_t n = range.begin; n < range.end; ++n) {
      kernels::unpack_codes({in_.bytes(buffers) + n * from_.picture_bytes(), from_}, 1, codes);
      kernels::pack_codes(codes, 1, to_, out_.bytes(buffers) + n * to_.picture_bytes());
    }
  }

 private:
  std::size_t batch_;
  Place in_, out_;
  kernels::ActivationLayout from_, to_;
};

}  // namespace

std::unique_ptr<Runner> make_concat(const RunnerContext& context, std::size_t step) {
  return std::make_unique<Concatenation>(context, context.model.program.steps[step]);
}

std::unique_ptr<Runner> make_pack_ranks(const RunnerContext& context, std::size_t step) {
  return std::make_unique<PackRanks>(context, context.model.program.steps[step]);
}

std::unique_ptr<Runner> make_repack(const RunnerContext& context, std::size_t step) {
  return std::make_unique<Repack>(context, context.model.program.steps[step]);
}

}  // namespace bitplane::engine
