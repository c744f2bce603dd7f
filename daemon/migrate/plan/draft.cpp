// Invariant: files and statements of the draft are those of the plan, in the same order, and point
// at them; neither list changes its length once draft_statements() is done.
#include "migrate/plan/draft.h"

#include <algorithm>

#include "migrate/lint/walk.h"
#include "migrate/sql/text.h"

namespace pantryd::migrate {
namespace {

/// Each finding to the statement that it is about.
void deal_findings(std::vector<Finding> findings, DraftFile& file) {
  for (auto& each : findings) {
    DraftStatement* best = nullptr;
    for (auto& statement : file.statements) {
      if (statement.told->line > each.line) break;
      const bool better = best == nullptr || best->told->line < statement.told->line ||
                          statement.told->text == each.statement;
      // Several on a line are told apart by their texts.
      if (best != nullptr && best->told->line == statement.told->line &&
          best->told->text == each.statement) {
        continue;
      }
      if (better) best = &statement;
    }
    if (best != nullptr) best->told->findings.push_back(std::move(each));
  }
}

void draft_file(Draft& draft, Task task) {
  PlannedFile told;
  told.name = task.file->name;
  told.in_transaction = !task.by_statement;
  told.statements_total = static_cast<int>(task.statements.size());
  told.statements_done = task.half ? task.half->statements_done : 0;
  told.statements.resize(
      task.statements.size() -
      std::min(task.statements.size(), static_cast<std::size_t>(told.statements_done)));
  draft.plan.files.push_back(std::move(told));
  draft.files.push_back({std::move(task), {}});
}

}  // namespace

void draft_statements(Draft& draft, std::vector<Task> tasks) {
  for (auto& task : tasks) draft_file(draft, std::move(task));
  // Only now do the files stay in their place, for their statements are pointed at.
  for (std::size_t i = 0; i < draft.files.size(); ++i) {
    auto& file = draft.files[i];
    auto& told = draft.plan.files[i];
    const auto done = file.task.statements.size() - told.statements.size();
    for (std::size_t n = 0; n < told.statements.size(); ++n) {
      const auto& sql = file.task.statements[done + n];
      auto& each = told.statements[n];
      each.number = static_cast<int>(done + n + 1);
      each.line = sql.line;
      each.text = excerpt(sql.sql);
      file.statements.push_back({&sql, reach_of(sql.sql), &each});
    }
  }
}

std::vector<const Relation*> relations_of(const Draft& draft, const Reach& reach) {
  std::vector<const Relation*> out;
  for (const auto& each : reach.locks) {
    const auto found = draft.relations.find(each.sql());
    if (found != draft.relations.end()) out.push_back(&found->second);
  }
  return out;
}

void want(Draft& draft, Oid oid, LockMode mode) {
  auto& strongest = draft.wanted.emplace(oid, mode).first->second;
  strongest = std::max(strongest, mode);
}

PlannedLock planned(const Draft& draft, const Relation& relation, LockMode mode) {
  PlannedLock out;
  out.relation = relation.sql();
  out.mode = mode;
  if (const auto weight = draft.weights.find(relation.oid); weight != draft.weights.end()) {
    out.bytes = weight->second.bytes;
    out.rows = weight->second.rows;
  }
  return out;
}

std::vector<std::pair<PlannedLock, Oid>> documented(const Draft& draft, const Reach& reach) {
  std::vector<std::pair<PlannedLock, Oid>> out;
  for (const auto& each : reach.locks) {
    const auto found = draft.relations.find(each.sql());
    if (found == draft.relations.end()) {
      PlannedLock lock;
      lock.relation = LintWalk::sql_name(std::vector<std::string>{each.schema, each.name});
      lock.mode = each.mode;
      lock.is_new = true;
      out.emplace_back(std::move(lock), 0);
      continue;
    }
    const auto& relation = found->second;
    const auto table = draft.by_oid.find(relation.table);
    const bool with_table = each.table_mode && table != draft.by_oid.end();
    // An index beside its table says nothing, unless it is locked more strongly.
    if (!with_table || *each.table_mode < each.mode) {
      out.emplace_back(planned(draft, relation, each.mode), relation.oid);
    }
    if (with_table) {
      out.emplace_back(planned(draft, table->second, *each.table_mode), relation.table);
    }
  }
  return out;
}

void look_up(Draft& draft) {
  std::set<std::string> names;
  for (const auto& file : draft.files) {
    for (const auto& statement : file.statements) {
      for (const auto& lock : statement.reach.locks) names.insert(lock.sql());
    }
  }
  draft.relations = draft.look.resolve(names);
  std::set<Oid> oids;
  std::set<Oid> tables;
  for (const auto& [name, relation] : draft.relations) {
    draft.by_oid[relation.oid] = relation;
    oids.insert(relation.oid);
    if (relation.is_index()) tables.insert(relation.table);
  }
  for (const auto& [oid, relation] : describe_relations(draft.look.connection(), tables)) {
    draft.by_oid[oid] = relation;
    oids.insert(oid);
  }
  draft.weights = draft.look.weigh(oids);
}

void lint_all(Draft& draft, const std::vector<Migration>& files) {
  std::map<std::string, TableSize> sizes;
  for (const auto& [oid, relation] : draft.by_oid) {
    const auto weight = draft.weights.find(oid);
    if (weight == draft.weights.end() || !weight->second.bytes || !weight->second.rows) continue;
    sizes[LintWalk::key(std::vector<std::string>{relation.schema, relation.name})] = {
        *weight->second.rows, *weight->second.bytes, 0};
  }
  Linter telling;
  Linter weighing;
  for (const auto& file : files) {
    LintInput input{.sql = file.up, .in_transaction = file.up_options.transaction, .sizes = sizes};
    const auto all = weighing.lint(input);
    input.allows = file.allowances;
    auto told = telling.lint(input);
    const auto found = std::find_if(draft.files.begin(), draft.files.end(),
                                    [&](const auto& each) { return each.task.file == &file; });
    if (found == draft.files.end()) continue;
    deal_findings(all, *found);
    for (auto& each : found->statements) {
      each.reach.work_at_least(work_of(each.told->findings));
      each.told->findings.clear();
    }
    deal_findings(std::move(told), *found);
  }
}

}  // namespace pantryd::migrate
