// SPDX-License-Identifier: Apache-2.0
#include "bitplane/kernels/f32_training.h"

#include <algorithm>
#include <cassert>
#include <limits>

namespace bitplane::kernels {
namespace {

/// Rows that one product should have, so that a block of weights serves many of them.
constexpr std::size_t kEnoughRows = 256;

/// A tap that a pixel meets along one axis, and how far from its first tap it reads.
struct AxisTap {
  std::size_t tap, distance;
  friend bool operator==(const AxisTap&, const AxisTap&) = default;
};

/// Positions along one axis that meet the same taps.
struct AxisClass {
  std::vector<AxisTap> taps;
  struct Place {
    std::size_t at, from;  ///< written; read at the first tap
  };
  std::vector<Place> places;
};

/// One axis of a convolution.
struct AxisShape {
  std::size_t in, out, kernel, stride, pad, dilation;
};

void add_place(std::vector<AxisClass>& classes, std::size_t at, const std::vector<AxisTap>& reads) {
  const std::size_t from = reads.empty() ? 0 : reads.front().distance;
  std::vector<AxisTap> taps = reads;
  for (AxisTap& tap : taps) tap.distance -= from;
  auto it = std::find_if(classes.begin(), classes.end(), [&](const AxisClass& c) { return c.taps == taps; });
  if (it == classes.end()) it = classes.insert(it, {std::move(taps), {}});
  it->places.push_back({at, from});
}

/// Output positions, by the taps that lie inside the input.
std::vector<AxisClass> forward_classes(const AxisShape& s) {
  std::vector<AxisClass> classes;
  for (std::size_t o = 0; o < s.out; ++o) {
    std::vector<AxisTap> reads;
    for (std::size_t tap = 0; tap < s.kernel; ++tap) {
      const std::size_t padded = o * s.stride + tap * s.dilation;
      if (padded >= s.pad && padded - s.pad < s.in) reads.push_back({tap, padded - s.pad});
    }
    add_place(classes, o, reads);
  }
  return classes;
}

/// Input positions, by the taps (counted from the last) through which an output position reaches them.
std::vector<AxisClass> gradient_classes(const AxisShape& s) {
  std::vector<AxisClass> classes;
  for (std::size_t i = 0; i < s.in; ++i) {
    std::vector<AxisTap> reads;
    for (std::size_t tap = s.kernel; tap-- > 0;) {
      const std::size_t padded = i + s.pad;
      if (padded < tap * s.dilation || (padded - tap * s.dilation) % s.stride != 0) continue;
      const std::size_t o = (padded - tap * s.dilation) / s.stride;
      if (o < s.out) reads.push_back({s.kernel - 1 - tap, o});
    }
    add_place(classes, i, reads);
  }
  return classes;
}

/// Where one tap meets the input: (output position, input position).
std::vector<AxisClass::Place> places_of_tap(const AxisShape& s, std::size_t tap) {
  std::vector<AxisClass::Place> places;
  for (std::size_t o = 0; o < s.out; ++o) {
    const std::size_t padded = o * s.stride + tap * s.dilation;
    if (padded >= s.pad && padded - s.pad < s.in) places.push_back({o, padded - s.pad});
  }
  return places;
}

AxisShape vertical_axis(const ConvShape& s) {
  return {s.height, s.out_height(), s.kernel_h, s.stride_h, s.pad_h, s.dilation_h};
}
AxisShape horizontal_axis(const ConvShape& s) {
  return {s.width, s.out_width(), s.kernel_w, s.stride_w, s.pad_w, s.dilation_w};
}

std::int32_t step_offset(std::size_t floats) {
  assert(floats <= static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()));
  return static_cast<std::int32_t>(floats);
}

std::size_t pixels_of(const ConvShape& s) {
  return std::max<std::size_t>(1, std::max(s.out_height() * s.out_width(), s.height * s.width));
}

/// One side of a product of pixels: pictures of height * width pixels of `channels`.
struct Side {
  std::size_t height, width, channels;
};

/// Positions of both axes by the taps they meet.
struct Classes {
  std::vector<AxisClass> vertical, horizontal;
};

std::size_t offset_of(const Side& side, std::size_t picture, std::size_t y, std::size_t x) {
  return ((picture * side.height + y) * side.width + x) * side.channels;
}

/// Forward or data gradient: of `pictures` pictures, rows are pixels of `to`, steps read taps of `from`.
F32ProductTables pixel_tables(const ConvShape& s, const Classes& classes, const Side& from, const Side& to,
                              std::size_t pictures) {
  F32ProductTables tables;
  const std::size_t channels = from.channels / s.groups;
  const auto add_rows = [&](const AxisClass& vertical, const AxisClass& horizontal, std::size_t picture) {
    for (const AxisClass::Place& y : vertical.places) {
      for (const AxisClass::Place& x : horizontal.places) {
        tables.read.push_back(static_cast<std::ptrdiff_t>(offset_of(from, picture, y.from, x.from)));
        tables.written.push_back(static_cast<std::ptrdiff_t>(offset_of(to, picture, y.at, x.at)));
      }
    }
  };
  const auto add_steps = [&](const AxisTap& y, const AxisTap& x) {
    for (std::size_t c = 0; c < channels; ++c) {
      tables.steps.push_back(
          {.a = step_offset(offset_of(from, 0, y.distance, x.distance) + c),
           .b = step_offset(((y.tap * s.kernel_w + x.tap) * channels + c) * kF32PanelWidth)});
    }
  };
  for (const AxisClass& vertical : classes.vertical) {
    for (const AxisClass& horizontal : classes.horizontal) {
      tables.parts.push_back({.first_row = tables.read.size(),
                              .rows = vertical.places.size() * horizontal.places.size(),
                              .first_step = tables.steps.size(),
                              .steps = vertical.taps.size() * horizontal.taps.size() * channels});
      for (std::size_t picture = 0; picture < pictures; ++picture) add_rows(vertical, horizontal, picture);
      for (const AxisTap& y : vertical.taps) {
        for (const AxisTap& x : horizontal.taps) add_steps(y, x);
      }
    }
  }
  return tables;
}

/// Weight gradient: a part per tap, whose rows are the channels of a group and whose steps the pixels that it
/// meets.
F32ProductTables weight_tables(const ConvShape& s, std::size_t pictures) {
  F32ProductTables tables;
  const Side in{s.height, s.width, s.channels}, out{s.out_height(), s.out_width(), s.out_channels};
  const std::size_t channels = s.channels / s.groups;
  for (std::size_t c = 0; c < channels; ++c) tables.read.push_back(static_cast<std::ptrdiff_t>(c));
  for (std::size_t tap = 0; tap < s.taps(); ++tap) {
    const auto rows = places_of_tap(vertical_axis(s), tap / s.kernel_w);
    const auto columns = places_of_tap(horizontal_axis(s), tap % s.kernel_w);
    tables.parts.push_back({.first_row = 0,
                            .rows = channels,
                            .first_step = tables.steps.size(),
                            .steps = rows.size() * columns.size()});
    for (std::size_t picture = 0; picture < pictures; ++picture) {
      for (const AxisClass::Place& y : rows) {
        for (const AxisClass::Place& x : columns) {
          tables.steps.push_back({.a = step_offset(offset_of(in, picture, y.from, x.from)),
                                  .b = step_offset(offset_of(out, picture, y.at, x.at))});
        }
      }
    }
  }
  return tables;
}

}  // namespace

