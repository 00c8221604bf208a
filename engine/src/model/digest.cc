// SPDX-License-Identifier: Apache-2.0
#include "model/digest.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "io/little_endian.h"
#include "io/sha256.h"
#include "io/text.h"

namespace bitplane::engine {
namespace {

constexpr std::string_view kAlgorithm = "sha256:";
constexpr std::size_t kDigits = 64;

Status invalid(std::string message) {
  return {StatusCode::InvalidFile, std::move(message)};
}

/// Offset of the 64 digits in the file. Found as text, because their position must not depend on how a JSON
/// library reads the header: the pattern below must stand there exactly once.
Result<std::size_t> find_digits(std::span<const std::byte> file) {
  std::uint64_t length = 0;
  if (file.size() < kLengthBytes) return invalid("the file is too short for a digest");
  std::memcpy(&length, file.data(), kLengthBytes);
  if (length > file.size() - kLengthBytes) return invalid("the header is longer than the file");
  const std::string_view header(reinterpret_cast<const char*>(file.data()) + kLengthBytes, length);
  const std::string pattern = '"' + std::string(kDigestKey) + "\":\"" + std::string(kAlgorithm);
  const std::size_t at = header.find(pattern);
  if (at == std::string_view::npos || header.find(pattern, at + 1) != std::string_view::npos ||
      header.size() - at - pattern.size() < kDigits) {
    return invalid("the header does not hold " + pattern + "<64 digits>\" exactly once");
  }
  return kLengthBytes + at + pattern.size();
}

std::string digest_of(std::span<const std::byte> file, std::size_t digits_at) {
  const std::string zeros(kDigits, '0');
  Sha256 hash;
  hash.update(file.first(digits_at));
  hash.update(std::as_bytes(std::span(zeros)));
  hash.update(file.subspan(digits_at + kDigits));
  return hash.finish();
}

}  // namespace

std::string blank_digest() {
  return std::string(kAlgorithm) + std::string(kDigits, '0');
}

Status seal_digest(std::span<std::byte> file) {
  const Result<std::size_t> at = find_digits(file);
  if (!at.ok()) return at.status();
  const std::string digest = digest_of(file, at.value());
  std::memcpy(file.data() + at.value(), digest.data(), kDigits);
  return {};
}

Result<std::string> digest_in(std::span<const std::byte> file) {
  const Result<std::size_t> at = find_digits(file);
  if (!at.ok()) return at.status();
  return std::string(kAlgorithm) +
         std::string(reinterpret_cast<const char*>(file.data()) + at.value(), kDigits);
}

Status check_digest(std::span<const std::byte> file, std::string_view stated) {
  if (stated.substr(0, kAlgorithm.size()) != kAlgorithm) {
    return invalid("digest " + in_quotes(stated) + ": this build knows only " + std::string(kAlgorithm) +
                   "...");
  }
  const Result<std::size_t> at = find_digits(file);
  if (!at.ok()) return at.status();
  const std::string actual = digest_of(file, at.value());
  if (stated.substr(kAlgorithm.size()) != actual) {
    return invalid("the digest does not match (the file says " + in_quotes(stated) +
                   ", its bytes give sha256:" + actual +
                   "): it was changed or damaged; get or export it again");
  }
  return {};
}

}  // namespace bitplane::engine
