// SPDX-License-Identifier: Apache-2.0
#include <bit>
#include <string>

#include "bitplane/engine.h"
#include "bitplane/model_spec.h"
#include "io/no_throw.h"
#include "io/text.h"

namespace bitplane::engine {

Status self_test(const Model& model, const SessionOptions& options) {
  return no_throw([&]() -> Status {
    const GoldenPair& golden = model.spec().golden;
    if (golden.input.empty()) return {};
    SessionOptions one = options;
    one.batch = 1;
    Result<Session> session = Session::create(model, one);
    if (!session.ok()) return session.status();
    if (Status status = session->run(golden.input); !status.ok()) return status;
    const std::span<const float> output = session->output();
    if (output.size() != golden.output.size()) {
      return {StatusCode::InvalidFile, "self-test: the file's golden output has " +
                                           std::to_string(golden.output.size()) +
                                           " values, the model gives " + std::to_string(output.size())};
    }
    for (std::size_t i = 0; i < output.size(); ++i) {
      if (std::bit_cast<std::uint32_t>(output[i]) == std::bit_cast<std::uint32_t>(golden.output[i])) continue;
      return {StatusCode::InvalidFile, "self-test: output " + std::to_string(i) + " is " +
                                           number_text(output[i]) + ", the file says " +
                                           number_text(golden.output[i])};
    }
    return {};
  });
}

}  // namespace bitplane::engine
