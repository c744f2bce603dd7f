// The texts of the statements that are told one by one: asked for rarely, only when one is not
// known, and without the constants in them, which never leave the server.
//
// pg_stat_statements puts $1 for the constants of what it plans, but keeps the words of ALTER ROLE
// ... PASSWORD '...', SET, COPY and other commands as they came. So the statement that reads the
// texts takes them apart on the server and puts ? for every string and number.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "probes/engine/coded.h"
#include "probes/engine/watcher.h"

namespace pantryd::probes {

[[nodiscard]] const ProbeDescription& statement_texts_description();

/// The statement that is sent, with one parameter: a bigint[] of queryids. Answers with queryid and
/// text. A text ends with "..." where it is too long, or where it cannot be told for certain what
/// is a constant: at a string with a backslash, a dollar quote, a comment in a comment.
[[nodiscard]] std::string statement_texts_sql(const TargetFacts& facts);

/// The queryids that a snapshot tells one by one.
[[nodiscard]] std::vector<std::string> told_statements(const TargetSnapshot& snapshot);

struct StatementTextsOptions {
  /// Statements to know the texts of; asked at each run, of this thread.
  std::function<std::vector<std::string>()> chosen;
  std::int32_t statements_max = 100;
  std::chrono::milliseconds pause{600'000};  ///< between two questions to the server
};

/// Tells pantryd_statement_info. Asks the server nothing while all is known, or too early.
[[nodiscard]] ServerProbe statement_texts_probe(StatementTextsOptions options);

}  // namespace pantryd::probes
