// What is known of a server and of one of its databases before its probes run.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>

namespace pantryd::probes {

/// An extension that the database has (pg_extension).
struct Extension {
  std::string schema;  ///< as an identifier in SQL, quoted where it must be
  int version = 0;     ///< 1.10 is 1010; 0: not of this form
};
/// pg_upgrade and new packages leave it as it was, so it says more of its columns than the
/// server's.
[[nodiscard]] int parse_extension_version(std::string_view text);

struct TargetFacts {
  bool is_standby = false;
  int server_version = 0;  ///< such as 150018
  std::string database;
  std::map<std::string, Extension> extensions;  ///< of this database, by name
  std::set<std::string> rights;                 ///< predefined roles that ours is a member of
  [[nodiscard]] int major() const { return server_version / 10'000; }
  /// Null when the database has no such extension.
  [[nodiscard]] const Extension* extension(const std::string& name) const {
    const auto found = extensions.find(name);
    return found == extensions.end() ? nullptr : &found->second;
  }
};

}  // namespace pantryd::probes
