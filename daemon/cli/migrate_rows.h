// The rows that `migrate status` and `migrate verify` print: one for each migration.
#pragma once

#include <chrono>
#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "cli/context.h"
#include "migrate/migrate.h"

namespace pantryd::cli {

/// For reading the state of all migrations.
inline constexpr auto kStatusLimit = std::chrono::seconds(30);

/// A line for a person.
void print_row(const migrate::StatusRow& row);
[[nodiscard]] nlohmann::json json_of(const std::vector<migrate::StatusRow>& rows);

/// True where files and history contradict each other; a pending migration does not.
[[nodiscard]] bool is_drift(migrate::MigrationState state);

/// What `up` and `down` print: "VERB NAME in TIME" a migration, or `nothing`. Returns 0.
int print_applied(const Context& context, const std::vector<migrate::Applied>& applied,
                  const char* format, const char* verb, const char* nothing);

}  // namespace pantryd::cli
