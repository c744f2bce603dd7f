// A PgBouncer in front of a target: SHOW POOLS and SHOW STATS of its console.
//
// The console is the database called pgbouncer. Before 1.21 it takes the simple protocol only, and
// what columns there are differs from version to version: those that are there are told. It is
// another server, so this connection is none of the three that a target may see.
#pragma once

#include <memory>
#include <string>

#include "probes/engine/coded.h"
#include "probes/engine/watcher.h"

namespace pantryd::probes {

[[nodiscard]] const ProbeDescription& pgbouncer_description();

/// What an answer of the console says, into `samples`. `what` is "POOLS" or "STATS".
void tell_console(const std::string& what, const pg::Result& answer, SampleList& samples);

/// `login` is asked at each connect; its dbname does not matter. Keeps one connection from look to
/// look.
[[nodiscard]] LocalProbe pgbouncer_probe(Login login);

}  // namespace pantryd::probes
