// What every subcommand gets beside its own options: the global options, the stop flag, and the
// settings and targets that follow from them.
#pragma once

#include <filesystem>
#include <string>

namespace pantryd {

class StopFlag;
struct Settings;
struct TargetSettings;

namespace pg {
class Conninfo;
}

namespace cli {

struct Context {
  std::filesystem::path config_file;  ///< empty: the default path, if it exists
  std::string dsn;                    ///< of --dsn; empty: the configuration's first target
  bool json = false;
  bool progress = false;           ///< standard error is a terminal
  const StopFlag* stop = nullptr;  ///< set by SIGINT and SIGTERM
};

inline constexpr const char* kDefaultConfig = "/etc/pantryd/pantryd.yaml";

/// --config, else --dsn alone, else the default file. Throws Error(usage).
[[nodiscard]] Settings load_settings(const Context& context);

/// The server that a command with one target uses: --dsn, with the pool of --config if both are
/// given, else the first target of the configuration. Throws Error(usage) if there is neither.
[[nodiscard]] TargetSettings target_settings(const Context& context);
[[nodiscard]] pg::Conninfo target(const Context& context);

}  // namespace cli
}  // namespace pantryd
