// Pairs the names in Knex's tables with the files here: by number and by what follows it.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <set>

#include "migrate/adopt/adopt.h"

namespace pantryd::migrate {
namespace {

struct NumberedName {
  std::int64_t version = 0;
  std::string slug;  ///< what follows the digits, its underscore included
};

std::optional<NumberedName> read_name(std::string_view name) {
  constexpr std::array<std::string_view, 5> kSuffixes{".js", ".cjs", ".mjs", ".ts", ".sql"};
  for (const auto suffix : kSuffixes) {
    if (name.size() <= suffix.size() || name.substr(name.size() - suffix.size()) != suffix) {
      continue;
    }
    name.remove_suffix(suffix.size());
    break;
  }
  NumberedName out;
  const char* end = name.data() + name.size();
  const auto [digits_end, failure] = std::from_chars(name.data(), end, out.version);
  if (failure != std::errc{} || name.front() == '-') return std::nullopt;
  out.slug.assign(digits_end, end);
  return out;
}

void warn_of_rows(const std::vector<Adopted>& in_order, std::vector<std::string>& warnings) {
  std::int64_t newest = -1;
  for (const auto& each : in_order) {
    if (!each.knex.time) {
      warnings.push_back(fmt::format("Knex did not record when it ran {}", each.knex.name));
    }
    if (each.file.version < newest) {
      warnings.push_back(fmt::format("Knex ran {} after a higher number", each.knex.name));
    }
    newest = std::max(newest, each.file.version);
  }
}

}  // namespace

KnexMatch match(const std::vector<KnexRow>& rows, const std::vector<Migration>& files) {
  KnexMatch out;
  std::map<std::int64_t, const Migration*> by_version;
  for (const auto& file : files) {
    if (file.kind == Kind::versioned) by_version[file.version] = &file;
  }
  std::set<std::int64_t> taken;
  for (const auto& row : rows) {
    const auto name = read_name(row.name);
    const auto at = name ? by_version.find(name->version) : by_version.end();
    const auto* file = at == by_version.end() ? nullptr : at->second;
    if (file == nullptr || read_name(file->name)->slug != name->slug) {
      out.unmatched.push_back(row.name.empty() ? fmt::format("row {} without a name", row.id)
                                               : row.name);
      if (file != nullptr) {
        out.warnings.push_back(
            fmt::format("{} has the number of {}.sql and another name", row.name, file->name));
      }
    } else if (taken.insert(file->version).second) {
      out.adopted.push_back({*file, row});
    } else {
      out.warnings.push_back(
          fmt::format("Knex recorded {} a second time (id {})", row.name, row.id));
    }
  }
  warn_of_rows(out.adopted, out.warnings);
  for (const auto& file : files) {
    if (file.kind == Kind::versioned && taken.count(file.version) > 0) continue;
    out.pending.push_back(file.name);
    if (file.kind == Kind::versioned && !taken.empty() && file.version < *taken.rbegin()) {
      out.warnings.push_back(
          fmt::format("a gap: Knex ran later ones than {}, and not that", file.name));
    }
  }
  std::sort(out.adopted.begin(), out.adopted.end(),
            [](const auto& a, const auto& b) { return a.file.version < b.file.version; });
  return out;
}

}  // namespace pantryd::migrate
