// SPDX-License-Identifier: Apache-2.0
//
// A TensorBoard event file: TFRecords that hold Event messages of event.proto, of which this writes what
// scalars need.
//
//   record   u64 length | u32 masked CRC of the length | data | u32 masked CRC of the data, little-endian
//   Event    1: double wall_time   2: int64 step   3: string file_version   5: Summary
//   Summary  1: repeated Value     Value  1: string tag   2: float simple_value
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace bitplane::train {

struct Scalar {
  std::string_view tag;
  double value;
};

class EventFile {
 public:
  /// A new file, or one that exists, cut behind its last whole record of a step up to `last_step`: what
  /// follows was not saved and comes again. Throws cli::CommandError (SystemRefused) naming the file.
  EventFile(std::string path, std::uint64_t last_step);

  /// Appends one event. Throws cli::CommandError (SystemRefused) naming the file.
  void add(std::uint64_t step, std::span<const Scalar> scalars) const;

 private:
  void append(const std::string& event) const;
  std::string path_;
};

}  // namespace bitplane::train
