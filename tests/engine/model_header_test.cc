// SPDX-License-Identifier: Apache-2.0
//
// A model file whose header was edited and sealed again: refused with the reason, or read.
#include <gtest/gtest.h>

#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "bitplane/model_spec.h"
#include "engine/sample_model.h"
#include "model/digest.h"

namespace bitplane::engine {
namespace {

using Bytes = std::vector<std::byte>;
using testing::sample_bytes;
using testing::sample_model;

/// Replaces text in the header, adjusts its length and seals the file again.
Bytes with_header_edit(const Bytes& bytes, const std::string& from, const std::string& to) {
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), 8);
  std::string header(reinterpret_cast<const char*>(bytes.data()) + 8, length);
  const std::size_t at = header.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  if (at == std::string::npos) return {};
  header.replace(at, from.size(), to);
  Bytes edited(8 + header.size());
  const std::uint64_t new_length = header.size();
  std::memcpy(edited.data(), &new_length, 8);
  std::memcpy(edited.data() + 8, header.data(), header.size());
  edited.insert(edited.end(), bytes.begin() + 8 + static_cast<std::ptrdiff_t>(length), bytes.end());
  (void)seal_digest(edited).ok();  // an edit of the digest itself leaves nothing to seal
  return edited;
}

TEST(ModelHeader, AnOperationOfALaterVersionIsRefusedByName) {
  const Result<std::vector<std::byte>> bytes = serialize_model(testing::sample_branches());
  ASSERT_TRUE(bytes.ok());
  const std::string version = R"("bitplane.format_version":")";
  const std::vector<std::byte> edited = with_header_edit(bytes.value(), version + "2", version + "1");
  const Status refused = parse_model(edited).status();
  EXPECT_EQ(refused.code(), StatusCode::InvalidFile);
  EXPECT_NE(refused.message().find("node 'concat': concat needs format version 2, the file says 1"),
            std::string::npos)
      << refused.message();
}

TEST(ModelHeader, ACodebookNeedsVersion2) {
  ModelSpec spec = sample_model();
  spec.golden = {};
  testing::op_of<Linear>(spec, "classifier").weights =
      testing::SampleMaker().codebook(CodebookScope::Channel, 3, 3, 5);
  const Result<std::vector<std::byte>> bytes = serialize_model(spec);
  ASSERT_TRUE(bytes.ok()) << bytes.status().message();
  const std::string version = R"("bitplane.format_version":")";
  const Status refused = parse_model(with_header_edit(bytes.value(), version + "2", version + "1")).status();
  EXPECT_EQ(refused.code(), StatusCode::InvalidFile);
  EXPECT_NE(refused.message().find("'classifier': linear with a codebook needs format version 2"),
            std::string::npos)
      << refused.message();
}

struct HeaderEdit {
  std::string from, to;
  StatusCode code;
  std::string says;
};

void expect_refused(const Bytes& bytes, std::span<const HeaderEdit> edits) {
  for (const HeaderEdit& edit : edits) {
    SCOPED_TRACE(edit.from + "  ->  " + edit.to);
    const Result<ModelSpec> read = parse_model(with_header_edit(bytes, edit.from, edit.to));
    ASSERT_FALSE(read.ok());
    EXPECT_EQ(read.status().code(), edit.code);
    EXPECT_NE(read.status().message().find(edit.says), std::string::npos)
        << "said: " << read.status().message();
    EXPECT_EQ(read.status().message().find('\n'), std::string::npos);
  }
}

