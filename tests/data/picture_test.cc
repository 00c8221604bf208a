// SPDX-License-Identifier: Apache-2.0
#include "engine/data/picture.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>
#include <filesystem>
#include <random>

#include "data/support.h"
#include "engine/data/stb.h"

namespace bitplane::engine::data {
namespace {

using testing::Bytes;
using testing::read_bytes;
using testing::TemporaryFolder;

Picture pattern(std::size_t height, std::size_t width, std::size_t channels) {
  Picture picture{height, width, channels, Bytes(height * width * channels)};
  for (std::size_t i = 0; i < picture.pixels.size(); ++i)
    picture.pixels[i] = static_cast<std::uint8_t>(i * 37 + i / 11);
  return picture;
}

Picture flat(std::size_t height, std::size_t width, std::uint8_t value) {
  return {height, width, 1, Bytes(height * width, value)};
}

TEST(Picture, PngRoundTripIsExact) {
  const TemporaryFolder folder;
  for (const std::size_t channels : {1, 3}) {
    for (const auto& [height, width] :
         std::vector<std::pair<std::size_t, std::size_t>>{{1, 1}, {28, 28}, {5, 67}, {67, 5}}) {
      SCOPED_TRACE(std::to_string(height) + "x" + std::to_string(width) + "x" + std::to_string(channels));
      const Picture picture = pattern(height, width, channels);
      const std::string path = folder.file("p.png");
      ASSERT_TRUE(write_png(path, picture).ok());
      const auto again = read_picture(path, channels);
      ASSERT_TRUE(again.ok()) << again.status().message();
      EXPECT_EQ(again->height, height);
      EXPECT_EQ(again->width, width);
      EXPECT_EQ(again->channels, channels);
      EXPECT_EQ(again->pixels, picture.pixels);
    }
  }
}

TEST(Picture, GreyAndColourConvert) {
  const TemporaryFolder folder;
  const std::string path = folder.file("p.png");
  ASSERT_TRUE(write_png(path, flat(2, 3, 100)).ok());
  const auto colour = read_picture(path, 3);
  ASSERT_TRUE(colour.ok()) << colour.status().message();
  EXPECT_EQ(colour->pixels, Bytes(18, 100));
  ASSERT_TRUE(write_png(path, {1, 2, 3, {255, 0, 0, 80, 80, 80}}).ok());
  const auto grey = read_picture(path, 1);
  ASSERT_TRUE(grey.ok());
  EXPECT_EQ(grey->pixels, (Bytes{76, 80})) << "luminance";
}

/// A flat grey 8x8 JPEG, written by hand: one DC coefficient of 0 is the value 128.
Bytes grey_jpeg() {
  Bytes bytes{0xff, 0xd8, 0xff, 0xdb, 0x00, 0x43, 0x00};
  bytes.insert(bytes.end(), 64, 1);  // quantization
  const Bytes frame{0xff, 0xc0, 0x00, 0x0b, 0x08, 0x00, 0x08,
                    0x00, 0x08, 0x01, 0x01, 0x11, 0x00};  // 8x8, grey
  const Bytes dc{0xff, 0xc4, 0x00, 0x14, 0x00, 1, 0, 0, 0, 0, 0,
                 0,    0,    0,    0,    0,    0, 0, 0, 0, 0, 0x00};  // "0": size 0
  const Bytes ac{0xff, 0xc4, 0x00, 0x14, 0x10, 1, 0, 0, 0, 0, 0,
                 0,    0,    0,    0,    0,    0, 0, 0, 0, 0, 0x00};  // "0": end
  const Bytes scan{0xff, 0xda, 0x00, 0x08, 0x01, 0x01, 0x00, 0x00, 0x3f, 0x00, 0x3f, 0xff, 0xd9};
  for (const Bytes& part : {frame, dc, ac, scan}) bytes.insert(bytes.end(), part.begin(), part.end());
  return bytes;
}

TEST(Picture, ReadsJpeg) {
  const TemporaryFolder folder;
  const auto picture = read_picture(folder.write("p.jpg", grey_jpeg()), 1);
  ASSERT_TRUE(picture.ok()) << picture.status().message();
  EXPECT_EQ(picture->height, 8U);
  EXPECT_EQ(picture->width, 8U);
  EXPECT_EQ(picture->pixels, Bytes(64, 128));
}

TEST(Picture, WhatDoesNotDecodeNamesTheFileAndTheReason) {
  const TemporaryFolder folder;
  ASSERT_TRUE(write_png(folder.file("good.png"), pattern(20, 20, 3)).ok());
  const Bytes png = read_bytes(folder.file("good.png"));
  const Bytes half(png.begin(), png.begin() + static_cast<std::ptrdiff_t>(png.size() / 2));
  const Bytes text{'h', 'e', 'l', 'l', 'o'};
  Bytes gif{'G', 'I', 'F', '8', '9', 'a', 1, 0, 1, 0, 0, 0, 0, 0x3b};
  Bytes wide = png;
  std::fill(wide.begin() + 16, wide.begin() + 24, std::uint8_t{0x7f});  // IHDR's width and height
  for (const Bytes& bytes : {half, text, gif, wide, Bytes{}}) {
    const std::string path = folder.write("bad.png", bytes);
    const auto picture = read_picture(path, 3);
    ASSERT_FALSE(picture.ok()) << bytes.size();
    EXPECT_EQ(picture.status().code(), StatusCode::InvalidFile);
    EXPECT_NE(picture.status().message().find(path), std::string::npos) << picture.status().message();
    EXPECT_EQ(picture.status().message().find('\n'), std::string::npos);
  }
}

TEST(Picture, NoTruncationCrashes) {
  const TemporaryFolder folder;
  ASSERT_TRUE(write_png(folder.file("good.png"), pattern(9, 9, 1)).ok());
  for (const Bytes& whole : {read_bytes(folder.file("good.png")), grey_jpeg()}) {
    for (std::size_t size = 0; size < whole.size(); ++size) {
      const auto picture = read_picture(
          folder.write("cut", Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size))), 1);
      if (picture.ok()) {
        EXPECT_EQ(picture->pixels.size(), picture->height * picture->width);
      }
    }
  }
}

