// The sandbox up command: makes a private PostgreSQL and prints how to connect to it.
#include <fmt/format.h>

#include "cli/command.h"
#include "cli/sandbox_options.h"
#include "sandbox/sandbox.h"

namespace pantryd::cli {
namespace {

int run_sandbox_up(const Context& context, const Values& values) {
  SandboxOptions wanted;
  wanted.dir = sandbox_dir(values);
  wanted.port = static_cast<std::uint16_t>(values.count("port"));
  wanted.bin_dir = values.text("postgres");
  wanted.standby = !values.flag("no-standby");
  wanted.backups = !values.flag("no-backups");
  const auto sandbox = Sandbox::up(wanted, context.stop);
  fmt::print("The sandbox runs in {}\nprimary={}\n", sandbox.dir().string(),
             sandbox.primary().reveal());
  if (wanted.standby) fmt::print("standby={}\n", sandbox.standby().reveal());
  return 0;
}

std::vector<Option> up_options() {
  return concat({sandbox_options(),
                 {count("port", "PORT", "0", {0, 65534},
                        "port of the primary, the standby has the next one; 0 chooses a free pair"),
                  text("postgres", "BINDIR", "",
                       "folder with initdb and postgres; default: the newest version installed"),
                  flag("no-standby", "start no standby"), flag("no-backups", "make no backups")}});
}

}  // namespace

Command sandbox_up_command() {
  return {.name = "sandbox up",
          .summary = "start a private primary, standby, archive and backups",
          .usage = "[--dir DIR] [--port PORT] [--postgres BINDIR]",
          .options = up_options(),
          .examples = {"pantryd sandbox up --dir /var/tmp/shop --port 6543"},
          .exits = {},
          .run = run_sandbox_up};
}

}  // namespace pantryd::cli
