// Private to the runner and to plan: what `up` would run, and what keeps it from running at all.
#pragma once

#include <cstdint>
#include <vector>

#include "migrate/run/execute.h"
#include "migrate/run/options.h"
#include "migrate/run/status.h"
#include "pg/connection.h"

namespace pantryd::migrate {

/// Throws Error(drift) when an applied file was edited or is missing.
void require_no_drift(const std::vector<StatusRow>& rows);
/// Throws Error(usage) when no file has this version; 0 stands for none of them.
void require_version(const std::vector<Migration>& files, std::int64_t version);

/// What up would run, in order, each file read and checked. Throws Error(drift): out of order;
/// Error(failed): one is half undone; Error(usage): a file cannot be run.
[[nodiscard]] std::vector<Task> pending_up(const std::vector<StatusRow>& rows,
                                           const RunnerOptions& options, int server_version);

}  // namespace pantryd::migrate