/// A segment DHT of one AC table whose codes of 9 and 10 bits are so many each.
Bytes huffman_tables(std::uint8_t nine, std::uint8_t ten) {
  const std::size_t symbols = std::size_t{nine} + ten, length = 2 + 17 + symbols;
  Bytes segment{0xff, 0xc4, static_cast<std::uint8_t>(length >> 8U), static_cast<std::uint8_t>(length), 0x11};
  Bytes counts(16, 0);
  counts[8] = nine;
  counts[9] = ten;
  segment.insert(segment.end(), counts.begin(), counts.end());
  segment.resize(segment.size() + symbols, 0);
  return segment;
}

Bytes with(Bytes file, std::size_t at, const std::vector<Bytes>& parts) {
  for (const Bytes& part : parts) {
    file.insert(file.begin() + static_cast<std::ptrdiff_t>(at), part.begin(), part.end());
    at += part.size();
  }
  return file;
}

// stb_image 2.27 writes such tables behind the end of its own.
TEST(Picture, AHuffmanTableOfTooManySymbolsIsRefused) {
  const TemporaryFolder folder;
  const Bytes good = grey_jpeg();
  const std::size_t scan_end = good.size() - 2;
  const auto message_of = [&](const Bytes& file) {
    return read_picture(folder.write("p.jpg", file), 1).status().message();
  };
  ASSERT_EQ(message_of(good), "");
  const Bytes largest = huffman_tables(255, 1), bad = huffman_tables(255, 2);
  EXPECT_EQ(message_of(with(good, 2, {largest})), "");
  const Bytes comment{0xff, 0xfe, 0x00, 0x06, 0xff, 0xd9, 0xff, 0xc4}, filling{0xff, 0xff};
  Bytes second = huffman_tables(1, 0);  // the segment's second table
  second.insert(second.end(), bad.begin() + 4, bad.end());
  second[2] = static_cast<std::uint8_t>((second.size() - 2) >> 8U);
  second[3] = static_cast<std::uint8_t>(second.size() - 2);
  Bytes short_of = bad;  // the length ends before the symbols do
  short_of[2] = 0, short_of[3] = 19;
  const Bytes cut(bad.begin(), bad.begin() + 15);  // the file ends within the counts
  const Bytes restart{0xff, 0xd0, 0x12, 0xff, 0x00, 0x34};
  const std::pair<const char*, Bytes> refused[] = {
      {"in front", with(good, 2, {bad})},
      {"behind padding", with(good, 2, {{0x00, 0x17}, bad})},
      {"behind filling", with(good, 2, {filling, bad})},
      {"behind a comment that looks like an end", with(good, 2, {comment, bad})},
      {"second table", with(good, 2, {second})},
      {"longer than its segment", with(good, 2, {short_of})},
      {"cut", with(Bytes(good.begin(), good.begin() + 2), 2, {cut})},
      {"behind a scan", with(good, scan_end, {bad})},
      {"behind restarts", with(good, scan_end, {restart, comment, bad})},
  };
  for (const auto& [what, file] : refused)
    EXPECT_NE(message_of(file).find("more than 256 symbols"), std::string::npos) << what;
  EXPECT_EQ(message_of(with(good, 2, {comment})), "");
  EXPECT_EQ(message_of(with(good, good.size(), {bad})), "") << "behind the end nobody reads";
}

