// Invariant: what is dropped here is exactly what the steps written beside it make again. Names are
// read and written with an empty search_path, so every name has its schema.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "loadgen/dataset/copy_rows.h"
#include "loadgen/dataset/rebuild.h"

namespace pantryd::loadgen {
namespace {

// In this order: VACUUM before foreign keys, so that these are checked with statistics; triggers
// before the sums, so that a sale of somebody else is in the sums or in what comes after them. The
// longest work of one core each, trigrams and sums, is side by side in kLast.
enum StageNumber { kSorted = 1, kAttach, kVacuum, kAddKeys, kLast, kVacuumSums };

// Microseconds a row, measured; they order the work and its progress.
constexpr double kSortCost = 0.7;
constexpr double kSortTextCost = 1.1;
constexpr double kTrigramCost = 15;
constexpr double kVacuumCost = 1;
constexpr double kCheckCost = 0.5;
constexpr double kSumsCost = 5;

// Sales that one transaction adds to the sums. Most products are sold in each million, so every
// batch writes nearly all of their sums again: ten of a million took 79 s, one of ten million 46 s.
// A batch spills into temporary files, so it has a limit.
constexpr std::int64_t kSumsRows = 10'000'000;

constexpr const char* kPlainTables =
    "SELECT bool_and(c.relkind = 'r' AND NOT c.relispartition AND NOT c.relhassubclass"
    "  AND NOT EXISTS (SELECT FROM pg_inherits h WHERE h.inhrelid = c.oid)"
    "  AND pg_has_role(c.relowner, 'USAGE') AND has_schema_privilege(c.relnamespace, 'CREATE'))"
    " FROM pg_class c WHERE c.oid = ANY ($1::oid[])";

// $1: the six tables, $2: those that get many rows. Both directions count: a key that points at a
// large table would hold that table's primary key in place.
constexpr const char* kForeignKeys =
    "SELECT f.oid, format('%I.%I', n.nspname, t.relname), format('%I', f.conname),"
    "  pg_get_constraintdef(f.oid), f.convalidated, f.conrelid"
    " FROM pg_constraint f JOIN pg_class t ON t.oid = f.conrelid"
    " JOIN pg_namespace n ON n.oid = t.relnamespace"
    " WHERE f.contype = 'f' AND f.conparentid = 0"
    "  AND f.conrelid = ANY ($1::oid[]) AND f.confrelid = ANY ($1::oid[])"
    "  AND (f.conrelid = ANY ($2::oid[]) OR f.confrelid = ANY ($2::oid[]))"
    "  AND NOT EXISTS (SELECT FROM pg_description d"
    "    WHERE d.classoid = 'pg_constraint'::regclass AND d.objoid = f.oid)"
    "  AND NOT EXISTS (SELECT FROM pg_trigger g"
    "    WHERE g.tgconstraint = f.oid AND g.tgenabled <> 'O')"
    " ORDER BY f.conname, f.oid";

// $1: the tables that get many rows, $2: the foreign keys that are dropped.
constexpr const char* kIndexesOf =
    "SELECT format('%I.%I', n.nspname, x.relname), format('%I', x.relname),"
    "  format('%I.%I', tn.nspname, t.relname), pg_get_indexdef(i.indexrelid),"
    "  coalesce(s.spcname, ''), coalesce(c.contype::text, ''), coalesce(quote_ident(c.conname), "
    "''),"
    "  coalesce(c.condeferrable, false), coalesce(c.condeferred, false), t.oid,"
    "  a.amname <> 'btree',"
    "  EXISTS (SELECT FROM pg_attribute k WHERE k.attrelid = i.indexrelid AND k.attcollation <> 0)"
    " FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid"
    " JOIN pg_namespace n ON n.oid = x.relnamespace JOIN pg_class t ON t.oid = i.indrelid"
    " JOIN pg_namespace tn ON tn.oid = t.relnamespace JOIN pg_am a ON a.oid = x.relam"
    " LEFT JOIN pg_tablespace s ON s.oid = x.reltablespace"
    " LEFT JOIN pg_constraint c ON c.conindid = i.indexrelid AND c.contype IN ('p', 'u', 'x')"
    " WHERE i.indrelid = ANY ($1::oid[]) AND i.indisvalid AND i.indisready AND i.indislive"
    "  AND NOT i.indisclustered AND NOT i.indisreplident AND NOT i.indisexclusion"
    "  AND (c.oid IS NULL OR x.relname = c.conname)"
    "  AND NOT EXISTS (SELECT FROM pg_description d WHERE"
    "    (d.classoid = 'pg_class'::regclass AND d.objoid = i.indexrelid)"
    "    OR (d.classoid = 'pg_constraint'::regclass AND d.objoid = c.oid))"
    "  AND NOT EXISTS (SELECT FROM pg_attribute k"
    "    WHERE k.attrelid = i.indexrelid AND coalesce(k.attstattarget, -1) >= 0)"
    "  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass"
    "    AND d.objid = i.indexrelid AND d.refclassid = 'pg_extension'::regclass)"
    "  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.refclassid = 'pg_class'::regclass"
    "    AND d.refobjid = i.indexrelid"
    "    AND NOT (d.classid = 'pg_constraint'::regclass AND d.objid = ANY ($2::oid[])))"
    "  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.refclassid = 'pg_constraint'::regclass"
    "    AND d.refobjid = c.oid"
    "    AND NOT (d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid))"
    " ORDER BY x.relname, x.oid";

// The trigger of migration 013, if the procedure of 014 is there and we may make up for it.
constexpr const char* kSumsTrigger =
    "SELECT format('%I.%I', n.nspname, t.relname), format('%I', g.tgname), g.tgenabled::text"
    " FROM pg_trigger g JOIN pg_class t ON t.oid = g.tgrelid"
    " JOIN pg_namespace n ON n.oid = t.relnamespace"
    " WHERE g.tgrelid = $1::oid AND NOT g.tgisinternal AND g.tgenabled <> 'D'"
    "  AND g.tgfoid = to_regprocedure('public.sales_record_insert()')"
    "  AND has_function_privilege(to_regprocedure('public.sales_rollup_backfill(bigint)'), "
    "'EXECUTE')"
    "  AND (SELECT bool_and(pg_has_role(c.relowner, 'USAGE')) FROM pg_class c WHERE c.oid IN ("
    "    to_regclass('public.sales_changes'), to_regclass('public.sales_hourly'),"
    "    to_regclass('public.product_sales'), to_regclass('public.sales_rollup_state')))";

// What sales_rollup_rebuild() of 014 does before it adds up. Until the sums are complete again, the
// functions that read them read the sales instead, so no reader gets a wrong number.
constexpr const char* kEmptySums =
    "TRUNCATE public.sales_changes, public.sales_hourly, public.product_sales";
constexpr const char* kSumsIncomplete =
    "UPDATE public.sales_rollup_state"
    " SET complete = false, backfilled_to = '-infinity', backfill_end = NULL";

std::string oids(pg::Connection& connection, const std::vector<std::string>& names,
                 Deadline deadline) {
  std::string list;
  for (const auto& name : names) list += (list.empty() ? "" : ",") + name;
  return std::string(
      connection
          .exec("SELECT array_agg(to_regclass(name)::oid)::text FROM unnest($1::text[]) AS name",
                pg::Params::of("{" + list + "}"), deadline)
          .text(0, 0));
}

std::vector<std::string> six_tables() {
  std::vector<std::string> out;
  for (const auto table : {Table::users, Table::products, Table::sales, Table::expenses,
                           Table::debts, Table::debt_payments}) {
    out.emplace_back(to_string(table));
  }
  return out;
}

/// Collects the way back, and drops.
class Aside {
 public:
  Aside(pg::Connection& connection, const std::vector<BulkTable>& tables, Deadline deadline)
      : connection_(connection), tables_(tables), deadline_(deadline) {
    std::vector<std::string> names;
    for (const auto& each : tables) names.emplace_back(to_string(each.table));
    // Before the search_path is emptied: these are the tables that COPY will meet.
    six_ = oids(connection, six_tables(), deadline);
    bulk_ = oids(connection, names, deadline);
    sales_ = oids(connection, {"sales"}, deadline);
    for (const auto& each : tables) {
      const auto oid = connection.exec("SELECT to_regclass($1)::oid::text",
                                       pg::Params::of(to_string(each.table)), deadline);
      rows_.emplace_back(oid.text(0, 0), static_cast<double>(each.rows));
    }
  }

