// What can be seen in a probe's file of values that are made up or left out in silence. A number in
// place of an unknown value is a lie: greatest(0, NULL) is 0.
#pragma once

#include "tests/tidy/tree.h"

namespace pantryd::tidy {

/// In probes/*.yaml: greatest( and least(, which pass over NULL; coalesce( with a number at its
/// end; LIMIT, which a bound with "other" replaces; current_database() as a label, which the engine
/// fills; a count of pg_stat_activity without backend_type, or of pg_stat_replication without
/// slot_type; pg_last_wal_receive_lsn() without the position that was replayed.
///
/// An exception is a comment in the file: # tidy allows "TEXT": REASON. It holds where the SQL that
/// breaks a rule begins with TEXT; one that holds nowhere, or has no reason, is a finding itself.
[[nodiscard]] Findings check_probe_files(const Tree& tree);

}  // namespace pantryd::tidy
