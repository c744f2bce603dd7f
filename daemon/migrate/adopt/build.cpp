// Invariants: the scratch database is named after the OID of the database that is adopted, and made
// and dropped only under that one's advisory lock, so whoever holds the lock may drop it. What is
// built in a schema is never committed, and locks no table that was there before.
#include "migrate/adopt/build.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <random>

#include "base/error.h"
#include "base/log.h"
#include "migrate/catalogue/drift.h"
#include "migrate/run/limits.h"
#include "migrate/run/runner.h"
#include "migrate/sql/parse_tree.h"
#include "pg/sqlstate.h"

namespace pantryd::migrate {
namespace {

/// CREATE and DROP DATABASE may wait for a checkpoint.
constexpr auto kDatabaseLimit = std::chrono::seconds(300);
constexpr const char* kPrefix = "pantryd_adopt_";

/// One of this database, and those whose database is gone.
constexpr const char* kLeftovers =
    "SELECT s.datname FROM pg_catalog.pg_database s WHERE s.datname ~ '^pantryd_adopt_[0-9]+$' "
    "AND (s.datname = $1 OR NOT EXISTS (SELECT FROM pg_catalog.pg_database d "
    "WHERE 'pantryd_adopt_' || d.oid = s.datname))";

class ScratchDatabase {
 public:
  explicit ScratchDatabase(Session& session) : session_(session) {
    const auto row = session_.connection.exec(
        "SELECT oid, pg_catalog.pg_encoding_to_char(encoding) FROM pg_catalog.pg_database "
        "WHERE datname = current_database()",
        soon());
    name_ = kPrefix + std::string(row.text(0, 0));
    const auto left = session_.connection.exec(kLeftovers, pg::Params::of(name_), soon());
    for (int i = 0; i < left.rows(); ++i) {
      drop(session_.connection, std::string(left.text(i, 0)));
    }
    (void)session_.connection.take_notices();
    // Any locale would do for a catalogue; "C" goes with every encoding.
    session_.step("create scratch database");
    session_.connection.exec(fmt::format("CREATE DATABASE {} TEMPLATE template0 ENCODING '{}' "
                                         "LC_COLLATE 'C' LC_CTYPE 'C'",
                                         name_, row.text(0, 1)),
                             Deadline::in(kDatabaseLimit));
  }
  ~ScratchDatabase() {
    auto& ours = session_.connection;
    const auto* stop = session_.options.stop;
    const bool interrupted = stop != nullptr && stop->requested();
    try {
      if (!interrupted && !ours.broken() && ours.make_idle(soon())) {
        drop(ours, name_);
        (void)ours.take_notices();
        return;
      }
      auto other = pg::Connection::connect(ours.conninfo(), Deadline::in(kConnectLimit));
      drop(other, name_);
    } catch (const std::exception& error) {
      log::warn("the scratch database {} is left behind, the next adoption drops it: {}", name_,
                error.what());
    }
  }
  ScratchDatabase(const ScratchDatabase&) = delete;
  ScratchDatabase& operator=(const ScratchDatabase&) = delete;

  [[nodiscard]] pg::Connection connect() const {
    return pg::Connection::connect(session_.connection.conninfo().with("dbname", name_),
                                   Deadline::in(kConnectLimit),
                                   {.application_name = "pantryd migrate adopt",
                                    .settings = {},
                                    .stop = session_.options.stop});
  }

 private:
  static void drop(pg::Connection& connection, const std::string& name) {
    connection.exec(fmt::format("DROP DATABASE IF EXISTS {} WITH (FORCE)", name),
                    Deadline::in(kDatabaseLimit));
  }

