// Reads the configuration file into settings and writes settings as a file, both by the table of
// keys; it keeps nothing.
#include "settings/settings.h"

#include "base/file.h"
#include "settings/rows.h"

namespace pantryd {
namespace {

constexpr std::size_t kConfigLimitBytes = 4U << 20U;
constexpr std::size_t kPasswordLimitBytes = 64U << 10U;

pg::Conninfo with_password(const pg::Conninfo& dsn, const std::filesystem::path& password_file) {
  if (password_file.empty()) return dsn;
  return dsn.with("password", one_line(read_file(password_file, kPasswordLimitBytes)));
}

}  // namespace

pg::Conninfo TargetSettings::login() const {
  return with_password(dsn, password_file);
}

pg::Conninfo PgBouncerSettings::login() const {
  return with_password(dsn, password_file);
}

Settings Settings::parse(const std::string& text, const std::string& source_name) {
  std::vector<std::string> warnings;
  Reading reading{warnings, {}};
  auto out = read_section<Settings>(YamlValue::parse(text, source_name), reading);
  out.warnings = std::move(warnings);
  return out;
}

Settings Settings::load(const std::filesystem::path& file) {
  return parse(read_file(file, kConfigLimitBytes), file.string());
}

Settings Settings::for_single_target(pg::Conninfo dsn) {
  Settings out;
  TargetSettings target;
  target.name = "main";
  target.dsn = std::move(dsn);
  out.targets.push_back(std::move(target));
  return out;
}

std::string Settings::show() const {
  std::string out;
  for (const auto& line : write_rows(*this, pool)) out += line + "\n";
  return out;
}

bool operator==(const Settings& a, const Settings& b) {
  const auto& rows = rows_of(static_cast<const Settings*>(nullptr));
  return std::all_of(rows.begin(), rows.end(), [&](const auto& row) { return row.same(a, b); });
}

}  // namespace pantryd
