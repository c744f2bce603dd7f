// ALTER TABLE and CREATE TABLE: the lock of each form, as the manual's page of ALTER TABLE has it
// (AlterTableGetLockLevel() in the server's source); the strongest of a statement holds for all.
#include <set>

#include "migrate/plan/reach.h"

namespace pantryd::migrate {
namespace {

using Mode = LockMode;

Mode mode_of_constraint(const Json& constraint) {
  return text_of(constraint, "contype") == "CONSTR_FOREIGN" ? Mode::share_row_exclusive
                                                            : Mode::access_exclusive;
}

Mode mode_of_options(const Json& command, bool of_table) {
  if (!of_table) return Mode::access_exclusive;
  const auto& items = child(child(child(command, "def"), "List"), "items");
  if (!items.is_array()) return Mode::access_exclusive;
  for (const auto& each : items) {
    if (text_of(child(each, "DefElem"), "defname") == "user_catalog_table") {
      return Mode::access_exclusive;
    }
  }
  return Mode::share_update_exclusive;
}

Mode mode_of(const std::string& subtype, const Json& command, bool of_view) {
  static const std::set<std::string> kShareUpdate{
      "AT_SetStatistics",   "AT_ClusterOn",
      "AT_DropCluster",     "AT_SetOptions",
      "AT_ResetOptions",    "AT_ValidateConstraint",
      "AT_AttachPartition", "AT_DetachPartitionFinalize"};
  static const std::set<std::string> kShareRow{
      "AT_EnableTrig",     "AT_EnableAlwaysTrig", "AT_EnableReplicaTrig", "AT_EnableTrigAll",
      "AT_EnableTrigUser", "AT_DisableTrig",      "AT_DisableTrigAll",    "AT_DisableTrigUser"};
  if (kShareUpdate.count(subtype) > 0) return Mode::share_update_exclusive;
  if (kShareRow.count(subtype) > 0) return Mode::share_row_exclusive;
  if (subtype == "AT_AddConstraint") {
    return mode_of_constraint(child(child(command, "def"), "Constraint"));
  }
  if (subtype == "AT_SetRelOptions" || subtype == "AT_ResetRelOptions") {
    return mode_of_options(command, !of_view);
  }
  const auto& partition = child(child(command, "def"), "PartitionCmd");
  if (subtype == "AT_DetachPartition" && flag(partition, "concurrent")) {
    return Mode::share_update_exclusive;
  }
  return Mode::access_exclusive;
}

/// The other table that a form locks.
void lock_other(const std::string& subtype, const Json& command, Reach& out) {
  const auto& definition = child(command, "def");
  const auto& partition = child(definition, "PartitionCmd");
  if (subtype == "AT_AttachPartition") {
    out.lock(child(partition, "name"), Mode::access_exclusive);
  } else if (subtype == "AT_DetachPartition") {
    out.lock(child(partition, "name"),
             flag(partition, "concurrent") ? Mode::share_update_exclusive : Mode::access_exclusive);
  } else if (subtype == "AT_AddInherit") {
    out.lock(child(definition, "RangeVar"), Mode::share_update_exclusive);
  } else if (subtype == "AT_DropInherit") {
    out.lock(child(definition, "RangeVar"), Mode::access_share);
  }
}

void lock_referenced(const Json& constraint, Reach& out) {
  if (text_of(constraint, "contype") != "CONSTR_FOREIGN") return;
  out.lock(child(constraint, "pktable"), Mode::share_row_exclusive);
}

void lock_referenced_by_columns(const Json& column, Reach& out) {
  const auto& constraints = child(column, "constraints");
  if (!constraints.is_array()) return;
  for (const auto& each : constraints) lock_referenced(child(each, "Constraint"), out);
}

Work work_of_command(const std::string& subtype, const Json& command) {
  static const std::set<std::string> kRewrites{"AT_SetLogged", "AT_SetUnLogged",
                                               "AT_SetAccessMethod", "AT_SetTableSpace"};
  if (kRewrites.count(subtype) > 0) return Work::rewrites;
  if (subtype == "AT_ValidateConstraint") return Work::reads;
  const auto& constraint = child(child(command, "def"), "Constraint");
  const bool proves = subtype == "AT_AddConstraint" && !flag(constraint, "skip_validation") &&
                      text_of(constraint, "indexname").empty();
  return proves ? Work::reads : Work::none;
}

}  // namespace

void reach_alter_table(const Json& body, Reach& out) {
  const auto& relation = child(body, "relation");
  const bool of_view = text_of(body, "objtype") == "OBJECT_VIEW";
  const auto& commands = child(body, "cmds");
  if (!commands.is_array()) return;
  for (const auto& each : commands) {
    const auto& command = child(each, "AlterTableCmd");
    const auto subtype = text_of(command, "subtype");
    out.lock(relation, mode_of(subtype, command, of_view));
    lock_other(subtype, command, out);
    lock_referenced(child(child(command, "def"), "Constraint"), out);
    lock_referenced_by_columns(child(child(command, "def"), "ColumnDef"), out);
    out.work_at_least(work_of_command(subtype, command));
    // A default that is only noted down is not computed now.
    if (subtype != "AT_ColumnDefault") reach_functions(command, out);
    const auto& partition = child(child(command, "def"), "PartitionCmd");
    if (subtype == "AT_DetachPartition" && flag(partition, "concurrent")) {
      out.outside = true;
      out.unfit = "it cannot run in a transaction";
    }
  }
}

void reach_create_table(const Json& body, Reach& out) {
  const auto& parents = child(body, "inhRelations");
  const bool partition = child(body, "partbound").is_object();
  if (parents.is_array()) {
    for (const auto& each : parents) {
      out.lock(child(each, "RangeVar"),
               partition ? Mode::access_exclusive : Mode::share_update_exclusive);
    }
  }
  const auto& elements = child(body, "tableElts");
  if (!elements.is_array()) return;
  for (const auto& each : elements) {
    if (each.contains("TableLikeClause")) {
      out.lock(child(child(each, "TableLikeClause"), "relation"), Mode::access_share);
    }
    lock_referenced(child(each, "Constraint"), out);
    lock_referenced_by_columns(child(each, "ColumnDef"), out);
  }
}

}  // namespace pantryd::migrate
