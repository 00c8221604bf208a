// SPDX-License-Identifier: Apache-2.0
//
// The digest of a model file: SHA-256 over all of its bytes, with the digest's own 64 digits read as '0'.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "bitplane/status.h"

namespace bitplane::engine {

inline constexpr std::string_view kDigestKey = "bitplane.digest";

/// The value to serialize with, before seal_digest() fills it in.
[[nodiscard]] std::string blank_digest();
/// Writes the digest over the blank one (or any other). InvalidFile when the file has no place for it.
Status seal_digest(std::span<std::byte> file);
/// The value that stands in the file. InvalidFile when it has no place for one.
Result<std::string> digest_in(std::span<const std::byte> file);
/// `stated` is the metadata's value.
Status check_digest(std::span<const std::byte> file, std::string_view stated);

}  // namespace bitplane::engine
