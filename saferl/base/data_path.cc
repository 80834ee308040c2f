#include "saferl/base/data_path.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "saferl/base/text.h"

namespace saferl {
namespace {

namespace fs = std::filesystem;

bool IsFolder(const std::string& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

bool IsFile(const std::string& path) {
  std::error_code ignored;
  return fs::exists(path, ignored) && !fs::is_directory(path, ignored);
}

std::string BesideTheProgram() {
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  if (error) return "";
  return (program.parent_path().parent_path() / "share" / "saferl").string();
}

}  // namespace

std::vector<std::string> DataFolders() {
  std::vector<std::string> folders;
  const char* from_environment = std::getenv("SAFERL_DATA");
  for (const std::string& folder :
       {std::string(from_environment == nullptr ? "" : from_environment),
        std::string(SAFERL_SOURCE_DATA), BesideTheProgram()}) {
    if (!folder.empty() && IsFolder(folder)) folders.push_back(folder);
  }
  return folders;
}

StatusOr<std::string> FindData(std::string_view relative) {
  const std::vector<std::string> folders = DataFolders();
  for (const std::string& folder : folders) {
    std::string path = Cat(folder, "/", relative);
    if (IsFile(path) || IsFolder(path)) return path;
  }
  return absl::NotFoundError(Cat(relative, ": not found in ",
                                 folders.empty() ? "any data folder" : Join(folders, ", "),
                                 "; set SAFERL_DATA to the project's data folder"));
}

StatusOr<std::string> FindNamed(std::string_view name_or_path, std::string_view folder,
                                std::string_view extension) {
  if (name_or_path.contains('/') || name_or_path.ends_with(extension)) {
    std::string path(name_or_path);
    if (IsFile(path)) return path;
    return absl::NotFoundError(Cat(path, ": no such file; check the path"));
  }
  StatusOr<std::string> found = FindData(Cat(folder, "/", name_or_path, extension));
  if (found.ok()) return found;
  const std::vector<std::string> names = ListNames(folder, extension);
  return absl::NotFoundError(Cat("'", name_or_path, "': not in ", folder,
                                 "; known: ", names.empty() ? "none" : Join(names, ", "),
                                 "; or give the path of a file"));
}

std::vector<std::string> ListNames(std::string_view folder, std::string_view extension) {
  std::vector<std::string> names;
  for (const std::string& root : DataFolders()) {
    std::error_code error;
    fs::directory_iterator entries(fs::path(root) / folder, error), end;
    if (error) continue;
    for (; entries != end; entries.increment(error)) {
      const std::string name = entries->path().filename().string();
      if (name.ends_with(extension))
        names.push_back(name.substr(0, name.size() - extension.size()));
      if (error) break;
    }
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

}  // namespace saferl
