// A migration file as lint reads it: the up section and the header options that matter here. Kept
// apart from files/migration.h because lint has to read what the runner refuses.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "migrate/files/header.h"

namespace pantryd::migrate {

struct LintFile {
  std::string name;  ///< as it is shown
  std::string sql;   ///< the up section, every line where it stands in the file
  bool in_transaction = true;
  std::vector<Allowance> allows;
};

/// A file without section marks is one up section. Throws Error(usage) that names file and line:
/// an allow without a rule that exists, without a reason, or below a statement.
[[nodiscard]] LintFile read_lint_file(const std::string& name, std::string_view text);

}  // namespace pantryd::migrate
