// The functions behind the subcommands, one source file each.
#pragma once

#include <string>
#include <vector>

#include "cli/command.h"

namespace pantryd::cli {

using Arguments = std::vector<std::string>;

int run_check(const Context& context, const Arguments& arguments);
int run_config_check(const Context& context, const Arguments& arguments);
int run_config_show(const Context& context, const Arguments& arguments);
int run_load_compare(const Context& context, const Arguments& arguments);
int run_load_find_max(const Context& context, const Arguments& arguments);
int run_load_run(const Context& context, const Arguments& arguments);
int run_metrics(const Context& context, const Arguments& arguments);
int run_migrate_adopt(const Context& context, const Arguments& arguments);
int run_migrate_down(const Context& context, const Arguments& arguments);
int run_migrate_lint(const Context& context, const Arguments& arguments);
int run_migrate_new(const Context& context, const Arguments& arguments);
int run_migrate_plan(const Context& context, const Arguments& arguments);
int run_migrate_status(const Context& context, const Arguments& arguments);
int run_migrate_up(const Context& context, const Arguments& arguments);
int run_migrate_verify(const Context& context, const Arguments& arguments);
int run_probes_list(const Context& context, const Arguments& arguments);
int run_probes_rights(const Context& context, const Arguments& arguments);
int run_probes_test(const Context& context, const Arguments& arguments);
int run_sandbox_backup(const Context& context, const Arguments& arguments);
int run_sandbox_down(const Context& context, const Arguments& arguments);
int run_sandbox_status(const Context& context, const Arguments& arguments);
int run_sandbox_up(const Context& context, const Arguments& arguments);
int run_seed(const Context& context, const Arguments& arguments);
int run_serve(const Context& context, const Arguments& arguments);
int run_validate(const Context& context, const Arguments& arguments);
int run_version(const Context& context, const Arguments& arguments);

}  // namespace pantryd::cli
