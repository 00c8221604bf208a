// SPDX-License-Identifier: Apache-2.0
#include "engine/data/synthetic.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

#include "engine/data/file_bytes.h"

namespace bitplane::engine::data {
namespace {

constexpr std::size_t kSide = 28, kTrainPictures = 12000, kTestPictures = 2000;
constexpr int kSamples = 3;  // per pixel and direction: soft edges

/// Counter-based: number n of stream `key` is a hash of both (the finalizer of splitmix64).
class HashStream {
 public:
  explicit HashStream(std::uint64_t key) : key_(mix(key)) {}

  /// In [0, 1), a multiple of 2^-24.
  float unit() { return static_cast<float>(next() >> 40) * 0x1p-24F; }
  float between(float low, float high) { return low + (high - low) * unit(); }
  bool coin() { return (next() >> 63) != 0; }

 private:
  static std::uint64_t mix(std::uint64_t x) noexcept {
    x += 0x9e3779b97f4a7c15U;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
    return x ^ (x >> 31);
  }
  std::uint64_t next() { return mix(key_ + 0x9e3779b97f4a7c15U * ++counter_); }
  std::uint64_t key_, counter_ = 0;
};

/// A point in the shape's own coordinates: the shape fills about [-1, 1]^2.
struct Point {
  float x, y;
};
float length(Point p) {
  return std::sqrt(p.x * p.x + p.y * p.y);
}
float square_norm(Point p) {
  return std::max(std::fabs(p.x), std::fabs(p.y));
}
/// Alternates between true and false every `width`.
bool stripe(float v, float width) {
  return (static_cast<int>((v + 8.0F) / width) & 1) == 0;
}

struct Shape {
  const char* name;
  bool (*covers)(Point p);
};

/// The one list of classes.
constexpr std::array<Shape, 10> kShapes{{
    {"disc", [](Point p) { return length(p) < 0.85F; }},
    {"ring", [](Point p) { return length(p) < 0.95F && length(p) > 0.55F; }},
    {"square", [](Point p) { return square_norm(p) < 0.75F; }},
    {"frame", [](Point p) { return square_norm(p) < 0.85F && square_norm(p) > 0.48F; }},
    {"triangle", [](Point p) { return p.y < 0.7F && p.y > -0.95F && std::fabs(p.x) < (p.y + 0.95F) * 0.6F; }},
    {"cross",
     [](Point p) { return square_norm(p) < 0.98F && std::min(std::fabs(p.x), std::fabs(p.y)) < 0.24F; }},
    {"bar", [](Point p) { return std::fabs(p.x) < 1.05F && std::fabs(p.y) < 0.3F; }},
    {"stripes", [](Point p) { return length(p) < 1.0F && stripe(p.x, 0.36F); }},
    {"checkers", [](Point p) { return square_norm(p) < 0.9F && stripe(p.x, 0.45F) != stripe(p.y, 0.45F); }},
    {"crescent",
     [](Point p) {
       return length(p) < 0.95F && length({p.x - 0.45F, p.y}) > 0.75F;
     }},
}};

struct Range {
  std::size_t begin, end;
};
struct Interval {
  float low, high;
};

/// Where and how a shape lies: from pixels to its own coordinates.
struct Placement {
  float center_x, center_y, inverse_radius, cosine, sine;

