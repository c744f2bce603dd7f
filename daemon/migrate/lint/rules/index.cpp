// Indexes: built, dropped and rebuilt without stopping the writers.
#include <fmt/format.h>

#include "migrate/lint/walk.h"

namespace pantryd::migrate {
namespace {

void refuse_in_transaction(LintWalk& walk, const char* what) {
  walk.report(
      {"concurrent-in-transaction",
       fmt::format("{} fails inside a transaction (25001), and this file runs in one", what),
       walk.alone(walk.text() + ";")});
}

std::vector<std::string> index_columns(const Json& body) {
  std::vector<std::string> out;
  for (const auto& each : child(body, "indexParams")) {
    const auto name = text_of(child(each, "IndexElem"), "name");
    out.push_back(name.empty() ? "expr" : name);
  }
  return out;
}

void create_index(LintWalk& walk, const Json& body) {
  const auto& relation = child(body, "relation");
  const auto table = LintWalk::key(relation);
  const bool concurrent = flag(body, "concurrent");
  const auto suggested = text_of(relation, "relname") + "_" + joined(index_columns(body)) + "_idx";
  if (concurrent && walk.in_transaction) {
    refuse_in_transaction(walk, "CREATE INDEX CONCURRENTLY");
  }
  if (text_of(body, "idxname").empty()) {
    walk.report({"index-without-name",
                 "a name that the server makes up differs after a failed try, so the next try "
                 "builds a second index beside the broken one",
                 "-- give it a name, such as " + quote_name(suggested)});
  }
  if (concurrent || walk.is_new(table)) return;
  walk.mark_locked(table);
  // On a partitioned table ONLY builds nothing; that is the safe first step.
  if (!flag(relation, "inh")) return;
  const auto* facts = walk.known(table);
  std::string rewrite;
  if (facts != nullptr && facts->partitioned) {
    rewrite = fmt::format(
        "{}\n-- for every partition, in a file with \"-- migrate:no-transaction\":\n"
        "CREATE INDEX CONCURRENTLY PARTITION_idx ON PARTITION ({});\n"
        "ALTER INDEX {} ATTACH PARTITION PARTITION_idx;",
        walk.with_words("on", "ONLY"), column_list(index_columns(body)),
        quote_name(text_of(body, "idxname").empty() ? suggested : text_of(body, "idxname")));
  } else {
    rewrite = walk.alone(walk.with_words("index", "CONCURRENTLY"));
  }
  walk.report(
      {"add-index-not-concurrent",
       fmt::format("SHARE lock: nothing can be written to {} while the index is built", table),
       rewrite, table});
}

void drop_index(LintWalk& walk, const Json& body) {
  if (flag(body, "concurrent")) {
    if (walk.in_transaction) refuse_in_transaction(walk, "DROP INDEX CONCURRENTLY");
    return;
  }
  std::string rewrite;
  std::string first;
  for (const auto& each : child(body, "objects")) {
    const auto names = names_of(child(child(each, "List"), "items"));
    if (names.empty() || walk.new_indexes.count(names.back()) > 0) continue;
    if (first.empty()) first = names.back();
    rewrite += fmt::format("{}DROP INDEX CONCURRENTLY IF EXISTS {};", rewrite.empty() ? "" : "\n",
                           LintWalk::sql_name(names));
  }
  if (first.empty()) return;
  walk.report({"drop-index-not-concurrent",
               fmt::format("ACCESS EXCLUSIVE lock on the table of {}: it waits for the oldest "
                           "query, and every later query waits for it",
                           first),
               walk.alone(rewrite)});
}

void reindex(LintWalk& walk, const Json& body) {
  const auto kind = text_of(body, "kind");
  if (has_option(child(body, "params"), "concurrently")) {
    if (walk.in_transaction) refuse_in_transaction(walk, "REINDEX CONCURRENTLY");
    return;
  }
  const auto& relation = child(body, "relation");
  const auto table = kind == "REINDEX_OBJECT_TABLE" ? LintWalk::key(relation) : std::string();
  if (!table.empty() && walk.is_new(table)) return;
  const char* word = kind == "REINDEX_OBJECT_TABLE"    ? "table"
                     : kind == "REINDEX_OBJECT_INDEX"  ? "index"
                     : kind == "REINDEX_OBJECT_SCHEMA" ? "schema"
                     : kind == "REINDEX_OBJECT_SYSTEM" ? "system"
                                                       : "database";
  walk.report({"reindex-not-concurrent",
               "SHARE lock on the table and ACCESS EXCLUSIVE on the index: writers wait, and so "
               "does every query that plans with the index",
               walk.alone(walk.with_words(word, "CONCURRENTLY")), table});
}

}  // namespace

void judge_indexes(LintWalk& walk) {
  const auto& kind = walk.current->kind;
  const auto& body = walk.current->body;
  if (kind == "IndexStmt") create_index(walk, body);
  if (kind == "DropStmt" && text_of(body, "removeType") == "OBJECT_INDEX") drop_index(walk, body);
  if (kind == "ReindexStmt") reindex(walk, body);
  if (kind != "AlterTableStmt") return;
  each_command(body, [&](const std::string& subtype, const Json& command) {
    if (subtype != "AT_DetachPartition") return;
    const auto& partition = child(child(command, "def"), "PartitionCmd");
    if (flag(partition, "concurrent")) {
      if (walk.in_transaction) refuse_in_transaction(walk, "DETACH PARTITION CONCURRENTLY");
      return;
    }
    const auto& child_table = child(partition, "name");
    const auto table = LintWalk::key(child(body, "relation"));
    if (walk.is_new(table)) return;
    walk.report(
        {"detach-not-concurrent",
         fmt::format("ACCESS EXCLUSIVE lock on {} and all of its queries wait for it", table),
         walk.alone(fmt::format("ALTER TABLE {} DETACH PARTITION {} CONCURRENTLY;",
                                LintWalk::sql_name(child(body, "relation")),
                                LintWalk::sql_name(child_table))),
         table});
  });
}

}  // namespace pantryd::migrate
