// SPDX-License-Identifier: Apache-2.0
#include "tools/vit-infer/folder_walk.h"

#include <dirent.h>
#include <fcntl.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string_view>

namespace vit::tool {
namespace {

using namespace std::string_view_literals;

// Formats that are not read are there too: a picture that is left out is told of, not lost.
constexpr const char* kExtensions[] = {"jpg", "jpeg", "jpe", "jfif", "png", "apng", "webp", "bmp",  "dib",  "pnm", "pgm",
                                       "ppm", "pbm",  "tga", "gif",  "tif", "tiff", "avif", "heic", "heif", "jp2", "jxl"};
constexpr std::string_view kBeginnings[] = {"\xff\xd8\xff"sv, "\x89PNG\r\n\x1a\n"sv, "RIFF"sv, "BM"sv, "P5"sv, "P6"sv, "GIF8"sv};

struct CloseFolder {
  void operator()(DIR* folder) const { closedir(folder); }
};

bool begins_as_image(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return true;  // reading it will say why
  char bytes[8] = {};
  const ssize_t got = read(fd, bytes, sizeof bytes);
  close(fd);
  const std::string_view start(bytes, got > 0 ? static_cast<size_t>(got) : 0);
  return std::any_of(std::begin(kBeginnings), std::end(kBeginnings), [&](std::string_view b) { return start.starts_with(b); });
}

enum class Name { kImage, kOther, kBare };

Name judge(const std::string& name) {
  const size_t dot = name.rfind('.');
  if (dot == std::string::npos) return Name::kBare;
  const bool image = std::any_of(std::begin(kExtensions), std::end(kExtensions),
                                 [&](const char* extension) { return strcasecmp(name.c_str() + dot + 1, extension) == 0; });
  return image ? Name::kImage : Name::kOther;
}

}  // namespace

FolderWalk::FolderWalk(std::string folder, bool recursive) : root_(std::move(folder)), recursive_(recursive) {}

std::string FolderWalk::enter(const std::string& folder) {
  const std::unique_ptr<DIR, CloseFolder> open(opendir(folder.c_str()));
  if (open == nullptr) return folder + ": the folder cannot be listed: " + std::strerror(errno);
  struct stat info;
  if (fstat(dirfd(open.get()), &info) != 0) return folder + ": the folder cannot be listed: " + std::strerror(errno);
  if (!listed_.insert({info.st_dev, info.st_ino}).second) return "";
  Level level{folder, {}};
  errno = 0;
  while (const dirent* entry = readdir(open.get()))
    if (entry->d_name[0] != '.') level.names.emplace_back(entry->d_name);
  if (errno != 0) return folder + ": the folder cannot be listed: " + std::strerror(errno);
  std::sort(level.names.begin(), level.names.end());
  levels_.push_back(std::move(level));
  return "";
}

/// Whether the entry is an input, which then is in `input`.
bool FolderWalk::visit(const std::string& path, const std::string& name, Input& input) {
  struct stat info;
  const Name kind = judge(name);
  input = {path};
  if (stat(path.c_str(), &info) != 0) {
    // What may be a folder with images is told of; a link to nowhere has its sentence when it is read.
    if (errno == ENAMETOOLONG || errno == EACCES) input.refusal = path + ": cannot be examined: " + std::strerror(errno);
    return kind == Name::kImage || !input.refusal.empty();
  }
  if (S_ISDIR(info.st_mode)) {
    if (!recursive_) ++folders_passed_;
    if (recursive_) input.refusal = enter(path);
    return !input.refusal.empty();
  }
  return S_ISREG(info.st_mode) && (kind == Name::kImage || (kind == Name::kBare && begins_as_image(path)));
}

bool FolderWalk::next(Input& input) {
  if (!began_) {
    began_ = true;
    input = {root_, enter(root_)};
    if (!input.refusal.empty()) return ++given_, true;
  }
  while (!levels_.empty()) {
    Level& level = levels_.back();
    if (level.at == level.names.size()) {
      levels_.pop_back();
      continue;
    }
    const std::string name = level.names[level.at++];
    if (visit(level.path + (level.path.ends_with('/') ? "" : "/") + name, name, input)) return ++given_, true;
  }
  if (given_++ != 0) return false;
  input = {root_,
           root_ + ": the folder has no image files" +
               (folders_passed_ == 0 ? "" : "; --recursive looks into its " + std::to_string(folders_passed_) + " subfolders")};
  return true;
}

}  // namespace vit::tool
