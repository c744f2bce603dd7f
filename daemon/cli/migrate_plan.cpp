#include "cli/subcommands.h"
namespace pantryd::cli {
int run_migrate_plan(const Context&, const Arguments&) { return 0; }
}