TEST(ModelHeader, EditedCodebooksAreRefusedWithTheReason) {
  const StatusCode file = StatusCode::InvalidFile;
  const std::string scope = R"(\"scope\":\"layer\")";
  const HeaderEdit edits[] = {
      {scope, R"(\"scope\":\"group\")", file, "'scope' is 'group'; allowed are layer, channel"},
      {scope, R"(\"scope\":\"channel\")", file,
       "tensor 'book1.weight_levels' has shape [5]; it must have [7, 5]"},
      {R"(,\"scope\":\"layer\")", "", file, "'scope' is missing"},
      {R"(\"weights\":\"codebook\")", R"(\"weights\":\"float\")", file, "'book1.weight' is missing"},
      {R"(\"weights\":\"codebook\")", R"(\"weights\":\"table\")", file,
       "allowed are float, planes, codebook"},
      {R"(\"planes\":3,)", R"(\"planes\":2,)", file,
       "'book1.weight_planes' has shape [3, 7, 1]; it must have [2, 7, 1]"},
      {R"(\"planes\":3,)", R"(\"planes\":18446744073709551615,)", file,
       "it must have [18446744073709551615, 7, 1]"},
      {R"("book1.weight_levels")", R"("book1.weight_level")", file, "'book1.weight_levels' is missing"},
      {R"(\"op\":\"dequantize\")", R"(\"op\":\"relu\")", StatusCode::Unsupported,
       "its input holds the codes"},
  };
  const Result<Bytes> bytes = serialize_model(testing::sample_branches());
  ASSERT_TRUE(bytes.ok()) << bytes.status().message();
  expect_refused(bytes.value(), edits);
}

