// SPDX-License-Identifier: Apache-2.0
#include "engine/data/class_folder.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <limits>
#include <system_error>
#include <utility>

#include "engine/data/file_bytes.h"
#include "engine/data/stb.h"
#include "engine/src/io/sha256.h"

namespace bitplane::engine::data {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kMaxClasses = std::numeric_limits<std::uint16_t>::max();
constexpr std::size_t kMaxPictureBytes = std::size_t{1} << 28;
constexpr std::size_t kMaxMemory = std::size_t{1} << 33;
constexpr double kScaledSide = 256.0, kCutSide = 224.0;

Status bad_folder(const fs::path& path, const std::string& what) {
  return {StatusCode::InvalidFile, path.string() + ": " + what};
}

bool is_picture_name(const fs::path& path) {
  std::string ending = path.extension().string();
  for (char& c : ending) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return ending == ".png" || ending == ".jpg" || ending == ".jpeg";
}

/// Names in a folder, sorted; hidden ones left out.
Result<std::vector<std::string>> names_in(const fs::path& folder) {
  std::error_code error;
  std::vector<std::string> names;
  fs::directory_iterator entry(folder, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    std::string name = entry->path().filename().string();
    if (!name.starts_with('.')) names.push_back(std::move(name));
  }
  if (error) return Status(StatusCode::IoError, folder.string() + ": " + error.message());
  std::sort(names.begin(), names.end());
  return names;
}

/// DIR/train; DIR/test or else DIR/val. Nothing where there is none.
fs::path split_folder(const std::string& dir, Split split) {
  std::error_code ignored;
  for (const char* name : {"train", "test", "val"}) {
    if ((std::string_view(name) == "train") != (split == Split::Train)) continue;
    if (fs::is_directory(fs::path(dir) / name, ignored)) return fs::path(dir) / name;
  }
  return {};
}

Result<std::vector<std::string>> classes_in(const fs::path& folder) {
  auto names = names_in(folder);
  if (!names.ok()) return names.status();
  std::error_code ignored;
  for (const std::string& name : names.value()) {
    if (!fs::is_directory(folder / name, ignored))
      return bad_folder(folder / name, "found a file, expected one folder per class in " + folder.string());
  }
  if (names->size() < 2 || names->size() > kMaxClasses) {
    return bad_folder(folder, "found " + std::to_string(names->size()) +
                                  " class folders, expected at least two and at most " +
                                  std::to_string(kMaxClasses));
  }
  return names;
}

/// The classes of the training folder bind the test folder.
Result<std::vector<std::string>> classes_of(const std::string& dir, const fs::path& folder) {
  auto own = classes_in(folder);
  const fs::path train = split_folder(dir, Split::Train);
  if (!own.ok() || train.empty() || train == folder) return own;
  const auto wanted = classes_in(train);
  if (!wanted.ok()) return wanted.status();
  const auto differ = std::mismatch(own->begin(), own->end(), wanted->begin(), wanted->end());
  if (differ.first == own->end() && differ.second == wanted->end()) return own;
  const bool only_there =
      differ.first == own->end() || (differ.second != wanted->end() && *differ.second < *differ.first);
  const std::string name = only_there ? *differ.second : *differ.first;
  return bad_folder(folder, "class '" + name + "' is in " + (only_there ? train : folder).string() +
                                " but not in " + (only_there ? folder : train).string() +
                                "; both need the same class folders");
}

/// A split's files, each with its name in the digest.
class Listing {
 public:
  Status add_class(const fs::path& folder, const std::string& name) {
    const auto names = names_in(folder / name);
    if (!names.ok()) return names.status();
    if (names->empty()) return bad_folder(folder / name, "found no pictures, expected at least one");
    for (const std::string& file : names.value()) {
      std::string relative = name;
      relative.append("/").append(file);
      Status status = add_file(folder / name / file, relative);
      if (!status.ok()) return status;
      set_.labels.push_back(static_cast<std::uint16_t>(set_.class_names.size()));
    }
    set_.class_names.push_back(name);
    return {};
  }
  PictureSet finish() {
    set_.count = set_.files.size();
    set_.digest = sha_.finish();
    return std::move(set_);
  }

