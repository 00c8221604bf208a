// SPDX-License-Identifier: Apache-2.0
//
// A model file in good and in bad condition: round trip, its bytes, and every way to damage it.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <set>

#include "bitplane/model_spec.h"
#include "bitplane/safetensors.h"
#include "engine/sample_model.h"
#include "io/sha256.h"
#include "model/digest.h"
#include "model/op_list.h"

namespace bitplane::engine {
namespace {

using Bytes = std::vector<std::byte>;
using testing::sample_bytes;
using testing::sample_model;

std::string hash_of(std::string_view text) {
  Sha256 hash;
  hash.update(std::as_bytes(std::span(text)));
  return hash.finish();
}

TEST(Sha256, PublishedExamples) {
  EXPECT_EQ(hash_of(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(hash_of("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hash_of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(hash_of(std::string(1000000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, PartsOfAnySizeGiveTheSame) {
  const std::string text(300, 'q');
  for (const std::size_t part : {1U, 55U, 56U, 63U, 64U, 65U, 127U, 299U}) {
    Sha256 hash;
    for (std::size_t i = 0; i < text.size(); i += part) {
      hash.update(std::as_bytes(std::span(text).subspan(i, std::min(part, text.size() - i))));
    }
    EXPECT_EQ(hash.finish(), hash_of(text)) << part;
  }
}

TEST(ModelFile, TheSamplesHoldEveryOperation) {
  std::set<std::size_t> present;
  for (const Node& node : sample_model().nodes) {
    present.insert(node.op.index());
    EXPECT_EQ(op_info(node.op).version, 1);
  }
  for (const Node& node : testing::sample_branches().nodes) present.insert(node.op.index());
  EXPECT_EQ(present.size(), kOps.size());
}

/// The lowest version that holds the graph: what older builds can read stays readable for them.
TEST(ModelFile, BranchesRoundTripAndNeedVersion2) {
  const auto version_of = [](const ModelSpec& spec) {
    const Result<std::vector<std::byte>> bytes = serialize_model(spec);
    EXPECT_TRUE(bytes.ok()) << bytes.status().message();
    return parse_safetensors(bytes.value()).value().metadata.at("bitplane.format_version");
  };
  const ModelSpec spec = testing::sample_branches();
  EXPECT_EQ(version_of(spec), "2");
  EXPECT_EQ(version_of(sample_model()), "1");
  const Result<std::vector<std::byte>> bytes = serialize_model(spec);
  const Result<ModelSpec> read = parse_model(bytes.value());
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_TRUE(read.value() == spec);
}

TEST(ModelFile, RoundTripKeepsEverything) {
  const ModelSpec spec = sample_model();
  const Result<ModelSpec> read = parse_model(sample_bytes());
  ASSERT_TRUE(read.ok()) << read.status().message();
  ASSERT_EQ(read.value().nodes.size(), spec.nodes.size());
  for (std::size_t i = 0; i < spec.nodes.size(); ++i) {
    EXPECT_TRUE(read.value().nodes[i] == spec.nodes[i]) << spec.nodes[i].name;
  }
  EXPECT_TRUE(read.value() == spec);
}

TEST(ModelFile, RoundTripWithoutTheOptionalParts) {
  ModelSpec spec = sample_model();
  spec.labels.clear();
  spec.provenance.clear();
  spec.golden = {};
  spec.name.clear();
  testing::op_of<Conv2d>(spec, "block1.conv").bias.clear();
  testing::op_of<Linear>(spec, "classifier").bias.clear();
  const Result<Bytes> bytes = serialize_model(spec);
  ASSERT_TRUE(bytes.ok()) << bytes.status().message();
  const Result<ModelSpec> read = parse_model(bytes.value());
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_TRUE(read.value() == spec);
}

TEST(ModelFile, SameSpecSameBytes) {
  const Bytes bytes = sample_bytes();
  EXPECT_EQ(bytes, sample_bytes());
  EXPECT_EQ(bytes, serialize_model(parse_model(bytes).value()).value());
}

TEST(ModelFile, ReadsAtAnyAlignment) {
  const Bytes bytes = sample_bytes();
  Bytes shifted(bytes.size() + 1);
  std::copy(bytes.begin(), bytes.end(), shifted.begin() + 1);
  const Result<ModelSpec> read = parse_model(std::span(shifted).subspan(1));
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_TRUE(read.value() == sample_model());
}

TEST(ModelFile, WriteAndReadAFile) {
  const std::filesystem::path path = std::filesystem::temp_directory_path() /
                                     ("bitplane-model-" + std::to_string(::getpid()) + ".safetensors");
  const Status written = write_model(path.string(), sample_model());
  ASSERT_TRUE(written.ok()) << written.message();
  const Result<ModelSpec> read = read_model(path.string());
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_TRUE(read.value() == sample_model());

  std::filesystem::resize_file(path, 100);
  const Result<ModelSpec> cut = read_model(path.string());
  EXPECT_EQ(cut.status().code(), StatusCode::InvalidFile);
  EXPECT_NE(cut.status().message().find(path.filename().string()), std::string::npos)
      << cut.status().message();
  std::filesystem::remove(path);
  EXPECT_EQ(read_model(path.string()).status().code(), StatusCode::NotFound);
}

TEST(ModelFile, AnInvalidSpecIsNotWritten) {
  ModelSpec spec = sample_model();
  spec.output = "nowhere";
  EXPECT_EQ(serialize_model(spec).status().code(), StatusCode::InvalidArgument);
  EXPECT_EQ(write_model("unused.safetensors", spec).code(), StatusCode::InvalidArgument);
  EXPECT_FALSE(std::filesystem::exists("unused.safetensors"));
  spec = sample_model();
  spec.labels[0] = "\xFF";
  EXPECT_EQ(serialize_model(spec).status().code(), StatusCode::InvalidArgument);
}

TEST(ModelFile, EveryTruncationIsRefused) {
  const Bytes bytes = sample_bytes();
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    // A copy of its own, so that a sanitizer sees a read behind the end.
    const Bytes cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
    const Result<ModelSpec> read = parse_model(cut);
    ASSERT_FALSE(read.ok()) << "cut at " << size;
    ASSERT_EQ(read.status().code(), StatusCode::InvalidFile) << "cut at " << size;
    ASSERT_FALSE(read.status().message().empty());
  }
  Bytes longer = bytes;
  longer.push_back(std::byte{0});
  EXPECT_FALSE(parse_model(longer).ok());
}

TEST(ModelFile, EveryChangedByteIsRefused) {
  Bytes bytes = sample_bytes();
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const std::byte flip = std::byte{1} << i % 8;
    bytes[i] ^= flip;
    ASSERT_FALSE(parse_model(bytes).ok()) << "byte " << i << " xor " << std::to_integer<int>(flip);
    bytes[i] ^= flip;
  }
  EXPECT_TRUE(parse_model(bytes).ok());
}

/// The same changes with the digest made right again: most must still be refused, and what is accepted must
/// be a model that can be written and read.
TEST(ModelFile, EveryChangedByteUnderANewDigestIsHandled) {
  const Bytes original = sample_bytes();
  std::size_t accepted = 0;
  for (std::size_t i = 0; i < original.size(); ++i) {
    Bytes bytes = original;
    bytes[i] ^= std::byte{1} << i % 8;
    if (!seal_digest(bytes).ok()) continue;
    const Result<ModelSpec> read = parse_model(bytes);
    if (!read.ok()) {
      ASSERT_FALSE(read.status().message().empty());
      continue;
    }
    ++accepted;
    const Result<Bytes> again = serialize_model(read.value());
    ASSERT_TRUE(again.ok()) << "byte " << i << ": " << again.status().message();
    ASSERT_TRUE(parse_model(again.value()).value() == read.value()) << "byte " << i;
  }
  EXPECT_GT(accepted, 0U);  // a changed weight, for one
}

TEST(ModelFile, IsASafetensorsFileToAnIndependentReader) {
  const Bytes bytes = sample_bytes();
  std::size_t length = 0;
  for (std::size_t i = 8; i-- > 0;) length = length << 8 | std::to_integer<std::size_t>(bytes[i]);
  ASSERT_LE(length, bytes.size() - 8);
  ASSERT_EQ(length % 8, 0U);
  const std::string header(reinterpret_cast<const char*>(bytes.data()) + 8, length);
  ASSERT_EQ(header.front(), '{');
  ASSERT_EQ(header[header.find_last_not_of(' ')], '}');
  ASSERT_EQ(header.rfind(R"({"__metadata__":{)", 0), 0U);

  const std::map<std::string, std::size_t> sizes = {{"U8", 1}, {"F32", 4}, {"I64", 8}};
  std::size_t position = 0, tensors = 0, last_size = 8;
  const std::string key = R"({"data_offsets":[)";
  for (std::size_t at = header.find(key); at != std::string::npos; at = header.find(key, at + 1), ++tensors) {
    const char* text = header.c_str() + at + key.size();
    char* end = nullptr;
    const std::size_t first = std::strtoull(text, &end, 10), last = std::strtoull(end + 1, &end, 10);
    EXPECT_EQ(first, position);
    position = last;
    const std::string dtype_key = R"(],"dtype":")", shape_key = R"(","shape":[)";
    ASSERT_EQ(std::string(end, dtype_key.size()), dtype_key);
    const std::string dtype(end + dtype_key.size(), std::strchr(end + dtype_key.size(), '"'));
    const std::size_t size = sizes.at(dtype);
    EXPECT_LE(size, last_size) << "largest element first";
    last_size = size;
    EXPECT_EQ((8 + length + first) % size, 0U);
    const char* shape = end + dtype_key.size() + dtype.size();
    ASSERT_EQ(std::string(shape, shape_key.size()), shape_key);
    shape += shape_key.size();
    std::size_t elements = 1;
    while (*shape != ']') {
      elements *= std::strtoull(shape, &end, 10);
      shape = *end == ',' ? end + 1 : end;
    }
    EXPECT_EQ(elements * size, last - first);
  }
  EXPECT_EQ(position, bytes.size() - 8 - length);
  EXPECT_GT(tensors, 20U);
}

TEST(ModelFile, DigestIsTheHashOfTheFileWithZerosInItsPlace) {
  Bytes bytes = sample_bytes();
  const std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const std::string key = R"("bitplane.digest":"sha256:)";
  const std::size_t at = text.find(key) + key.size();
  std::string zeroed = text;
  zeroed.replace(at, 64, std::string(64, '0'));
  EXPECT_EQ(hash_of(zeroed), text.substr(at, 64));
}

}  // namespace
}  // namespace bitplane::engine
