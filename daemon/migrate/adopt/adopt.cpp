// Invariants: nothing is written before Knex's tables are locked, and then all of it in that one
// transaction; what was compared is what is recorded, from the same reading of the catalogue.
#include "migrate/adopt/adopt.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/error.h"
#include "migrate/adopt/build.h"
#include "migrate/adopt/knex.h"
#include "migrate/catalogue/drift.h"
#include "migrate/run/history.h"
#include "migrate/run/limits.h"
#include "migrate/run/session_lock.h"

namespace pantryd::migrate {
namespace {

/// Knex may have run between our look and our lock; more often than this is no accident.
constexpr int kLooksMax = 3;
constexpr std::string_view kSource = "knex";

pg::Connection& writable(pg::Connection& connection) {
  require_writable(connection);
  return connection;
}

/// What each of the four commands works in.
class Desk {
 public:
  Desk(pg::Connection& connection, const RunnerOptions& options)
      : lock_(writable(connection), options.lock_wait, options.stop_flag()),
        watch_(connection.conninfo(), lock_.session_pid()),
        session{connection, options, watch_, "none"} {
    reset_session(session);
  }

 private:
  SessionLock lock_;
  BlockerWatch watch_;

 public:
  Session session;
};

void require_knex_tables(pg::Connection& connection) {
  const auto tables = find_knex_tables(connection, soon());
  if (tables.migrations && tables.lock) return;
  const auto where = connection.conninfo().display();
  if (tables.migrations) {
    throw Error(ExitCode::failed,
                fmt::format("{} has knex_migrations, and no knex_migrations_lock", where),
                "Let Knex make its lock table: npx knex migrate:list.");
  }
  if (!read_history(connection, soon()).empty()) {
    throw Error(ExitCode::failed,
                fmt::format("pantryd itself migrated {}, and there is no table of Knex", where),
                "There is nothing to take over; pantryd migrate status shows its state.");
  }
  throw Error(ExitCode::failed, fmt::format("{} has no table public.knex_migrations", where),
              "A database that Knex did not make needs no adoption: pantryd migrate up.");
}

void require_rows(pg::Connection& connection, const std::vector<KnexRow>& rows) {
  if (!rows.empty()) return;
  throw Error(
      ExitCode::failed,
      fmt::format("Knex has run nothing in {}: knex_migrations is empty",
                  connection.conninfo().display()),
      "There is nothing to take over. pantryd migrate up makes the schema where it is missing.");
}

/// Rows that Knex wrote after the adoption are worth a word.
Adoption already(pg::Connection& connection, const std::vector<HistoryRow>& history,
                 const std::vector<Migration>& files) {
  Adoption out;
  out.outcome = Adoption::Outcome::already;
  std::set<std::int64_t> known;
  for (const auto& row : history) {
    if (row.source == kSource) known.insert(row.version);
  }
  if (!find_knex_tables(connection, soon()).migrations) return out;
  auto found = match(read_knex_rows(connection, soon()), files);
  for (const auto& each : found.adopted) {
    if (known.count(each.file.version) > 0) continue;
    out.match.warnings.push_back(
        fmt::format("Knex ran {} after the adoption: fence it (--fence)", each.knex.name));
  }
  for (const auto& name : found.unmatched) {
    out.match.warnings.push_back(
        fmt::format("Knex ran {} after the adoption, and it is no file here", name));
  }
  return out;
}

/// True when rows of Knex are there; throws when the history is of another making.
bool is_adopted(const std::vector<HistoryRow>& history) {
  const bool adopted = std::any_of(history.begin(), history.end(),
                                   [](const auto& row) { return row.source == kSource; });
  if (adopted || history.empty()) return adopted;
  throw Error(
      ExitCode::failed,
      fmt::format("pantryd itself migrated this database already, {} first", history.front().name),
      "There is nothing to take over; pantryd migrate status shows its state.");
}

/// Whoever runs the next migrations must be able to change these tables.
void warn_of_owners(pg::Connection& connection, std::vector<std::string>& warnings) {
  const auto rows = connection.exec(
      "SELECT pg_catalog.pg_get_userbyid(relowner), count(*), current_user "
      "FROM pg_catalog.pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN "
      "('r', 'p', 'v', 'm') AND relname NOT IN ('knex_migrations', 'knex_migrations_lock') "
      "AND NOT pg_catalog.pg_has_role(relowner, 'USAGE') "
      "GROUP BY 1 ORDER BY 1 LIMIT 5",
      soon());
  for (int i = 0; i < rows.rows(); ++i) {
    warnings.push_back(
        fmt::format("{} tables belong to {}, whom {} cannot act for: migrate up needs a role that "
                    "may change them",
                    rows.text(i, 1), rows.text(i, 0), rows.text(i, 2)));
  }
}

/// Extensions beside the schema (pg_stat_statements) are the operator's business.
void compare(const std::vector<std::string>& expected, const std::vector<std::string>& found,
             Adoption& out) {
  out.missing = only_in_first(expected, found);
  for (auto& line : only_in_first(found, expected)) {
    if (line.rfind("extension ", 0) == 0) {
      out.match.warnings.push_back(fmt::format("no migration makes the {}", line));
    } else {
      out.unexpected.push_back(std::move(line));
    }
  }
}

void record(Session& session, const Adoption& adoption, const Catalogue& catalogue, bool fence) {
  auto& connection = session.connection;
  session.step("history");
  create_history(connection, soon());
  for (const auto& each : adoption.match.adopted) {
    record_adopted(connection, each.file, each.knex.time, each.knex.batch,
                   session.options.tool_version, soon());
  }
  session.step("fingerprint");
  record_catalogue(connection, catalogue.objects, soon());
  if (!fence) return;
  session.step("fence");
  set_fence(connection, soon());
}

std::vector<Migration> files_of(const KnexMatch& match) {
  std::vector<Migration> out;
  for (const auto& each : match.adopted) out.push_back(each.file);
  return out;
}

/// nullopt when Knex ran since we looked.
std::optional<Adoption> try_adopt(Session& session, const std::vector<Migration>& files,
                                  bool fence) {
  auto& connection = session.connection;
  const auto rows = read_knex_rows(connection, soon());
  require_rows(connection, rows);
  require_not_theirs(read_knex_lock(connection, soon()));
  const auto matched = match(rows, files);
  if (matched.adopted.empty()) return Adoption{.match = matched};
  const auto built = build(session, files_of(matched));
  std::optional<Adoption> out;
  with_knex_locked(session, [&] {
    out.reset();
    const auto lock = read_knex_lock(connection, soon());
    require_not_theirs(lock);
    if (read_knex_rows(connection, soon()) != rows) return false;
    session.step("compare");
    Adoption adoption{.match = matched, .built_in = built.where};
    const auto catalogue = read_both(connection, "public", for_catalogue());
    compare(built.made, catalogue.made, adoption);
    warn_of_owners(connection, adoption.match.warnings);
    adoption.fenced = lock == KnexLock::ours;
    const bool good =
        adoption.missing.empty() && adoption.unexpected.empty() && adoption.match.unmatched.empty();
    if (good) {
      record(session, adoption, catalogue, fence && lock == KnexLock::free);
      adoption.outcome = Adoption::Outcome::adopted;
      adoption.fenced = adoption.fenced || fence;
    }
    out = std::move(adoption);
    return good;
  });
  return out;
}

/// False: it stands already.
bool fence_with(Session& session) {
  bool changed = false;
  with_knex_locked(session, [&] {
    const auto lock = read_knex_lock(session.connection, soon());
    require_not_theirs(lock);
    changed = lock == KnexLock::free;
    if (!changed) return false;
    session.step("fence");
    create_history(session.connection, soon());
    set_fence(session.connection, soon());
    return true;
  });
  return changed;
}

}  // namespace

Adoption adopt_from_knex(pg::Connection& connection, const std::vector<Migration>& files,
                         const RunnerOptions& options, bool fence) {
  Desk desk(connection, options);
  const auto history = read_history(connection, soon());
  if (is_adopted(history)) {
    auto out = already(connection, history, files);
    if (fence) {
      require_knex_tables(connection);
      (void)fence_with(desk.session);
    }
    const bool tables = find_knex_tables(connection, soon()).lock;
    out.fenced = tables && read_knex_lock(connection, soon()) == KnexLock::ours;
    return out;
  }
  require_knex_tables(connection);
  for (int look = 0; look < kLooksMax; ++look) {
    if (auto out = try_adopt(desk.session, files, fence)) return std::move(*out);
  }
  throw Error(ExitCode::lock, "Knex keeps migrating this database",
              "Stop the application, or fence it first: pantryd migrate adopt --fence.");
}

bool fence_knex(pg::Connection& connection, const RunnerOptions& options) {
  Desk desk(connection, options);
  require_knex_tables(connection);
  return fence_with(desk.session);
}

bool unfence_knex(pg::Connection& connection, const RunnerOptions& options) {
  Desk desk(connection, options);
  require_knex_tables(connection);
  if (read_knex_lock(connection, soon()) == KnexLock::free) return false;
  bool changed = false;
  with_knex_locked(desk.session, [&] {
    const auto lock = read_knex_lock(connection, soon());
    if (lock == KnexLock::theirs) {
      throw Error(ExitCode::lock,
                  "Knex's migration lock is set, and not by us: it is left as it is",
                  "A run of Knex is under way, or one was killed, or this database was restored "
                  "from a dump. When no Knex runs: npx knex migrate:unlock.");
    }
    changed = lock == KnexLock::ours;
    if (changed) clear_fence(connection, lock, soon());
    return changed;
  });
  return changed;
}

Released undo_adoption(pg::Connection& connection, const RunnerOptions& options) {
  Desk desk(connection, options);
  const auto history = read_history(connection, soon());
  Released out;
  std::string on_top;
  for (const auto& row : history) {
    if (row.source == kSource) {
      out.names.push_back(row.name);
    } else {
      on_top += (on_top.empty() ? "" : ", ") + row.name;
    }
  }
  if (out.names.empty()) return out;
  if (!on_top.empty()) {
    throw Error(ExitCode::failed,
                fmt::format("pantryd has applied on top of what it adopted: {}", on_top),
                "Undo those first (pantryd migrate down), or stay with pantryd.");
  }
  const auto forget = [&] {
    desk.session.step("history");
    create_history(connection, soon());
    connection.exec("DELETE FROM pantryd.migrations WHERE source = $1", pg::Params::of(kSource),
                    soon());
    connection.exec("DELETE FROM pantryd.catalogue_fingerprint", soon());
    return true;
  };
  const auto tables = find_knex_tables(connection, soon());
  if (!tables.migrations || !tables.lock) {
    out.warnings.emplace_back("Knex's tables are gone: nobody's history is left");
    connection.exec("BEGIN", soon());
    (void)forget();
    connection.exec("COMMIT", soon());
    return out;
  }
  with_knex_locked(desk.session, [&] {
    const auto lock = read_knex_lock(connection, soon());
    out.unfenced = lock == KnexLock::ours;
    out.warnings.clear();
    if (lock == KnexLock::theirs) {
      out.warnings.emplace_back("Knex's migration lock is set, and not by us: it is left as it is");
    }
    (void)forget();
    clear_fence(connection, lock, soon());
    return true;
  });
  return out;
}

}  // namespace pantryd::migrate