  Session& session_;
  std::string name_;
};

std::vector<std::string> made_in_database(Session& session, const std::vector<Migration>& files) {
  const ScratchDatabase scratch(session);
  auto connection = scratch.connect();
  RunnerOptions options = session.options;
  options.to.reset();
  options.before_step = {};
  session.step("build");
  // Nobody else's tables are in a new database.
  (void)run_up(connection, files, options, [](const Migration&) {}, {});
  auto made = read_both(connection, "public", for_catalogue()).made;
  session.step("drop scratch database");
  return made;
}

std::string scratch_schema_name() {
  std::random_device random;
  return fmt::format("{}{:08x}{:08x}", kPrefix, random(), random());
}

void replace_all(std::string& text, const std::string& from, std::string_view to) {
  for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

void run_in_schema(Session& session, const std::vector<Migration>& files) {
  for (const auto& file : files) {
    const auto task =
        prepare_task(file, Direction::up, std::nullopt, session.connection.server_version());
    for (const auto& statement : task.statements) {
      try {
        session.connection.exec_script(statement.sql,
                                       Deadline::in(session.options.statement_timeout));
      } catch (const pg::PgError& error) {
        throw pg::PgError(
            error.failure(), error.sqlstate(),
            fmt::format("{}.sql:{}: {} (in a schema of its own)", file.name, statement.line,
                        error.what()),
            "A role with the right CREATEDB has the files built in a database of their own.");
      }
    }
  }
}

std::vector<std::string> made_in_schema(Session& session, const std::vector<Migration>& files) {
  const auto schema = scratch_schema_name();
  auto& connection = session.connection;
  connection.exec("BEGIN", soon());
  try {
    connection.exec("CREATE SCHEMA " + schema, soon());
    connection.exec("SELECT set_config('search_path', $1, true)", pg::Params::of(schema), soon());
    session.step("build");
    run_in_schema(session, files);
    auto made = read_both(connection, schema, for_catalogue()).made;
    connection.exec("ROLLBACK", soon());
    for (auto& line : made) replace_all(line, schema + ".", "public.");
    std::sort(made.begin(), made.end());
    return made;
  } catch (...) {
    (void)connection.make_idle(soon());
    throw;
  }
}

[[noreturn]] void refuse(Session& session, const std::string& why) {
  const auto role = session.connection.exec("SELECT quote_ident(current_user)", soon());
  throw Error(ExitCode::failed,
              fmt::format("the files cannot be built anywhere to compare: {}", why),
              fmt::format("Give the role the right to make a database: ALTER ROLE {} CREATEDB; or "
                          "adopt as a role that has it.",
                          role.text(0, 0)));
}

Built build_in_schema(Session& session, const std::vector<Migration>& files,
                      const std::string& why_no_database) {
  for (const auto& file : files) {
    const auto against = reason_against_schema(file);
    if (against.empty()) continue;
    refuse(session, fmt::format("{}, and in a schema {}.sql cannot be: {}", why_no_database,
                                file.name, against));
  }
  const auto row = session.connection.exec(
      "SELECT pg_catalog.has_database_privilege(current_database(), 'CREATE')", soon());
  if (!row.boolean(0, 0)) {
    refuse(session, why_no_database + ", and no schema: it lacks CREATE on this database");
  }
  return {made_in_schema(session, files), "schema"};
}

/// Empty when the statement can be run in a schema of its own.
std::string reason_against_schema(const Statement& statement) {
  constexpr std::array<std::string_view, 8> kKnown{"CreateStmt",    "AlterTableStmt", "IndexStmt",
                                                   "CreateSeqStmt", "ViewStmt",       "InsertStmt",
                                                   "UpdateStmt",    "CreateEnumStmt"};
  if (std::find(kKnown.begin(), kKnown.end(), statement.kind) == kKnown.end()) {
    return fmt::format("it has a {}",
                       statement.kind.empty() ? "statement in new syntax" : statement.kind);
  }
  const auto tree = statement.body.dump();
  if (tree.find("\"schemaname\"") != std::string::npos) return "it names a schema";
  // The name of an enum is a list of words, the last of them its own.
  if (statement.kind == "CreateEnumStmt" && child(statement.body, "typeName").size() > 1) {
    return "it names a schema";
  }
  return {};
}

}  // namespace

std::string reason_against_schema(const Migration& file) {
  if (!file.up_options.transaction) return "it runs without a transaction";
  std::string reason;
  each_statement(SqlText(file.up), [&](const Statement& statement) {
    if (reason.empty()) reason = reason_against_schema(statement);
  });
  return reason;
}

Built build(Session& session, const std::vector<Migration>& files) {
  const auto may = session.connection.exec(
      "SELECT rolcreatedb OR rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user",
      soon());
  if (may.empty() || !may.boolean(0, 0)) {
    return build_in_schema(session, files, "the role may not make a database (CREATEDB)");
  }
  try {
    return {made_in_database(session, files), "database"};
  } catch (const pg::PgError& error) {
    // pg_hba.conf may let this role into the one database only, and on few connections.
    const auto failure = error.failure();
    if (failure != pg::Failure::refused && failure != pg::Failure::too_many) throw;
    log::warn("built in a schema, for the scratch database cannot be used: {}", error.what());
    return build_in_schema(session, files, "the server does not let it into another database");
  }
}

}  // namespace pantryd::migrate