/// One side's operands of a pixel product.
struct F32TrainingConv::Call {
  const float* a;
  std::size_t a_picture, a_group;  ///< floats of one picture, channels of one group
  const F32Panels* panels;
  float* c;
  std::size_t c_picture, c_group;
};

F32TrainingConv::F32TrainingConv(const ConvShape& shape)
    : shape_(shape), at_once_(std::max<std::size_t>(1, kEnoughRows / pixels_of(shape))) {
  assert(shape.channels % shape.groups == 0 && shape.out_channels % shape.groups == 0);
  const AxisShape vertical = vertical_axis(shape), horizontal = horizontal_axis(shape);
  const Side in{shape.height, shape.width, shape.channels};
  const Side out{shape.out_height(), shape.out_width(), shape.out_channels};
  forward_ = pixel_tables(shape, {forward_classes(vertical), forward_classes(horizontal)}, in, out, at_once_);
  data_ = pixel_tables(shape, {gradient_classes(vertical), gradient_classes(horizontal)}, out, in, at_once_);
  weight_ = weight_tables(shape, at_once_);
}

void F32TrainingConv::run(const F32Kernels& kernels, const F32ProductTables& product, const Call& call,
                          const Share& share) const noexcept {
  for (std::size_t picture = share.pictures.begin; picture < share.pictures.end; picture += at_once_) {
    const std::size_t pictures = std::min(at_once_, share.pictures.end - picture);
    for (std::size_t g = 0; g < shape_.groups; ++g) {
      const F32Panels& panels = call.panels[g];
      const std::size_t first_column = share.panels.begin * kF32PanelWidth;
      const std::size_t panel_floats = panels.k() * kF32PanelWidth;
      for (const F32ProductTables::Part& part : product.parts) {
        kernels.gather_gemm(
            {.a = call.a + picture * call.a_picture + g * call.a_group,
             .row_offset = product.read.data() + part.first_row,
             .rows = pictures * part.rows,
             .steps = part.steps,
             .b = panels.data() + share.panels.begin * panel_floats,
             .b_panel_stride = panel_floats,
             .columns = std::min(panels.n(), share.panels.end * kF32PanelWidth) - first_column,
             .c = call.c + picture * call.c_picture + g * call.c_group + first_column,
             .step_pairs = product.steps.data() + part.first_step,
             .c_row_offset = product.written.data() + part.first_row});
      }
    }
  }
}