 private:
  Status add_file(const fs::path& path, const std::string& relative) {
    if (!is_picture_name(path)) {
      return bad_folder(path, "found a file that is no .png, .jpg or .jpeg; convert it or move it away");
    }
    set_.files.push_back(path.string());
    const std::string line = relative + "\n";
    sha_.update(std::as_bytes(std::span(line)));
    return {};
  }

  PictureSet set_;
  Sha256 sha_;
};

Result<PictureSet> list_files(const std::string& dir, Split split, std::string_view dataset) {
  const fs::path folder = split_folder(dir, split);
  if (folder.empty()) {
    const DatasetInfo* info = find_dataset(dataset);
    return Status(StatusCode::NotFound, dir + ": found no folder " +
                                            (split == Split::Train ? "train" : "test or val") + " in it; " +
                                            (info ? std::string(info->how_to_get) : ""));
  }
  const auto classes = classes_of(dir, folder);
  if (!classes.ok()) return classes.status();
  Listing listing;
  for (const std::string& name : classes.value()) {
    Status status = listing.add_class(folder, name);
    if (!status.ok()) return status;
  }
  return listing.finish();
}

/// One size for all, colour where any picture has it, from the files' headers; refused before anything is
/// decoded.
Status measure(PictureSet& set) {
  for (std::size_t i = 0; i < set.count; ++i) {
    const auto bytes = read_whole_file(set.files[i], kMaxPictureBytes);
    if (!bytes.ok()) return bytes.status();
    const auto info = describe_with_stb(bytes.value());
    if (!info.ok()) return {info.status().code(), set.files[i] + ": " + info.status().message()};
    if (i == 0) {
      set.height = info->height;
      set.width = info->width;
    }
    if (info->height != set.height || info->width != set.width) {
      return {StatusCode::InvalidFile, set.files[i] + ": found a picture of " + std::to_string(info->height) +
                                           "x" + std::to_string(info->width) + ", expected " +
                                           std::to_string(set.height) + "x" + std::to_string(set.width) +
                                           " like " + set.files[0] +
                                           "; scale them to one size, or use --data folder-224"};
    }
    set.channels = std::max(set.channels, info->channels);
  }
  if (set.picture_size() > kMaxMemory / set.count) {
    return {StatusCode::InvalidFile, std::to_string(set.count) + " pictures of " +
                                         std::to_string(set.picture_size()) +
                                         " bytes are too many to be held in memory; use --data folder-224"};
  }
  return {};
}

Result<PictureSet> load(const std::string& dir, Split split) {
  auto listed = list_files(dir, split, "folder");
  if (!listed.ok()) return listed.status();
  PictureSet set = std::move(listed).value();
  if (const Status status = measure(set); !status.ok()) return status;
  set.pixels.reserve(set.count * set.picture_size());
  for (const std::string& file : set.files) {
    const auto picture = read_picture(file, set.channels);
    if (!picture.ok()) return picture.status();
    if (picture->height != set.height || picture->width != set.width)
      return bad_folder(
          file, "it changed while the folder was read; wait until the folder is whole, and try again");
    set.pixels.insert(set.pixels.end(), picture->pixels.begin(), picture->pixels.end());
  }
  set.files.clear();
  return set;
}

}  // namespace

Result<PictureSet> load_folder(const std::string& dir, Split split) {
  return without_exceptions(dir, [&] { return load(dir, split); });
}

Result<PictureSet> list_folder_224(const std::string& dir, Split split) {
  return without_exceptions(dir, [&]() -> Result<PictureSet> {
    auto set = list_files(dir, split, "folder-224");
    if (!set.ok()) return set.status();
    set->height = set->width = kStreamedSide;
    set->channels = 3;
    return set;
  });
}

Window inference_window(const Picture& picture, std::size_t height, std::size_t width) noexcept {
  const double scale = std::min(static_cast<double>(picture.height) / static_cast<double>(height),
                                static_cast<double>(picture.width) / static_cast<double>(width)) *
                       (kCutSide / kScaledSide);
  return middle(picture, scale * static_cast<double>(height), scale * static_cast<double>(width));
}

}  // namespace bitplane::engine::data
