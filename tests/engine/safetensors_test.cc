// SPDX-License-Identifier: Apache-2.0
#include "bitplane/safetensors.h"

#include <gtest/gtest.h>

#include <cstring>
#include <numeric>

namespace bitplane::engine {
namespace {

using Bytes = std::vector<std::byte>;

Bytes file_of(std::uint64_t header_length, std::string_view header, std::size_t data_bytes) {
  Bytes bytes(8 + header.size() + data_bytes, std::byte{0x5A});
  std::memcpy(bytes.data(), &header_length, 8);
  std::memcpy(bytes.data() + 8, header.data(), header.size());
  return bytes;
}

Bytes file_of(std::string_view header, std::size_t data_bytes) {
  return file_of(header.size(), header, data_bytes);
}

/// The reason why a hand-made file is refused; "" when it is not.
std::string refusal(const Bytes& bytes) {
  const Result<Container> parsed = parse_safetensors(bytes);
  if (parsed.ok()) return "";
  EXPECT_EQ(parsed.status().code(), StatusCode::InvalidFile);
  EXPECT_EQ(parsed.status().message().find('\n'), std::string::npos);
  return parsed.status().message();
}

Bytes counting_bytes(std::size_t size) {
  Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i * 37 + 11);
  return bytes;
}

TEST(Safetensors, RoundTripOfEveryDtypeAndOddShapes) {
  const Bytes data = counting_bytes(512);
  Container written;
  written.metadata = {{"note", "line\nbreak \"quoted\" \xC3\xA9"}, {"", "empty key"}};
  const auto add = [&](std::string name, DType dtype, std::vector<std::size_t> shape) {
    const std::size_t bytes =
        std::accumulate(shape.begin(), shape.end(), dtype_size(dtype), std::multiplies<std::size_t>());
    written.tensors.push_back({std::move(name), {dtype, std::move(shape), std::span(data).first(bytes)}});
  };
  add("u", DType::U8, {3});
  add("i", DType::I32, {2, 5});
  add("l", DType::I64, {7});
  add("f", DType::F32, {1, 3, 3});
  add("d", DType::F64, {2, 2});
  add("scalar", DType::F32, {});
  add("nothing", DType::U8, {4, 0});
  add("na\xC3\xAFve/\xE6\xA8\xA1", DType::U8, {1});

  const Result<Bytes> bytes = serialize_safetensors(written);
  ASSERT_TRUE(bytes.ok()) << bytes.status().message();
  const Result<Container> read = parse_safetensors(bytes.value());
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_EQ(read.value().metadata, written.metadata);
  ASSERT_EQ(read.value().tensors.size(), written.tensors.size());
  for (const TensorEntry& expected : written.tensors) {
    SCOPED_TRACE(expected.name);
    const auto& all = read.value().tensors;
    const auto found =
        std::find_if(all.begin(), all.end(), [&](const TensorEntry& e) { return e.name == expected.name; });
    ASSERT_NE(found, all.end());
    EXPECT_EQ(found->tensor.dtype, expected.tensor.dtype);
    EXPECT_EQ(found->tensor.shape, expected.tensor.shape);
    EXPECT_TRUE(std::equal(found->tensor.bytes.begin(), found->tensor.bytes.end(),
                           expected.tensor.bytes.begin(), expected.tensor.bytes.end()));
    EXPECT_EQ(static_cast<std::size_t>(found->tensor.bytes.data() - bytes.value().data()) %
                  dtype_size(expected.tensor.dtype),
              0U)
        << "a mapped file must be aligned";
  }
}

TEST(Safetensors, LargestElementFirstThenByName) {
  const Bytes data = counting_bytes(8);
  Container a;
  a.tensors = {{"b", {DType::U8, {1}, std::span(data).first(1)}},
               {"z", {DType::I64, {1}, std::span(data).first(8)}},
               {"a", {DType::U8, {1}, std::span(data).first(1)}},
               {"m", {DType::F32, {1}, std::span(data).first(4)}}};
  Container b = a;
  std::swap(b.tensors[0], b.tensors[2]);
  const Result<Bytes> bytes = serialize_safetensors(a);
  ASSERT_TRUE(bytes.ok());
  EXPECT_EQ(bytes.value(), serialize_safetensors(b).value());
  const Result<Container> read = parse_safetensors(bytes.value());
  ASSERT_TRUE(read.ok());
  std::string order;
  for (const TensorEntry& e : read.value().tensors) order += e.name;
  EXPECT_EQ(order, "zmab");
}

TEST(Safetensors, BytesAreAsThePublishedFormatSays) {
  const Bytes data = counting_bytes(4);
  Container container;
  container.tensors = {{"w", {DType::F32, {1}, data}}};
  const std::string header = R"({"w":{"data_offsets":[0,4],"dtype":"F32","shape":[1]}})";
  Bytes expected = file_of(56, header + "  ", 4);
  ASSERT_EQ(header.size(), 54U);
  std::memcpy(expected.data() + 64, data.data(), 4);
  const Result<Bytes> bytes = serialize_safetensors(container);
  ASSERT_TRUE(bytes.ok());
  EXPECT_EQ(bytes.value(), expected);
}

TEST(Safetensors, AnotherWritersOrderAndSpacingAreRead) {
  const Result<Container> read = parse_safetensors(file_of(
      "{ \"b\" : "
      "{\"shape\":[2],\"dtype\":\"U8\",\"data_offsets\":[4,6]},\n\t\"a\":{\"dtype\":\"F32\",\"shape\":[],"
      "\"data_offsets\":[0,4]}}   ",
      6));
  ASSERT_TRUE(read.ok()) << read.status().message();
  ASSERT_EQ(read.value().tensors.size(), 2U);
  EXPECT_EQ(read.value().tensors[0].name, "a");
  EXPECT_EQ(read.value().tensors[1].name, "b");
  EXPECT_TRUE(parse_safetensors(file_of("{}", 0)).ok());
  EXPECT_TRUE(parse_safetensors(file_of(R"({"__metadata__":{}})", 0)).ok());
}

struct Hostile {
  const char* what;
  std::string header;
  std::size_t data_bytes;
  const char* says;  ///< part of the message
};

std::string one_tensor(std::string_view fields) {
  return "{\"w\":{" + std::string(fields) + "}}";
}

std::vector<Hostile> hostile_json() {
  const std::string good = R"({"dtype":"U8","shape":[2],"data_offsets":[0,2]})";
  return {
      {"empty", "", 0, "begin with '{'"},
      {"leading space", " {}", 0, "begin with '{'"},
      {"array", "[]", 0, "begin with '{'"},
      {"byte order mark", "\xEF\xBB\xBF{}", 0, "begin with '{'"},
      {"cut JSON", "{\"w\":", 0, "not valid JSON"},
      {"two documents", "{}{}", 0, "not valid JSON"},
      {"NUL hides the rest", std::string("{}\0{", 4), 0, "control characters"},
      {"invalid UTF-8", "{\"\xFF\":" + good + "}", 2, "not valid JSON"},
      {"lone surrogate", "{\"\\ud800\":" + good + "}", 2, "not valid JSON"},
      {"control character in a name", "{\"a\\u001bb\":" + good + "}", 2, "control characters"},
      {"empty name", "{\"\":" + good + "}", 2, "empty name"},
      {"duplicate tensor", "{\"w\":" + good + ",\"w\":" + good + "}", 2, "'w' stands twice"},
      {"duplicate tensor by escape", "{\"w\":" + good + ",\"\\u0077\":" + good + "}", 2, "'w' stands twice"},
      {"duplicate metadata", R"({"__metadata__":{},"__metadata__":{}})", 0, "stands twice"},
      {"duplicate metadata key", R"({"__metadata__":{"a":"1","a":"2"}})", 0, "'a' stands twice"},
      {"duplicate field", one_tensor(R"("dtype":"U8","dtype":"U8","shape":[2],"data_offsets":[0,2])"), 2,
       "'dtype' stands twice"},
      {"missing field", one_tensor(R"("dtype":"U8","shape":[2])"), 2, "missing"},
      {"unknown field", one_tensor(R"("dtype":"U8","shape":[2],"data_offsets":[0,2],"x":1)"), 2,
       "unknown key 'x'"},
      {"number for a tensor", R"({"w":7})", 0, "found a number"},
      {"null", R"({"w":null})", 0, "found null"},
      {"metadata number", R"({"__metadata__":{"a":1}})", 0, "found a number"},
      {"metadata object", R"({"__metadata__":{"a":{}}})", 0, "found an object"},
      {"metadata string", R"({"__metadata__":"x"})", 0, "found a string"},
      {"deep nesting", "{\"w\":" + std::string(100000, '['), 0, "found an array"},
      {"deep objects", "{\"w\":{\"shape\":{\"a\":{}}}}", 0, "found an object"},
  };
}

std::vector<Hostile> hostile_tensors() {
  const std::string good = R"({"dtype":"U8","shape":[2],"data_offsets":[0,2]})";
  return {
      {"dtype unknown", one_tensor(R"("dtype":"BF16","shape":[1],"data_offsets":[0,2])"), 2, "'BF16'"},
      {"dtype number", one_tensor(R"("dtype":1,"shape":[2],"data_offsets":[0,2])"), 2, "found a number"},
      {"shape string", one_tensor(R"("dtype":"U8","shape":"2","data_offsets":[0,2])"), 2, "found a string"},
      {"shape negative", one_tensor(R"("dtype":"U8","shape":[-2],"data_offsets":[0,2])"), 2, "negative"},
      {"shape fraction", one_tensor(R"("dtype":"U8","shape":[2.0],"data_offsets":[0,2])"), 2, "'2.0'"},
      {"shape beyond 64 bits",
       one_tensor(R"("dtype":"U8","shape":[18446744073709551618],"data_offsets":[0,2])"), 2,
       "'18446744073709551618'"},
      {"shape nested", one_tensor(R"("dtype":"U8","shape":[[2]],"data_offsets":[0,2])"), 2, "found an array"},
      {"shape product overflows to 2",
       one_tensor(R"("dtype":"U8","shape":[9223372036854775809,2],"data_offsets":[0,2])"), 2,
       "more than 2^64"},
      {"shape bytes overflow",
       one_tensor(R"("dtype":"I64","shape":[2305843009213693952],"data_offsets":[0,0])"), 0,
       "more than 2^64"},
      {"shape too small", one_tensor(R"("dtype":"U8","shape":[1],"data_offsets":[0,2])"), 2,
       "shape takes 1 bytes"},
      {"one offset", one_tensor(R"("dtype":"U8","shape":[2],"data_offsets":[0])"), 2, "less than two"},
      {"three offsets", one_tensor(R"("dtype":"U8","shape":[2],"data_offsets":[0,2,2])"), 2, "more than two"},
      {"offsets reversed", one_tensor(R"("dtype":"U8","shape":[2],"data_offsets":[2,0])"), 2,
       "hole or overlap"},
      {"offset negative", one_tensor(R"("dtype":"U8","shape":[2],"data_offsets":[-1,1])"), 2, "negative"},
      {"starts with a hole", one_tensor(R"("dtype":"U8","shape":[2],"data_offsets":[1,3])"), 3,
       "hole or overlap"},
      {"beyond the end", one_tensor(R"("dtype":"U8","shape":[3],"data_offsets":[0,3])"), 2, "cut or damaged"},
      {"far beyond the end",
       one_tensor(R"("dtype":"U8","shape":[18446744073709551615],"data_offsets":[0,18446744073709551615])"),
       2, "cut or damaged"},
      {"bytes left over", one_tensor(R"("dtype":"U8","shape":[2],"data_offsets":[0,2])"), 3,
       "belong to none"},
      {"overlap", "{\"a\":" + good + R"(,"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})", 3,
       "hole or overlap"},
      {"same bytes twice", "{\"a\":" + good + ",\"b\":" + good + "}", 2, "hole or overlap"},
      {"hole", "{\"a\":" + good + R"(,"b":{"dtype":"U8","shape":[1],"data_offsets":[3,4]}})", 4,
       "hole or overlap"},
  };
}