  static Placement random(HashStream& numbers, float min_radius, float max_radius) {
    const float radius = numbers.between(min_radius, max_radius);
    const float margin = 0.75F * radius;
    // Half an angle's tangent gives cosine and sine without trigonometry; the coins bring all four quadrants.
    const float t = numbers.between(-1.0F, 1.0F);
    const float cosine = (1.0F - t * t) / (1.0F + t * t), sine = 2.0F * t / (1.0F + t * t);
    const float side = numbers.coin() ? 1.0F : -1.0F;
    return {.center_x = numbers.between(margin, kSide - margin),
            .center_y = numbers.between(margin, kSide - margin),
            .inverse_radius = 1.0F / radius,
            .cosine = cosine * side,
            .sine = sine * side};
  }
  /// The pixels that the shape may touch: its corners are at most 1.5 radii away.
  [[nodiscard]] Range around(float center) const {
    const float reach = 1.5F / inverse_radius;
    return {.begin = static_cast<std::size_t>(std::max(center - reach, 0.0F)),
            .end = static_cast<std::size_t>(std::min(center + reach + 1.0F, static_cast<float>(kSide)))};
  }
  [[nodiscard]] Point map(float x, float y) const {
    const float dx = (x - center_x) * inverse_radius, dy = (y - center_y) * inverse_radius;
    return {cosine * dx + sine * dy, cosine * dy - sine * dx};
  }
};

using Canvas = std::array<float, kSide * kSide>;

/// Adds `amount` where the shape is, softly at its edges.
template <class Covers>
void draw(Canvas& canvas, const Placement& placement, float amount, Covers covers) {
  const Range rows = placement.around(placement.center_y), columns = placement.around(placement.center_x);
  for (std::size_t y = rows.begin; y < rows.end; ++y) {
    for (std::size_t x = columns.begin; x < columns.end; ++x) {
      int hits = 0;
      for (int s = 0; s < kSamples * kSamples; ++s) {
        const int row = s / kSamples;
        const float sx = static_cast<float>(x) + (static_cast<float>(s % kSamples) + 0.5F) / kSamples;
        const float sy = static_cast<float>(y) + (static_cast<float>(row) + 0.5F) / kSamples;
        hits += covers(placement.map(sx, sy)) ? 1 : 0;
      }
      canvas[y * kSide + x] += amount * static_cast<float>(hits) / (kSamples * kSamples);
    }
  }
}

/// An uneven light: a plane over the picture.
void draw_light(Canvas& canvas, HashStream& numbers) {
  const float level = numbers.between(90.0F, 165.0F);
  const float slope_x = numbers.between(-1.5F, 1.5F), slope_y = numbers.between(-1.5F, 1.5F);
  for (std::size_t y = 0; y < kSide; ++y) {
    for (std::size_t x = 0; x < kSide; ++x) {
      canvas[y * kSide + x] =
          level + slope_x * (static_cast<float>(x) - 13.5F) + slope_y * (static_cast<float>(y) - 13.5F);
    }
  }
}

/// A shape at a random place, lighter or darker than what is below it. (Each random number is drawn in a
/// statement of its own: the order of a call's arguments is the compiler's choice.)
template <class Covers>
void draw_anywhere(Canvas& canvas, HashStream& numbers, Interval radius, Interval contrast, Covers covers) {
  const Placement placement = Placement::random(numbers, radius.low, radius.high);
  const float amount = numbers.between(contrast.low, contrast.high);
  const float sign = numbers.coin() ? 1.0F : -1.0F;
  draw(canvas, placement, sign * amount, covers);
}

void draw_picture(HashStream numbers, const Shape& shape, std::uint8_t* pixels) {
  const auto stroke = [](Point p) { return std::fabs(p.x) < 1.0F && std::fabs(p.y) < 0.25F; };
  const auto thin_bar = [](Point p) { return std::fabs(p.y) < 0.05F; };
  Canvas canvas;
  draw_light(canvas, numbers);
  for (int i = 0; i < 2; ++i) draw_anywhere(canvas, numbers, {2.0F, 4.0F}, {25.0F, 70.0F}, stroke);
  draw_anywhere(canvas, numbers, {6.0F, 10.5F}, {40.0F, 95.0F}, shape.covers);
  if (numbers.coin())
    draw_anywhere(canvas, numbers, {20.0F, 24.0F}, {30.0F, 70.0F}, thin_bar);  // right across
  const float noise = numbers.between(6.0F, 22.0F);
  for (std::size_t i = 0; i < canvas.size(); ++i) {
    float bell = -1.5F;  // three uniform numbers: about normal, standard deviation 0.5
    for (int draws = 0; draws < 3; ++draws) bell += numbers.unit();
    const float value = canvas[i] + 2.0F * noise * bell;
    pixels[i] = static_cast<std::uint8_t>(std::clamp(value, 0.0F, 255.0F));
  }
}

}  // namespace

Result<PictureSet> load_synthetic(const std::string& /*dir*/, Split split) {
  return without_exceptions("synthetic", [&]() -> Result<PictureSet> {
    PictureSet set;
    set.count = split == Split::Train ? kTrainPictures : kTestPictures;
    set.height = set.width = kSide;
    set.channels = 1;
    set.pixels.resize(set.count * set.picture_size());
    set.labels.resize(set.count);
    for (const Shape& shape : kShapes) set.class_names.emplace_back(shape.name);
    for (std::size_t i = 0; i < set.count; ++i) {
      const std::size_t label = i % kShapes.size();
      const std::uint64_t key = static_cast<std::uint64_t>(split) << 32 | i;
      set.labels[i] = static_cast<std::uint16_t>(label);
      draw_picture(HashStream(key), kShapes[label], set.pixels.data() + i * set.picture_size());
    }
    return set;
  });
}

}  // namespace bitplane::engine::data