TEST(ModelHeader, EditedMetadataIsRefusedWithTheReason) {
  const StatusCode file = StatusCode::InvalidFile, unsupported = StatusCode::Unsupported;
  const std::string version = R"("bitplane.format_version":")", digest = R"("bitplane.digest":"sha256:)";
  const HeaderEdit edits[] = {
      {version + "1", version + "3", unsupported,
       "format version 3; this build reads 1 to 2: update bitplane"},
      {version + "1", version + "0", file, "'0' is not a version number"},
      {version + "1", version + "01", file, "'01' is not a version number"},
      {version + "1", version + "-1", file, "not a version number"},
      {version + "1", version + "99999999999999999999", file, "not a version number"},
      {"bitplane.format_version", "bitplane.format_versioN", file, "no Bitplane model"},
      {"bitplane.labels", "bitplane.labelZ", file, "'bitplane.labels' is missing"},
      {R"("bitplane.digest":)", R"("bitplane.extra":"","bitplane.digest":)", file, "unknown metadata key"},
      {digest, R"("bitplane.digest":"md5:)", file, "knows only sha256:"},
      {digest, R"("bitplane.digest": "sha256:)", file, "exactly once"},
      {digest, R"("x":"bitplane.digest","bitplane.digest" :"sha256:)", file, "exactly once"},
      {R"("bitplane.labels":"[)", R"("bitplane.labels":"[\"one\",)", file, "4 labels; the output has 3"},
      {R"("bitplane.labels":"[)", R"("bitplane.labels":"[[],)", file, "a label is not a string"},
      {R"("bitplane.labels":"[)", R"("bitplane.labels":"[\"\\u001b[31m\"],[)", file, "not valid JSON"},
      {R"(\"shoe\")", R"(\"\\u001b[31m\")", file, "control characters"},
      {R"("bitplane.provenance":"{)", R"("bitplane.provenance":"{\"a\":1,)", file, "a value is not a string"},
      {R"("bitplane.graph":"{)", R"("bitplane.graph":"[{)", file, "not valid JSON"},
      {R"("bitplane.graph":"{)", R"("bitplane.graph":"\u0000{)", file, "NUL"},
  };
  expect_refused(sample_bytes(), edits);
}

TEST(ModelHeader, EditedAttributesAreRefusedWithTheReason) {
  const StatusCode file = StatusCode::InvalidFile;
  const HeaderEdit edits[] = {
      {R"(\"op\":\"relu\")", R"(\"op\":\"tanh\")", file, "'block1.relu': unknown operation 'tanh'"},
      {R"(\"op\":\"relu\")", R"(\"op\":\"flatten\")", file,
       "'block2.conv' (conv2d): weight_planes has k = 36"},
      {R"(\"op\":\"relu\")", R"(\"op\":\"relu\",\"alpha\":1)", file, "unknown attribute 'alpha'"},
      {R"(\"op\":\"relu\")", R"(\"op\":\"relu\",\"op\":\"relu\")", file, "'op' stands twice"},
      {R"(\"op\":\"relu\",)", "", file, "'op' is missing"},
      {R"(\"groups\":1)", R"(\"groups\":-1)", file, "negative"},
      {R"(\"groups\":1)", R"(\"groups\":1.0)", file, "'1.0'"},
      {R"(\"groups\":1)", R"(\"groups\":1e3)", file, "'1e3'"},
      {R"(\"groups\":1)", R"(\"groups\":true)", file, "true and false"},
      {R"(\"groups\":1)", R"(\"groups\":null)", file, "null"},
      {R"(\"groups\":1)", R"(\"groups\":\"1\")", file, "'groups' is not a number"},
      {R"(\"groups\":1)", R"(\"groups\":18446744073709551615)", file, "groups is 18446744073709551615"},
      {R"(\"groups\":1)", R"(\"groups\":[[[[[[[1]]]]]]])", file, "nested deeper"},
      {R"(\"kernel\":[3,3])", R"(\"kernel\":[3])", file, "two numbers"},
      {R"(\"kernel\":[3,3])", R"(\"kernel\":[3,4])", file, "must have [4, 3, 4, "},
      {R"(\"stride\":[1,1])", R"(\"stride\":[0,1])", file, "stride height is 0; allowed are 1 to 1048576"},
      {R"(\"bits\":2)", R"(\"bits\":9)", file, "code_of_rank"},
      {R"(\"bits\":2)", R"(\"bits\":18446744073709551615)", file, "code_of_rank"},
      {R"(\"k\":36)", R"(\"k\":37)", file, "'block2.conv' (conv2d): weight_planes has k = 37"},
      {R"(\"k\":36)", R"(\"k\":18446744073709551615)", file, "must have [2, 6, 288230376151711744]"},
      {R"(\"planes\":2)", R"(\"planes\":3)", file, "must have [3, 6, 1]"},
      {R"(\"encoding\":\"bipolar\")", R"(\"encoding\":\"ternary\")", file,
       "'encoding' is 'ternary'; allowed are unsigned, twos_complement, bipolar"},
      {R"(\"encoding\":\"bipolar\")", R"(\"encoding\":\"twos_complement\")", file, "needs a uniform one"},
      {R"(\"basis\":\"learned\")", R"(\"basis\":\"uniform\")", file, "is missing"},
  };
  expect_refused(sample_bytes(), edits);
}

TEST(ModelHeader, EditedGraphsAndTensorsAreRefusedWithTheReason) {
  const StatusCode file = StatusCode::InvalidFile;
  const HeaderEdit edits[] = {
      {R"(\"inputs\":[\"block1.bn\"])", R"(\"inputs\":[\"block9.bn\"])", file, "'block9.bn' does not exist"},
      {R"(\"inputs\":[\"block1.bn\"])", R"(\"inputs\":[\"classifier\"])", file, "topological order"},
      {R"(\"inputs\":[\"block1.bn\"])", R"(\"inputs\":[\"block1.relu\"])", file, "topological order"},
      {R"(\"inputs\":[\"block1.bn\"])", R"(\"inputs\":[])", file, "has 0 inputs; it must have 1"},
      {R"(\"inputs\":[\"block1.bn\"])", R"(\"inputs\":[7])", file, "else than strings"},
      {R"(\"inputs\":[\"block1.bn\"])", R"(\"inputs\":[\"input\"])", file, "input channels make it 27"},
      {R"(\"output\":\"classifier\")", R"(\"output\":\"class\")", file, "the output 'class' is no node"},
      {R"(\"output\":\"classifier\")", R"(\"output\":7)", file, "'output' is not a string"},
      {R"(\"channels\":3)", R"(\"channels\":2)", file, "'golden.input' has shape [6, 5, 3]"},
      {R"(\"channels\":3)", R"(\"channels\":0)", file, "golden"},
      {R"("block1.bn.mean")", R"("block1.bn.mode")", file, "'block1.bn.mean' is missing"},
      {R"("block1.conv.bias")", R"("block1.conv.bios")", file, "'block1.conv.bios' belongs to no node"},
      {R"("dtype":"F32")", R"("dtype":"I32")", file, "is I32; it must be F32"},
  };
  expect_refused(sample_bytes(), edits);
}

TEST(ModelHeader, ForeignMetadataIsLeftAlone) {
  const Result<ModelSpec> read = parse_model(
      with_header_edit(sample_bytes(), R"("bitplane.digest":)", R"("format":"pt","bitplane.digest":)"));
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_TRUE(read.value() == sample_model());
}

/// Reads the container as the published format describes it, sharing nothing with the product: each tensor's
/// offsets are found as text, and must lie one behind the other up to the file's end.

}  // namespace
}  // namespace bitplane::engine