  std::int64_t run() {
    const auto path = std::string(
        connection_.exec("SELECT current_setting('search_path')", deadline_).text(0, 0));
    set_path("");
    foreign_keys();
    indexes();
    trigger();
    vacuum();
    for (const auto& sql : drops_) connection_.exec(sql, deadline_);
    write();
    set_path(path);
    return static_cast<std::int64_t>(steps_.size());
  }

 private:
  void set_path(const std::string& path) {
    connection_.exec("SELECT set_config('search_path', $1, true)", pg::Params::of(path), deadline_);
  }

  double rows(std::string_view oid) const {
    for (const auto& [name, count] : rows_) {
      if (name == oid) return count;
    }
    return 1;
  }

  void foreign_keys() {
    const auto found = connection_.exec(kForeignKeys, pg::Params::of(six_, bulk_), deadline_);
    for (int i = 0; i < found.rows(); ++i) {
      const std::string table(found.text(i, 1));
      const std::string name(found.text(i, 2));
      const std::string definition(found.text(i, 3));
      const bool checked = found.boolean(i, 4);
      keys_ += (keys_.empty() ? "" : ",") + std::string(found.text(i, 0));
      drops_.push_back(fmt::format("ALTER TABLE {} DROP CONSTRAINT {}", table, name));
      add({kAddKeys, "", fmt::format("foreign key {}", name),
           fmt::format("ALTER TABLE {} ADD CONSTRAINT {} {}{}", table, name, definition,
                       checked ? " NOT VALID" : "")});
      if (!checked) continue;
      add({kLast, table, fmt::format("check of the foreign key {}", name),
           fmt::format("ALTER TABLE {} VALIDATE CONSTRAINT {}", table, name), "",
           kCheckCost * rows(found.text(i, 5))});
    }
  }

