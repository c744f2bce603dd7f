// Where a server is and how to log in: a libpq connection string that never shows its password.
// Source: PostgreSQL manual, "Connection Strings" and "Parameter Key Words" of libpq.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace pantryd::pg {

class Conninfo {
 public:
  /// Takes both forms, "host=... dbname=..." and "postgresql://...".
  /// Throws Error(usage) for a malformed one, and for one that can never work: ports or addresses
  /// that do not fit the list of hosts, unknown words. The message never repeats the text.
  [[nodiscard]] static Conninfo parse(std::string_view text);

  /// The value, or empty when the keyword was not given.
  [[nodiscard]] std::string get(const std::string& keyword) const;
  /// A copy with the keyword set; an empty value removes it.
  [[nodiscard]] Conninfo with(const std::string& keyword, std::string value) const;

  /// "host=db1 port=5432 dbname=shop user=app": safe to print; secrets are left out.
  [[nodiscard]] std::string display() const;
  /// "db1:5432": the host part of display().
  [[nodiscard]] std::string host_port() const;
  /// reveal() with "***" in place of each secret: complete, and safe to print.
  [[nodiscard]] std::string masked() const;
  /// The connection string with its secrets, for a child process that must log in. Never print it.
  [[nodiscard]] std::string reveal() const;

  /// `text` with every secret of this conninfo replaced by "***".
  [[nodiscard]] std::string mask(std::string text) const;

  [[nodiscard]] const std::map<std::string, std::string>& values() const { return values_; }
  friend bool operator==(const Conninfo&, const Conninfo&) = default;

 private:
  std::map<std::string, std::string> values_;  ///< keyword to value, given ones only
};

/// Replaces what looks like a password in free text: password=..., and user:...@ of a URI.
[[nodiscard]] std::string mask_secrets(std::string_view text);

}  // namespace pantryd::pg
