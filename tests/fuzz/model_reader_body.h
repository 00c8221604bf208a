// SPDX-License-Identifier: Apache-2.0
//
// What must hold of any bytes that are given to the model reader. The body of the fuzz target, and of the
// test that runs it over a fixed sequence of mutations.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace bitplane::fuzz {

/// Parses the bytes as they are, and once more under a digest made right (else no mutation would ever get
/// past the digest). A refusal must have a one-line reason; an accepted model must be written to a file that
/// reads back to the same model. Returns what did not hold, or "".
std::string check_model_reader(std::span<const std::byte> bytes);

/// A valid model file to start from.
std::vector<std::vector<std::byte>> seed_models();

}  // namespace bitplane::fuzz
