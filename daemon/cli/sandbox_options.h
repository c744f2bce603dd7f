// The folder of the sandbox, which every sandbox command takes.
#pragma once

#include <string>
#include <vector>

#include "cli/options.h"

namespace pantryd::cli {

/// --dir.
[[nodiscard]] std::vector<Option> sandbox_options();
/// --dir, else this user's folder in the folder for temporary files.
[[nodiscard]] std::string sandbox_dir(const Values& values);

}  // namespace pantryd::cli
