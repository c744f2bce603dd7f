// The sandbox status command: whether the private PostgreSQL runs, as text or JSON.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "cli/command.h"
#include "cli/sandbox_options.h"
#include "sandbox/sandbox.h"

namespace pantryd::cli {
namespace {

std::string process_text(const std::optional<pid_t>& pid) {
  return pid ? fmt::format("pid {}", *pid) : "not running";
}

void print_status_json(const std::string& dir, const SandboxStatus& status) {
  const auto pid_of = [](const std::optional<pid_t>& pid) { return pid ? int{*pid} : 0; };
  const nlohmann::json json{{"format", "pantryd.sandbox-status"},
                            {"version", 1},
                            {"dir", dir},
                            {"state", to_string(status.state)},
                            {"port", status.port},
                            {"primary_pid", pid_of(status.primary_pid)},
                            {"standby_pid", pid_of(status.standby_pid)}};
  fmt::print("{}\n", json.dump(2));
}

int run_sandbox_status(const Context& context, const Values& values) {
  const auto dir = sandbox_dir(values);
  const auto status = Sandbox::status(dir);
  if (context.json) {
    print_status_json(dir, status);
  } else if (status.state == SandboxState::absent) {
    fmt::print("There is no sandbox in {}\n", dir);
  } else {
    fmt::print("{} is {}: PostgreSQL {}, primary on port {} ({}), standby on port {} ({})\n", dir,
               to_string(status.state), status.version, status.port,
               process_text(status.primary_pid), status.port + 1, process_text(status.standby_pid));
  }
  return static_cast<int>(status.state == SandboxState::running ? ExitCode::ok : ExitCode::failed);
}

}  // namespace

Command sandbox_status_command() {
  return {.name = "sandbox status",
          .summary = "print whether the private PostgreSQL runs",
          .usage = "[--dir DIR] [--json]",
          .options = sandbox_options(),
          .examples = {"pantryd sandbox status --dir /var/tmp/shop"},
          .exits = {{0, "it runs"}, {1, "it does not exist, or a part of it does not run"}},
          .run = run_sandbox_status};
}

}  // namespace pantryd::cli
