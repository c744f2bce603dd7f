#include "sandbox/sandbox.h"

#include <fmt/format.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "cli/subcommands.h"

namespace pantryd::cli {
namespace {

std::string default_dir() {
  return (std::filesystem::temp_directory_path() / fmt::format("pantryd-sandbox-{}", ::geteuid()))
      .string();
}

po::options_description dir_option() {
  po::options_description options("Options");
  options.add_options()("dir", po::value<std::string>()->default_value(default_dir()),
                        "folder of the sandbox");
  return options;
}

}  // namespace

int run_sandbox_up(const Context& context, const Arguments& arguments) {
  auto options = dir_option();
  options.add_options()("port", po::value<std::uint16_t>()->default_value(0),
                        "of the primary, the standby's is the next one; 0 picks a free pair")(
      "postgres", po::value<std::string>()->default_value(""),
      "folder of initdb and postgres; default: the newest installed")(
      "no-standby", "leave out the standby")("no-backups", "leave out the backups");
  const auto values =
      parse("sandbox up [--dir DIR] [--port P] [--postgres BINDIR]", options, {}, arguments);
  if (!values) return 0;
  SandboxOptions wanted;
  wanted.dir = (*values)["dir"].as<std::string>();
  wanted.port = (*values)["port"].as<std::uint16_t>();
  wanted.bin_dir = (*values)["postgres"].as<std::string>();
  wanted.standby = values->count("no-standby") == 0;
  wanted.backups = values->count("no-backups") == 0;
  const auto sandbox = Sandbox::up(wanted, context.stop);
  fmt::print("The sandbox runs in {}\nprimary={}\n", sandbox.dir().string(),
             sandbox.primary().reveal());
  if (wanted.standby) fmt::print("standby={}\n", sandbox.standby().reveal());
  return 0;
}

int run_sandbox_down(const Context&, const Arguments& arguments) {
  const auto values = parse("sandbox down [--dir DIR]", dir_option(), {}, arguments);
  if (!values) return 0;
  const auto dir = (*values)["dir"].as<std::string>();
  const bool was_there = Sandbox::down(dir);
  fmt::print("{} {}\n", was_there ? "Removed the sandbox" : "There is no sandbox in", dir);
  return 0;
}

int run_sandbox_status(const Context& context, const Arguments& arguments) {
  const auto values = parse("sandbox status [--dir DIR]", dir_option(), {}, arguments);
  if (!values) return 0;
  const auto dir = (*values)["dir"].as<std::string>();
  const auto status = Sandbox::status(dir);
  const auto pid_of = [](const std::optional<pid_t>& pid) { return pid ? int{*pid} : 0; };
  if (context.json) {
    const nlohmann::json json{{"format", "pantryd.sandbox-status"},
                              {"version", 1},
                              {"dir", dir},
                              {"state", to_string(status.state)},
                              {"port", status.port},
                              {"primary_pid", pid_of(status.primary_pid)},
                              {"standby_pid", pid_of(status.standby_pid)}};
    fmt::print("{}\n", json.dump(2));
  } else if (status.state == SandboxState::absent) {
    fmt::print("There is no sandbox in {}\n", dir);
  } else {
    fmt::print("{} is {}: PostgreSQL {}, primary on port {} ({}), standby on port {} ({})\n", dir,
               to_string(status.state), status.version, status.port,
               status.primary_pid ? fmt::format("pid {}", *status.primary_pid) : "not running",
               status.port + 1,
               status.standby_pid ? fmt::format("pid {}", *status.standby_pid) : "not running");
  }
  return static_cast<int>(status.state == SandboxState::running ? ExitCode::ok : ExitCode::failed);
}

int run_sandbox_backup(const Context& context, const Arguments& arguments) {
  const auto values = parse("sandbox backup [--dir DIR]", dir_option(), {}, arguments);
  if (!values) return 0;
  auto sandbox = Sandbox::open((*values)["dir"].as<std::string>());
  sandbox.back_up(context.stop);
  fmt::print("Backups are in {}\n", (sandbox.dir() / "backups").string());
  return 0;
}

}  // namespace pantryd::cli
