// Files that are compiled into the binary: it needs nothing beside it to do its work.
#pragma once

#include <span>
#include <string_view>

namespace pantryd {

struct EmbeddedFile {
  std::string_view name;     ///< path below the folder it came from, e.g. "001_create_users.sql"
  std::string_view content;  ///< byte for byte
};

namespace embedded {

/// Each list is sorted by name.
[[nodiscard]] std::span<const EmbeddedFile> migrations();  ///< migrations/*.sql
[[nodiscard]] std::span<const EmbeddedFile> probes();      ///< probes/*.yaml
[[nodiscard]] std::span<const EmbeddedFile> config();  ///< config/*.yaml, config/workloads/*.yaml
[[nodiscard]] std::span<const EmbeddedFile> html();    ///< daemon/html/*.css

}  // namespace embedded
}  // namespace pantryd