void append_chunk(Bytes& png, const char* type, const Bytes& data) {
  const auto number = [&](std::size_t value) {
    for (const unsigned shift : {24U, 16U, 8U, 0U}) png.push_back(static_cast<std::uint8_t>(value >> shift));
  };
  number(data.size());
  const std::size_t checked = png.size();
  png.insert(png.end(), type, type + 4);
  png.insert(png.end(), data.begin(), data.end());
  number(::crc32(0, png.data() + checked, static_cast<unsigned>(png.size() - checked)));
}

Bytes png_file(const Bytes& header, const Bytes& palette, const Bytes& rows) {
  Bytes packed(::compressBound(rows.size()));
  auto size = static_cast<uLongf>(packed.size());
  EXPECT_EQ(::compress(packed.data(), &size, rows.data(), rows.size()), Z_OK);
  packed.resize(size);
  Bytes png{0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
  append_chunk(png, "IHDR", header);
  if (!palette.empty()) append_chunk(png, "PLTE", palette);
  append_chunk(png, "IDAT", packed);
  append_chunk(png, "IEND", {});
  return png;
}

/// One grey pixel of 8 bits whose data inflate to so many bytes of 0.
Bytes one_pixel_png(std::size_t inflated) {
  return png_file({0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0}, {}, Bytes(inflated, 0));
}

TEST(Picture, APngThatInflatesBeyondItsPixelsIsRefused) {
  const auto good = decode_with_stb(one_pixel_png(2), 1);
  ASSERT_TRUE(good.ok()) << good.status().message();
  EXPECT_EQ(good->pixels, Bytes{0});
  const Bytes bomb = one_pixel_png(std::size_t{1} << 26);
  EXPECT_LT(bomb.size(), 100000U);
  EXPECT_EQ(decode_with_stb(bomb, 1).status().code(), StatusCode::InvalidFile);
}

/// Four pixels in a row, of 8 bits each, that look up a palette.
Bytes palette_png(const Bytes& palette, const Bytes& pixels) {
  Bytes row{0};  // no filter
  row.insert(row.end(), pixels.begin(), pixels.end());
  return png_file({0, 0, 0, 4, 0, 0, 0, 1, 8, 3, 0, 0, 0}, palette, row);
}

// stb_image looks them up all the same, in what lies on the stack.
TEST(Picture, PixelsBeyondAShortPaletteAreBlack) {
  const Bytes two{10, 20, 30, 40, 50, 60};
  const Bytes file = palette_png(two, {1, 2, 255, 0});
  for (int trial = 0; trial < 3; ++trial) {
    ASSERT_TRUE(decode_with_stb(grey_jpeg(), 1).ok());  // leaves something there
    const auto picture = decode_with_stb(file, 3);
    ASSERT_TRUE(picture.ok()) << picture.status().message();
    EXPECT_EQ(picture->pixels, (Bytes{40, 50, 60, 0, 0, 0, 0, 0, 0, 10, 20, 30}));
  }
}

TEST(Picture, OtherPalettesAreLeftAsTheyAre) {
  Bytes whole(768);
  for (std::size_t i = 0; i < whole.size(); ++i) whole[i] = static_cast<std::uint8_t>(i);
  const auto picture = decode_with_stb(palette_png(whole, {1, 2, 255, 0}), 3);
  ASSERT_TRUE(picture.ok()) << picture.status().message();
  EXPECT_EQ(picture->pixels, (Bytes{3, 4, 5, 6, 7, 8, 253, 254, 255, 0, 1, 2}));
  for (const std::size_t size : {1U, 5U, 769U, 771U})
    EXPECT_EQ(decode_with_stb(palette_png(Bytes(size, 7), {0, 0, 0, 0}), 3).status().code(),
              StatusCode::InvalidFile)
        << size;
}

// stb_image 2.27 decodes them all the same, from what lies in memory.
TEST(Picture, AJpegWithoutAScanOrTablesIsRefused) {
  const TemporaryFolder folder;
  const Bytes no_scan{0xff, 0xd8, 0xff, 0xc0, 0x00, 0x0b, 0x08, 0x00, 0x10,
                      0x00, 0x10, 0x01, 0x01, 0x11, 0x00, 0xff, 0xd9};
  const auto message_of = [&](const Bytes& file) {
    return read_picture(folder.write("p.jpg", file), 1).status().message();
  };
  EXPECT_NE(message_of(no_scan).find("without a scan"), std::string::npos) << message_of(no_scan);
  Bytes no_tables = grey_jpeg();
  const Bytes begin{0xff, 0xc4};
  const auto first = std::search(no_tables.begin(), no_tables.end(), begin.begin(), begin.end());
  no_tables.erase(first, first + 2 * 22);  // both segments
  EXPECT_NE(message_of(no_tables).find("without Huffman tables"), std::string::npos) << message_of(no_tables);
}

TEST(Picture, NoDamageCrashes) {
  constexpr unsigned kSeed = 20;
  std::mt19937 random(kSeed);
  const TemporaryFolder folder;
  ASSERT_TRUE(write_png(folder.file("good.png"), pattern(9, 9, 1)).ok());
  const Bytes palette = palette_png({1, 2, 3, 4, 5, 6}, {0, 1, 0, 1});
  for (const Bytes& whole : {read_bytes(folder.file("good.png")), palette, grey_jpeg()}) {
    for (int trial = 0; trial < 3000; ++trial) {
      Bytes file = whole;
      for (unsigned changes = 1 + random() % 4; changes > 0; --changes)
        file[random() % file.size()] = static_cast<std::uint8_t>(random());
      const auto described = describe_with_stb(file);
      if (!described.ok() || described->height * described->width > 10000) continue;  // only slow
      const auto picture = decode_with_stb(file, 1);
      if (picture.ok()) {
        EXPECT_EQ(picture->pixels.size(), picture->height * picture->width) << trial;
      }
    }
  }
}

TEST(Picture, BadRequestsAreErrors) {
  const TemporaryFolder folder;
  EXPECT_EQ(read_picture(folder.file("missing.png"), 1).status().code(), StatusCode::NotFound);
  EXPECT_EQ(read_picture(folder.path(), 1).status().code(), StatusCode::InvalidArgument);
  EXPECT_EQ(read_picture(folder.file("missing.png"), 4).status().code(), StatusCode::Unsupported);
  EXPECT_EQ(write_png(folder.file("x.png"), {2, 2, 1, Bytes(3)}).code(), StatusCode::InvalidArgument);
  EXPECT_EQ(write_png(folder.file("x.png"), {2, 2, 4, Bytes(16)}).code(), StatusCode::InvalidArgument);
  EXPECT_FALSE(write_png(folder.file("no/such/folder.png"), flat(2, 2, 1)).ok());
  EXPECT_EQ(fit_picture(flat(2, 2, 1), 0, 5, Fit::Resize).status().code(), StatusCode::InvalidArgument);
  EXPECT_EQ(fit_picture({0, 0, 1, {}}, 5, 5, Fit::Resize).status().code(), StatusCode::InvalidArgument);
}

TEST(FitPicture, SameSizeChangesNothing) {
  const Picture picture = pattern(7, 11, 3);
  for (const Fit fit : {Fit::Resize, Fit::CenterCrop}) {
    const auto fitted = fit_picture(picture, 7, 11, fit);
    ASSERT_TRUE(fitted.ok());
    EXPECT_EQ(fitted->pixels, picture.pixels);
  }
}

TEST(FitPicture, FlatStaysFlatAtAnySize) {
  for (const std::size_t height : {1, 2, 13, 28, 97}) {
    for (const std::size_t width : {1, 3, 28, 64}) {
      for (const Fit fit : {Fit::Resize, Fit::CenterCrop}) {
        const auto fitted = fit_picture(flat(31, 17, 201), height, width, fit);
        ASSERT_TRUE(fitted.ok());
        EXPECT_EQ(fitted->pixels, Bytes(height * width, 201)) << height << "x" << width;
      }
    }
  }
}

TEST(FitPicture, HalvingAveragesAndEnlargingInterpolates) {
  // A checkerboard of single pixels is grey from afar: every source pixel counts.
  Picture checkers{8, 8, 1, Bytes(64)};
  for (std::size_t i = 0; i < 64; ++i) checkers.pixels[i] = (i / 8 + i) % 2 == 0 ? 0 : 200;
  const auto half = fit_picture(checkers, 4, 4, Fit::Resize);
  ASSERT_TRUE(half.ok());
  for (const std::uint8_t pixel : half->pixels) EXPECT_NEAR(pixel, 100, 13);
  const auto twice = fit_picture({1, 2, 1, {0, 100}}, 1, 4, Fit::Resize);
  ASSERT_TRUE(twice.ok());
  EXPECT_EQ(twice->pixels, (Bytes{0, 25, 75, 100}));
}

TEST(FitPicture, CenterCropKeepsTheMiddleAndTheAspect) {
  Picture wide{2, 6, 1, {10, 20, 30, 40, 50, 60, 10, 20, 30, 40, 50, 60}};
  const auto cropped = fit_picture(wide, 2, 2, Fit::CenterCrop);
  ASSERT_TRUE(cropped.ok());
  EXPECT_EQ(cropped->pixels, (Bytes{30, 40, 30, 40}));
  const auto resized = fit_picture(wide, 2, 2, Fit::Resize);
  ASSERT_TRUE(resized.ok());
  EXPECT_LT(resized->pixels[0], 30);
  EXPECT_GT(resized->pixels[1], 40);
}

TEST(FitPicture, ChannelsStayApart) {
  const auto fitted = fit_picture({1, 1, 3, {1, 2, 3}}, 2, 2, Fit::Resize);
  ASSERT_TRUE(fitted.ok());
  EXPECT_EQ(fitted->pixels, (Bytes{1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3}));
}

}  // namespace
}  // namespace bitplane::engine::data