void F32TrainingConv::forward(const F32Kernels& kernels, const float* x, const F32Panels* group_weights,
                              float* z, const Share& share) const noexcept {
  const ConvShape& s = shape_;
  run(kernels, forward_,
      {.a = x,
       .a_picture = s.height * s.width * s.channels,
       .a_group = s.channels / s.groups,
       .panels = group_weights,
       .c = z,
       .c_picture = s.out_height() * s.out_width() * s.out_channels,
       .c_group = s.out_channels / s.groups},
      share);
}

void F32TrainingConv::data_gradient(const F32Kernels& kernels, const float* dz,
                                    const F32Panels* group_weights, float* dx,
                                    const Share& share) const noexcept {
  const ConvShape& s = shape_;
  run(kernels, data_,
      {.a = dz,
       .a_picture = s.out_height() * s.out_width() * s.out_channels,
       .a_group = s.out_channels / s.groups,
       .panels = group_weights,
       .c = dx,
       .c_picture = s.height * s.width * s.channels,
       .c_group = s.channels / s.groups},
      share);
}

F32Panels F32TrainingConv::turned_panels() const {
  return {shape_.taps() * (shape_.out_channels / shape_.groups), shape_.channels / shape_.groups};
}

void F32TrainingConv::pack_turned(const float* weights, std::size_t group, std::size_t panel,
                                  F32Panels& panels) const noexcept {
  const std::size_t in = shape_.channels / shape_.groups, out = shape_.out_channels / shape_.groups;
  const std::size_t taps = shape_.taps(), first = panel * kF32PanelWidth;
  const std::size_t columns = std::min(kF32PanelWidth, in - first);
  float* to = panels.data() + first * panels.k();
  for (std::size_t tap = taps; tap-- > 0;) {
    for (std::size_t o = 0; o < out; ++o, to += kF32PanelWidth) {
      std::copy_n(weights + ((group * out + o) * taps + tap) * in + first, columns, to);
      std::fill(to + columns, to + kF32PanelWidth, 0.0F);
    }
  }
}

void F32TrainingConv::weight_gradient(const F32Kernels& kernels, const float* x, const float* dz, float* dw,
                                      const WeightShare& share) const noexcept {
  const ConvShape& s = shape_;
  const std::size_t in = s.channels / s.groups, out = s.out_channels / s.groups;
  const auto add = [&](IndexRange pictures, std::size_t row, std::size_t rows, Accumulate accumulate) {
    const F32ProductTables::Part& part = weight_.parts[row / in];
    for (std::size_t g = 0; g < s.groups; ++g) {
      kernels.gather_gemm(
          {.a = x + pictures.begin * s.height * s.width * s.channels + g * in,
           .row_offset = weight_.read.data() + row % in,
           .rows = rows,
           .steps = (pictures.end - pictures.begin) * part.steps,
           .b = dz + pictures.begin * s.out_height() * s.out_width() * s.out_channels + g * out,
           .b_panel_stride = kF32PanelWidth,
           .columns = out,
           .c = dw + (g * s.filter_size() + row) * out,
           .c_row_stride = out,
           .accumulate = accumulate,
           .step_pairs = weight_.steps.data() + part.first_step});
    }
  };
  IndexRange pictures{share.pictures.begin, share.pictures.begin};
  do {
    pictures = {pictures.end, std::min(share.pictures.end, pictures.end + at_once_)};
    for (std::size_t row = share.rows.begin; row < share.rows.end;) {
      const std::size_t rows = std::min(share.rows.end - row, in - row % in);
      add(pictures, row, rows,
          pictures.begin == share.pictures.begin ? Accumulate::Overwrite : Accumulate::Add);
      row += rows;
    }
  } while (pictures.end < share.pictures.end);
}

}  // namespace bitplane::kernels