void expect_refused(const std::vector<Hostile>& headers) {
  for (const Hostile& h : headers) {
    SCOPED_TRACE(h.what);
    const std::string reason = refusal(file_of(h.header, h.data_bytes));
    EXPECT_NE(reason.find(h.says), std::string::npos) << "said: " << reason;
    EXPECT_LT(reason.size(), 300U);
  }
}

TEST(Safetensors, HostileJsonIsRefusedWithTheReason) {
  expect_refused(hostile_json());
}

TEST(Safetensors, HostileTensorsAreRefusedWithTheReason) {
  expect_refused(hostile_tensors());
}

TEST(Safetensors, HeaderLengthIsComparedWithTheFile) {
  EXPECT_NE(refusal({}).find("too short"), std::string::npos);
  EXPECT_NE(refusal(Bytes(7)).find("too short"), std::string::npos);
  EXPECT_NE(refusal(file_of(3, "{}", 0)).find("cut or damaged"), std::string::npos);
  EXPECT_NE(refusal(file_of(100'000'001, "{}", 0)).find("at most 100000000"), std::string::npos);
  EXPECT_NE(refusal(file_of(~std::uint64_t{0}, "{}", 0)).find("at most 100000000"), std::string::npos);
  EXPECT_NE(refusal(file_of(1, "{}", 0)).find("not valid JSON"), std::string::npos);
}

TEST(Safetensors, WriterRefusesWhatTheReaderWould) {
  const Bytes data(8);
  const auto refused = [&](const char* name, DType dtype, std::vector<std::size_t> shape) {
    Container c;
    c.tensors = {{name, {dtype, std::move(shape), data}}};
    const Result<Bytes> bytes = serialize_safetensors(c);
    return !bytes.ok() && bytes.status().code() == StatusCode::InvalidArgument;
  };
  EXPECT_FALSE(refused("w", DType::U8, {8}));
  EXPECT_TRUE(refused("w", DType::U8, {7}));
  EXPECT_TRUE(refused("w", DType::I64, {std::size_t{1} << 61}));
  EXPECT_TRUE(refused("", DType::U8, {8}));
  EXPECT_TRUE(refused("__metadata__", DType::U8, {8}));
  EXPECT_TRUE(refused("a\nb", DType::U8, {8}));
  EXPECT_TRUE(refused("\xC3", DType::U8, {8}));
  Container twice;
  twice.tensors = {{"w", {DType::U8, {8}, data}}, {"w", {DType::U8, {8}, data}}};
  EXPECT_FALSE(serialize_safetensors(twice).ok());
}

}  // namespace
}  // namespace bitplane::engine
