// One sandbox per test process, made at first use and removed when the process ends, however it
// ends.
#pragma once

#include "sandbox/sandbox.h"

namespace pantryd::testing_support {

/// Primary, standby, archive and backups. Tests that stop a server start it again.
[[nodiscard]] Sandbox& shared_sandbox();

/// A folder of this test process, removed at its end; reachable by the server's user.
[[nodiscard]] const std::filesystem::path& scratch_dir();

/// Runs `binary`, such as places::binary, with these arguments under a wall clock.
[[nodiscard]] ChildResult run_binary(const std::string& binary,
                                     const std::vector<std::string>& arguments,
                                     std::chrono::seconds limit = std::chrono::seconds(60));

/// A conninfo in the form that --dsn takes. It holds no password: the sandbox uses a passfile.
[[nodiscard]] std::string dsn_of(const pg::Conninfo& where);

}  // namespace pantryd::testing_support
