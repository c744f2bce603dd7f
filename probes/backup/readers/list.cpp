// The table of backup kinds. Invariant: every row has a reader and a name of its own.
#include <algorithm>
#include <array>

#include "base/assert.h"
#include "probes/backup/reader.h"
#include "probes/backup/readers/base/base_reader.h"
#include "probes/backup/readers/pg_dump/dump_reader.h"

namespace pantryd {

std::span<const BackupKind> backup_kinds() {
  static const std::array kinds{
      backup::pg_dump_kind(),
      backup::base_kind(),
  };
  for (const auto& kind : kinds) {
    PANTRYD_ASSERT(kind.make_reader != nullptr && !kind.name.empty());
    PANTRYD_ASSERT(std::count_if(kinds.begin(), kinds.end(),
                                 [&](const auto& other) { return other.name == kind.name; }) == 1);
  }
  return kinds;
}

const BackupKind* find_backup_kind(std::string_view name) {
  const auto kinds = backup_kinds();
  const auto found =
      std::find_if(kinds.begin(), kinds.end(), [&](const auto& kind) { return kind.name == name; });
  return found == kinds.end() ? nullptr : &*found;
}

std::set<std::string> backup_kind_names() {
  std::set<std::string> out;
  for (const auto& kind : backup_kinds()) out.emplace(kind.name);
  return out;
}

}  // namespace pantryd
