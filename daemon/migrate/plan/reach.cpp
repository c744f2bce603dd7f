// Invariant: a lock that is listed is one that the manual documents; where the tree does not tell
// (functions, cascades, foreign keys of others) nothing is guessed, and trying it tells.
#include "migrate/plan/reach.h"

#include <algorithm>
#include <array>
#include <set>
#include <string_view>

#include "pg/identifier.h"

namespace pantryd::migrate {
namespace {

using Mode = LockMode;

/// Kinds of statements that are never tried, and why.
struct Unfit {
  std::string_view kind;
  const char* why;
  bool outside;   ///< the server refuses it in a transaction
  bool harmless;  ///< nothing later can depend on it
};
constexpr const char* kOutside = "it cannot run in a transaction";
constexpr const char* kCode = "it runs code that nobody looked into";
constexpr const char* kLasting = "a rollback does not undo it";
constexpr std::array kUnfit{
    Unfit{"AlterDatabaseStmt", kLasting, false, true},
    Unfit{"AlterSubscriptionStmt", "it talks to another server", false, false},
    Unfit{"AlterSystemStmt", kOutside, true, true},
    Unfit{"AlterTableMoveAllStmt", "it moves an unknown number of tables", false, false},
    Unfit{"CallStmt", kCode, false, false},
    Unfit{"CheckPointStmt", kLasting, false, true},
    Unfit{"CopyStmt", "it reads or writes what is outside of the database", false, false},
    Unfit{"CreateSubscriptionStmt", "it talks to another server", false, false},
    Unfit{"CreateTableSpaceStmt", kOutside, true, false},
    Unfit{"CreatedbStmt", kOutside, true, false},
    Unfit{"DiscardStmt", kOutside, true, true},
    Unfit{"DoStmt", kCode, false, false},
    Unfit{"DropSubscriptionStmt", "it talks to another server", false, false},
    Unfit{"DropTableSpaceStmt", kOutside, true, false},
    Unfit{"DropdbStmt", kOutside, true, false},
    Unfit{"ExecuteStmt", kCode, false, false},
    Unfit{"ImportForeignSchemaStmt", "it talks to another server", false, false},
    Unfit{"LoadStmt", kCode, false, true},
};

void reach_reads(const Json& body, Reach& out) {
  std::set<std::string> own;
  bool locking = false;
  visit(body, [&](const std::string& kind, const Json& node) {
    if (kind == "CommonTableExpr") own.insert(text_of(node, "ctename"));
    locking = locking || kind == "LockingClause";
  });
  visit(body, [&](const std::string& kind, const Json& node) {
    if (kind != "RangeVar") return;
    if (text_of(node, "schemaname").empty() && own.count(text_of(node, "relname")) > 0) return;
    out.lock(node, locking ? Mode::row_share : Mode::access_share);
  });
}

void reach_change(const std::string& kind, const Json& body, Reach& out) {
  const auto& relation = child(body, "relation");
  out.lock(relation, Mode::row_exclusive);
  out.rows.push_back(
      {text_of(relation, "schemaname"), text_of(relation, "relname"), Mode::row_exclusive});
  out.inserts = out.inserts || kind == "InsertStmt" || kind == "MergeStmt";
  const auto& select = child(child(body, "selectStmt"), "SelectStmt");
  if (child(select, "fromClause").is_array() || kind == "MergeStmt") {
    out.work_at_least(Work::changes_rows);
  }
}

/// SELECT and what changes rows, also within WITH and EXPLAIN ANALYZE.
void reach_query(const std::string& kind, const Json& body, Reach& out) {
  static const std::set<std::string> kChanges{"InsertStmt", "UpdateStmt", "DeleteStmt",
                                              "MergeStmt"};
  reach_reads(body, out);
  reach_functions(body, out);
  if (kChanges.count(kind) > 0) reach_change(kind, body, out);
  visit(body, [&](const std::string& below, const Json& node) {
    if (kChanges.count(below) > 0) reach_change(below, node, out);
  });
  if (kind == "SelectStmt" && !out.locks.empty()) out.work_at_least(Work::reads);
}

void reach_create_as(const Json& body, Reach& out) {
  reach_reads(child(body, "query"), out);
  reach_functions(child(body, "query"), out);
  if (!flag(child(body, "into"), "skipData") && !out.locks.empty()) out.work_at_least(Work::reads);
}

void reach_index(const Json& body, Reach& out) {
  const bool concurrent = flag(body, "concurrent");
  out.lock(child(body, "relation"), concurrent ? Mode::share_update_exclusive : Mode::share);
  out.work_at_least(Work::reads);
  if (concurrent) {
    out.outside = true;
    out.unfit = kOutside;
  }
}

void reach_drop(const Json& body, Reach& out) {
  const auto type = text_of(body, "removeType");
  const bool concurrent = flag(body, "concurrent");
  const auto mode = concurrent ? Mode::share_update_exclusive : Mode::access_exclusive;
  static const std::set<std::string> kRelations{"OBJECT_TABLE", "OBJECT_VIEW", "OBJECT_MATVIEW",
                                                "OBJECT_SEQUENCE", "OBJECT_FOREIGN_TABLE"};
  const auto& objects = child(body, "objects");
  if (!objects.is_array()) return;
  for (const auto& each : objects) {
    auto names = names_of(child(child(each, "List"), "items"));
    if (kRelations.count(type) > 0) out.lock(names, mode);
    if (type == "OBJECT_INDEX") out.lock(names, mode, mode);
    if (type == "OBJECT_TRIGGER" || type == "OBJECT_POLICY" || type == "OBJECT_RULE") {
      if (names.size() < 2) continue;
      names.pop_back();
      out.lock(names, mode);
    }
  }
  if (concurrent) {
    out.outside = true;
    out.unfit = kOutside;
  }
}

void reach_rename(const Json& body, Reach& out) {
  const bool index = text_of(body, "renameType") == "OBJECT_INDEX";
  out.lock(child(body, "relation"), index ? Mode::share_update_exclusive : Mode::access_exclusive);
}

void reach_reindex(const Json& body, Reach& out) {
  const bool concurrent = has_option(child(body, "params"), "concurrently");
  const auto kind = text_of(body, "kind");
  const auto& relation = child(body, "relation");
  const std::vector<std::string> names{text_of(relation, "schemaname"),
                                       text_of(relation, "relname")};
  const auto table = concurrent ? Mode::share_update_exclusive : Mode::share;
  if (kind == "REINDEX_OBJECT_TABLE") {
    out.lock(names, table);
  } else if (kind == "REINDEX_OBJECT_INDEX") {
    out.lock(names, concurrent ? Mode::share_update_exclusive : Mode::access_exclusive, table);
  }
  out.work_at_least(Work::reads);
  if (concurrent || relation.is_null()) {
    out.outside = true;
    out.unfit = kOutside;
  }
}

void reach_vacuum(const Json& body, Reach& out) {
  const bool vacuum = flag(body, "is_vacuumcmd");
  const bool full = vacuum && has_option(child(body, "options"), "full");
  const auto& relations = child(body, "rels");
  if (relations.is_array()) {
    for (const auto& each : relations) {
      out.lock(child(child(each, "VacuumRelation"), "relation"),
               full ? Mode::access_exclusive : Mode::share_update_exclusive);
    }
  }
  out.work_at_least(full ? Work::rewrites : Work::reads);
  if (vacuum) {
    out.outside = true;
    out.unfit = kOutside;
  } else if (!relations.is_array()) {
    out.unfit = "it reads a sample of every table";
    out.harmless = true;
  }
}

void reach_comment(const Json& body, Reach& out) {
  const auto type = text_of(body, "objtype");
  auto names = names_of(child(child(child(body, "object"), "List"), "items"));
  if (type == "OBJECT_COLUMN" && names.size() > 1) names.pop_back();
  static const std::set<std::string> kOnRelations{"OBJECT_TABLE", "OBJECT_COLUMN",
                                                  "OBJECT_VIEW",  "OBJECT_MATVIEW",
                                                  "OBJECT_INDEX", "OBJECT_SEQUENCE"};
  if (kOnRelations.count(type) > 0) out.lock(names, Mode::share_update_exclusive);
}

void reach_list(const Json& list, const char* wrapper, const char* inner, Mode mode, Reach& out) {
  if (!list.is_array()) return;
  for (const auto& each : list) {
    const auto& node = child(each, wrapper);
    out.lock(inner == nullptr ? node : child(child(node, "pubtable"), inner), mode);
  }
}

void reach_set(const Json& body, Reach& out) {
  if (text_of(body, "kind") != "VAR_SET_MULTI") return;
  out.unfit = "it is about the transaction as a whole";
  out.harmless = true;
}

/// One relation and one mode, whatever else is in the statement.
struct Simple {
  std::string_view kind;
  const char* field;
  Mode mode;
};
constexpr std::array kSimple{
    Simple{"AlterObjectSchemaStmt", "relation", Mode::access_exclusive},
    Simple{"AlterPolicyStmt", "table", Mode::access_exclusive},
    Simple{"AlterSeqStmt", "sequence", Mode::share_row_exclusive},
    Simple{"CreatePolicyStmt", "table", Mode::access_exclusive},
    Simple{"CreateTrigStmt", "relation", Mode::share_row_exclusive},
    Simple{"RuleStmt", "relation", Mode::access_exclusive},
};

void reach_table_work(const std::string& kind, const Json& body, Reach& out) {
  const auto& relation = child(body, "relation");
  if (kind == "ClusterStmt") {
    out.lock(relation, Mode::access_exclusive);
    out.work_at_least(Work::rewrites);
    if (relation.is_null()) {
      out.outside = true;
      out.unfit = kOutside;
    }
  } else if (kind == "RefreshMatViewStmt") {
    out.lock(relation, flag(body, "concurrent") ? Mode::exclusive : Mode::access_exclusive);
    out.work_at_least(Work::rewrites);
  } else if (kind == "TruncateStmt") {
    reach_list(child(body, "relations"), "RangeVar", nullptr, Mode::access_exclusive, out);
    out.rows = out.locks;
  } else if (kind == "ViewStmt") {
    reach_reads(child(body, "query"), out);
    if (flag(body, "replace")) out.lock(child(body, "view"), Mode::access_exclusive);
  }
}

void reach_rest(const std::string& kind, const Json& body, Reach& out) {
  for (const auto& each : kSimple) {
    if (each.kind == kind) out.lock(child(body, each.field), each.mode);
  }
  for (const auto& each : kUnfit) {
    if (each.kind != kind) continue;
    out.unfit = each.why;
    out.outside = each.outside;
    out.harmless = each.harmless;
  }
  if (kind == "AlterDatabaseSetStmt" || kind == "AlterRoleSetStmt") return;
  if (kind == "CopyStmt") {
    const bool from = flag(body, "is_from");
    out.lock(child(body, "relation"), from ? Mode::row_exclusive : Mode::access_share);
    out.harmless = !from;
  }
  if (kind == "LockStmt") {
    reach_list(child(body, "relations"), "RangeVar", nullptr,
               static_cast<Mode>(std::clamp<std::int64_t>(number(body, "mode", 8), 1, 8)), out);
  }
  if (kind == "CreateStatsStmt") {
    reach_list(child(body, "relations"), "RangeVar", nullptr, Mode::share_update_exclusive, out);
  }
  if (kind == "CreatePublicationStmt") {
    reach_list(child(body, "pubobjects"), "PublicationObjSpec", "relation",
               Mode::share_update_exclusive, out);
  }
}

void reach(const std::string& kind, const Json& body, Reach& out) {
  static const std::set<std::string> kQueries{"SelectStmt",       "InsertStmt", "UpdateStmt",
                                              "DeleteStmt",       "MergeStmt",  "ExplainStmt",
                                              "DeclareCursorStmt"};
  if (kQueries.count(kind) > 0) return reach_query(kind, body, out);
  if (kind == "AlterTableStmt") return reach_alter_table(body, out);
  if (kind == "CreateStmt") return reach_create_table(body, out);
  if (kind == "CreateTableAsStmt") return reach_create_as(body, out);
  if (kind == "IndexStmt") return reach_index(body, out);
  if (kind == "DropStmt") return reach_drop(body, out);
  if (kind == "RenameStmt") return reach_rename(body, out);
  if (kind == "ReindexStmt") return reach_reindex(body, out);
  if (kind == "VacuumStmt") return reach_vacuum(body, out);
  if (kind == "CommentStmt") return reach_comment(body, out);
  if (kind == "VariableSetStmt") return reach_set(body, out);
  reach_table_work(kind, body, out);
  reach_rest(kind, body, out);
}

}  // namespace

std::string_view to_string(Work work) {
  switch (work) {
    case Work::none:
      return "would do little work";
    case Work::reads:
      return "would read";
    case Work::changes_rows:
      return "would read and change rows of";
    case Work::rewrites:
      return "would rewrite";
  }
  return "";
}

std::string NamedLock::sql() const {
  const auto quoted = pg::quote_identifier(name);
  return schema.empty() ? quoted : pg::quote_identifier(schema) + "." + quoted;
}

void Reach::lock(const std::vector<std::string>& names, LockMode mode,
                 std::optional<LockMode> table_mode) {
  if (names.empty() || names.back().empty()) return;
  const auto schema = names.size() > 1 ? names[names.size() - 2] : std::string();
  for (auto& each : locks) {
    if (each.schema != schema || each.name != names.back()) continue;
    each.mode = std::max(each.mode, mode);
    return;
  }
  locks.push_back({schema, names.back(), mode, table_mode});
}

void Reach::lock(const Json& range_var, LockMode mode) {
  lock(std::vector<std::string>{text_of(range_var, "schemaname"), text_of(range_var, "relname")},
       mode);
}

void Reach::work_at_least(Work more) {
  work = std::max(work, more);
}

void reach_functions(const Json& node, Reach& out) {
  visit(node, [&](const std::string& kind, const Json& call) {
    if (kind == "FuncCall") out.functions.push_back(names_of(child(call, "funcname")));
  });
}

Reach reach_of(const std::string& sql) {
  Reach out;
  int statements = 0;
  each_statement(SqlText(sql), [&](const Statement& statement) {
    if (++statements > 1 || statement.kind.empty()) {
      out = {};
      out.unfit = "the parser here does not know its syntax";
      return;
    }
    reach(statement.kind, statement.body, out);
  });
  return out;
}

Work work_of(const std::vector<Finding>& findings) {
  static const std::set<std::string> kRewrites{"add-column-volatile-default",
                                               "add-column-generated-stored",
                                               "add-column-serial",
                                               "change-column-type",
                                               "cluster",
                                               "set-access-method",
                                               "set-logged",
                                               "set-tablespace",
                                               "vacuum-full",
                                               "refresh-matview-not-concurrent"};
  static const std::set<std::string> kReads{
      "add-check-without-not-valid",  "add-column-not-null-without-default",
      "add-exclusion-constraint",     "add-foreign-key-without-not-valid",
      "add-index-not-concurrent",     "add-primary-key",
      "add-unique-constraint",        "attach-partition-without-check",
      "create-partition-of",          "set-not-null-without-validated-check",
      "validate-in-same-transaction", "reindex-not-concurrent"};
  static const std::set<std::string> kChanges{"update-without-where", "delete-without-where",
                                              "backfill-not-batched"};
  auto out = Work::none;
  for (const auto& each : findings) {
    if (kRewrites.count(each.rule) > 0) out = std::max(out, Work::rewrites);
    if (kReads.count(each.rule) > 0) out = std::max(out, Work::reads);
    if (kChanges.count(each.rule) > 0) out = std::max(out, Work::changes_rows);
  }
  return out;
}

}  // namespace pantryd::migrate
