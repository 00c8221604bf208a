// SPDX-License-Identifier: Apache-2.0
//
// For per-ISA files only: max-pooling that remembers where its maxima were, and its gradient.
#pragma once

#include "bitplane/kernels/elementwise.h"
#include "elementwise/columns.h"

namespace bitplane::kernels {
namespace {

/// The taps of a window, along one dimension, that lie inside the picture, and the pixel of tap 0 (which may
/// be outside: below zero as an unsigned number, used in sums only).
struct WindowSpan {
  std::size_t begin, end, origin;
};

inline WindowSpan window_span(std::size_t out, std::size_t stride, std::size_t pad, std::size_t kernel,
                              std::size_t size) {
  const std::size_t start = out * stride;  // in the padded picture
  const std::size_t begin = start < pad ? pad - start : 0;
  const std::size_t end = start + kernel > size + pad ? size + pad - start : kernel;
  return {.begin = begin, .end = end, .origin = start - pad};
}

/// body(offset of the output pixel, rows' span, columns' span) for each window of one picture.
template <class Body>
[[gnu::always_inline]] inline void for_windows(const PoolShape& s, Body body) {
  for (std::size_t y = 0; y < s.out_height; ++y) {
    const WindowSpan rows = window_span(y, s.stride_h, s.pad_h, s.kernel_h, s.height);
    for (std::size_t x = 0; x < s.out_width; ++x) {
      body((y * s.out_width + x) * s.channels, rows,
           window_span(x, s.stride_w, s.pad_w, s.kernel_w, s.width));
    }
  }
}

/// body(offset of the input pixel, number of the tap) for each tap inside the picture, row-major.
template <class Body>
[[gnu::always_inline]] inline void for_taps(const PoolShape& s, const WindowSpan& rows,
                                            const WindowSpan& columns, Body body) {
  for (std::size_t i = rows.begin; i < rows.end; ++i) {
    for (std::size_t j = columns.begin; j < columns.end; ++j) {
      body(((rows.origin + i) * s.width + columns.origin + j) * s.channels, i * s.kernel_w + j);
    }
  }
}

template <class V, class Column>
[[gnu::always_inline]] inline void pool_column(const MaxPool& a, const float* picture, std::size_t out,
                                               const WindowSpan& rows, const WindowSpan& columns,
                                               const Column& column) {
  V best = V::broadcast(0.0F), argmax = best;
  bool first = true;
  for_taps(a.shape, rows, columns, [&](std::size_t in, std::size_t tap) {
    const V value = column.load(picture + in), number = V::broadcast(static_cast<float>(tap));
    if (first) {
      best = value;
      argmax = number;
      first = false;
      return;
    }
    const auto better = above(value, best);
    best = select(better, value, best);
    argmax = select(better, number, argmax);
  });
  column.store(a.y + out, best);
  store_bytes(column, a.argmax + out, argmax);
}

template <class V>
void max_pool(const MaxPool& a) noexcept {
  const PoolShape& s = a.shape;
  for (std::size_t n = 0; n < s.batch; ++n) {
    const float* picture = a.x + n * s.height * s.width * s.channels;
    const std::size_t out_picture = n * s.out_height * s.out_width * s.channels;
    for_windows(s, [&](std::size_t out, const WindowSpan& rows, const WindowSpan& columns) {
      for_columns<V>(s.channels, [&](std::size_t c, const auto& column) {
        pool_column<V>(a, picture + c, out_picture + out + c, rows, columns, column);
      });
    });
  }
}

template <class V>
void max_pool_gradient(const MaxPoolGradient& a) noexcept {
  const PoolShape& s = a.shape;
  const std::size_t picture_floats = s.height * s.width * s.channels;
  for (std::size_t n = 0; n < s.batch; ++n) {
    float* picture = a.dx + n * picture_floats;  // zeroed and filled while it is in the cache
    for_columns<V>(picture_floats,
                   [&](std::size_t i, const auto& column) { column.store(picture + i, V::broadcast(0.0F)); });
    const std::size_t out_picture = n * s.out_height * s.out_width * s.channels;
    for_windows(s, [&](std::size_t out, const WindowSpan& rows, const WindowSpan& columns) {
      for_columns<V>(s.channels, [&](std::size_t c, const auto& column) {
        const V dy = column.load(a.dy + out_picture + out + c);
        const V argmax = load_bytes<V>(column, a.argmax + out_picture + out + c);
        for_taps(s, rows, columns, [&](std::size_t in, std::size_t tap) {
          const V number = V::broadcast(static_cast<float>(tap));
          const auto here = both(not_above(argmax, number), not_above(number, argmax));
          float* to = picture + in + c;
          column.store(to, add(column.load(to), select(here, dy, V::broadcast(0.0F))));
        });
      });
    });
  }
}

}  // namespace
}  // namespace bitplane::kernels