  void indexes() {
    const auto found =
        connection_.exec(kIndexesOf, pg::Params::of(bulk_, "{" + keys_ + "}"), deadline_);
    for (int i = 0; i < found.rows(); ++i) {
      const std::string index(found.text(i, 0));
      const std::string table(found.text(i, 2));
      const auto kind = found.text(i, 5);
      const std::string constraint(found.text(i, 6));
      const bool sorts = !found.boolean(i, 10);
      const double cost =
          !sorts ? kTrigramCost : (found.boolean(i, 11) ? kSortTextCost : kSortCost);
      add({sorts ? kSorted : kLast, index, "index " + index, std::string(found.text(i, 3)),
           std::string(found.text(i, 4)), cost * rows(found.text(i, 9))});
      if (kind.empty()) {
        drops_.push_back("DROP INDEX " + index);
        continue;
      }
      drops_.push_back(fmt::format("ALTER TABLE {} DROP CONSTRAINT {}", table, constraint));
      add({kAttach, "", "constraint " + constraint,
           fmt::format("ALTER TABLE {} ADD CONSTRAINT {} {} USING INDEX {}{}{}", table, constraint,
                       kind == "p" ? "PRIMARY KEY" : "UNIQUE", found.text(i, 1),
                       found.boolean(i, 7) ? " DEFERRABLE" : "",
                       found.boolean(i, 8) ? " INITIALLY DEFERRED" : "")});
    }
  }

  void trigger() {
    const auto bulk = std::any_of(tables_.begin(), tables_.end(),
                                  [](const auto& each) { return each.table == Table::sales; });
    if (!bulk) return;
    const auto found = connection_.exec(
        kSumsTrigger, pg::Params::of(sales_.substr(1, sales_.size() - 2)), deadline_);
    if (found.empty()) return;
    const std::string table(found.text(0, 0));
    const std::string name(found.text(0, 1));
    const auto enabled = found.text(0, 2);
    drops_.push_back(fmt::format("ALTER TABLE {} DISABLE TRIGGER {}", table, name));
    drops_.emplace_back(kEmptySums);
    drops_.emplace_back(kSumsIncomplete);
    add({kAttach, "", "trigger " + name,
         fmt::format("ALTER TABLE {} ENABLE {}TRIGGER {}", table,
                     enabled == "R" ? "REPLICA " : (enabled == "A" ? "ALWAYS " : ""), name)});
    add({kLast, "sums", "sums of the sales",
         fmt::format("CALL public.sales_rollup_backfill({})", kSumsRows), "",
         kSumsCost * rows(sales_.substr(1, sales_.size() - 2)), true});
    add({kVacuumSums, "", "vacuum of the sums",
         "VACUUM (ANALYZE) public.sales_changes, public.sales_hourly, public.product_sales", "", 1,
         true});
  }

  void vacuum() {
    const auto names = connection_.exec(
        "SELECT format('%I.%I', n.nspname, c.relname), c.oid::text FROM pg_class c"
        " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = ANY ($1::oid[])",
        pg::Params::of(six_), deadline_);
    for (int i = 0; i < names.rows(); ++i) {
      const std::string table(names.text(i, 0));
      add({kVacuum, table, "vacuum of " + table, "VACUUM (FREEZE, ANALYZE) " + table, "",
           kVacuumCost * rows(names.text(i, 1)), true});
    }
  }

  struct Draft {
    int stage;
    std::string lane, what, sql, tablespace;
    double weight = 1;
    bool alone = false;
  };
  void add(const Draft& draft) {
    steps_.push_back({{"stage", draft.stage},
                      {"lane", draft.lane},
                      {"what", draft.what},
                      {"sql", draft.sql},
                      {"tablespace", draft.tablespace},
                      {"weight", draft.weight},
                      {"alone", draft.alone}});
  }

  void write() {
    for (std::size_t i = 0; i < steps_.size(); ++i) {
      connection_.exec(
          "INSERT INTO pantryd.seed_ledger (part, chunk, row_count, details) VALUES ('rebuild', "
          "$1, "
          "0, $2::jsonb)",
          pg::Params::of(static_cast<std::int64_t>(i), steps_[i].dump()), deadline_);
    }
  }

  pg::Connection& connection_;
  const std::vector<BulkTable>& tables_;
  Deadline deadline_;
  std::string six_, bulk_, sales_;  ///< arrays of oid, as text
  std::vector<std::pair<std::string, double>> rows_;
  std::string keys_;
  std::vector<std::string> drops_;
  std::vector<nlohmann::json> steps_;
};

}  // namespace

bool may_put_aside(pg::Connection& connection, Deadline deadline) {
  const auto found = connection.exec(
      kPlainTables, pg::Params::of(oids(connection, six_tables(), deadline)), deadline);
  return !found.is_null(0, 0) && found.boolean(0, 0);
}

std::int64_t put_aside(pg::Connection& connection, const std::vector<BulkTable>& tables,
                       Deadline deadline) {
  return Aside(connection, tables, deadline).run();
}

}  // namespace pantryd::loadgen
