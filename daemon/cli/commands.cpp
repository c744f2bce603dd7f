#include <array>

#include "cli/subcommands.h"

namespace pantryd::cli {

std::span<const Command> commands() {
  static constexpr std::array list{
      Command{"check", "every probe once; exits like a Nagios plugin", run_check},
      Command{"config check", "validate the configuration file", run_config_check},
      Command{"config show", "show the settings in force, secrets left out", run_config_show},
      Command{"load compare", "tell two runs apart, or that they cannot be", run_load_compare},
      Command{"load find-max", "find the highest rate at which the response times hold",
              run_load_find_max},
      Command{"load run", "drive the grocery workload and judge its response times", run_load_run},
      Command{"metrics", "one collection to standard output, Prometheus text", run_metrics},
      Command{"migrate adopt", "take over a database that Knex made", run_migrate_adopt},
      Command{"migrate down", "undo the newest migration, or all above --to", run_migrate_down},
      Command{"migrate lint", "tell what in a migration would hurt a live database",
              run_migrate_lint},
      Command{"migrate new", "write an empty migration with the next number", run_migrate_new},
      Command{"migrate plan", "tell what up would run, and the locks it would take",
              run_migrate_plan},
      Command{"migrate status", "tell which migrations are applied and which are pending",
              run_migrate_status},
      Command{"migrate up", "apply what is pending", run_migrate_up},
      Command{"migrate verify", "tell edited, missing and late files, and changes by hand",
              run_migrate_verify},
      Command{"probes list", "tell what is watched", run_probes_list},
      Command{"probes rights", "tell what our role cannot see, and the grants that would help",
              run_probes_rights},
      Command{"probes test", "try a probe file on a server, under the daemon's guards",
              run_probes_test},
      Command{"sandbox backup", "make a base backup and dumps of the sandbox now",
              run_sandbox_backup},
      Command{"sandbox down", "stop the private PostgreSQL and remove its folder",
              run_sandbox_down},
      Command{"sandbox status", "tell whether the private PostgreSQL runs", run_sandbox_status},
      Command{"sandbox up", "make a private primary, standby, archive and backups", run_sandbox_up},
      Command{"seed", "fill users, products, sales and debts with a dataset", run_seed},
      Command{"serve", "watch the targets and serve their metrics", run_serve},
      Command{"validate", "run the claim sheet: a load, a look, the verdicts", run_validate},
      Command{"version", "tell the versions of pantryd and libpq", run_version},
  };
  return list;
}

}  // namespace pantryd::cli
