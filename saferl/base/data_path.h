#pragma once
// Where the project's data files are: robots, scenarios, people, models.
//
// Searched in order: $SAFERL_DATA, the source tree this program was built from, share/saferl beside
// the program's bin/ folder. RT: no. Errors: kNotFound naming every place that was tried.

#include <string>
#include <string_view>
#include <vector>

#include "saferl/base/status.h"

namespace saferl {

/// The folders that are searched, first one first. Only existing ones.
std::vector<std::string> DataFolders();

/// Full path of data/<relative>, e.g. FindData("robots/wheelchair.yaml").
StatusOr<std::string> FindData(std::string_view relative);

/// A name or a path: "wheelchair" with folder "robots" and extension ".yaml" gives
/// data/robots/wheelchair.yaml; a text with a '/' or the extension is a path of the user's and is
/// returned when the file exists.
StatusOr<std::string> FindNamed(std::string_view name_or_path, std::string_view folder,
                                std::string_view extension);

/// Names available in data/<folder> with that extension, sorted.
std::vector<std::string> ListNames(std::string_view folder, std::string_view extension);

}  // namespace saferl
