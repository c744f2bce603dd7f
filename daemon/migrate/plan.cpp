// Invariants: the statements of a Draft are in the order of up; nothing of the server is changed
// but by Trial, whose transaction is rolled back before blockers are looked for; a statement that
// was not tried, and may have made what others need, is remembered, for what fails after it may
// fail only because of it.
#include "migrate/plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/units.h"
#include "migrate/lint_text.h"
#include "migrate/lint_walk.h"
#include "migrate/pending.h"
#include "migrate/plan_look.h"
#include "migrate/plan_reach.h"
#include "migrate/plan_try.h"

namespace pantryd::migrate {
namespace {

constexpr auto kStatusLimit = std::chrono::seconds(30);
constexpr std::size_t kBlockersMax = 100;

struct DraftStatement {
  const SqlStatement* sql = nullptr;
  Reach reach;
  PlannedStatement* told = nullptr;
};

struct DraftFile {
  Task task;
  std::vector<DraftStatement> statements;
};

/// What is known while one plan is made.
struct Draft {
  const PlanOptions& options;
  Plan& plan;
  Look& look;
  std::vector<DraftFile> files;
  std::map<std::string, Relation> relations;  ///< by name as SQL, those that are there
  std::map<Oid, Relation> by_oid;
  std::map<Oid, Weight> weights;
  std::map<Oid, LockMode> wanted;  ///< the strongest of the whole plan
  std::map<Oid, std::string> blocked;
  std::string not_tried;  ///< the first place that may have made what is needed later
  std::string failed;     ///< the place where up would stop
};

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

/// The locks of the manual, on what is there and on what only the plan would make.
std::vector<std::pair<PlannedLock, Oid>> documented(Draft& draft, const Reach& reach) {
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
    out.emplace_back(planned(draft, relation, each.mode), relation.oid);
    if (!each.table_mode || !relation.is_index()) continue;
    const auto table = draft.by_oid.find(relation.table);
    if (table == draft.by_oid.end()) continue;
    out.emplace_back(planned(draft, table->second, *each.table_mode), relation.table);
  }
  return out;
}

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

/// After all files are in their place, for their statements are pointed at.
void draft_statements(Draft& draft) {
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

/// Judges every file in order, the applied ones for what they teach. A rule that the file allows is
/// left out of what is told, but its work counts.
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
    for (const auto& each : file.allowances) {
      input.allows.push_back({each.rule, each.reason, each.line});
    }
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

/// Why this statement is not to be tried; empty when it may be.
std::string reason_not_to(Draft& draft, const Trial* trial, const DraftStatement& statement) {
  const auto& reach = statement.reach;
  if (!reach.unfit.empty()) return reach.unfit;
  if (trial == nullptr) return "nothing is tried";
  for (const auto* relation : relations_of(draft, reach)) {
    if (const auto held = draft.blocked.find(relation->oid); held != draft.blocked.end()) {
      return held->second;
    }
  }
  if (reach.work == Work::none) return {};
  for (const auto* relation : relations_of(draft, reach)) {
    const auto found = draft.weights.find(relation->oid);
    const auto bytes = found == draft.weights.end() ? std::nullopt : found->second.bytes;
    if (!bytes || *bytes <= draft.options.size_max_bytes) continue;
    return fmt::format("it {} {} ({})", to_string(reach.work), relation->sql(),
                       format_bytes(*bytes));
  }
  return {};
}

void tell_documented(Draft& draft, DraftStatement& statement) {
  for (auto& [lock, oid] : documented(draft, statement.reach)) {
    if (oid != 0) want(draft, oid, lock.mode);
    statement.told->locks.push_back(std::move(lock));
  }
}

/// What was seen, and what of the documented locks could not be seen because it was held before.
void tell_seen(Draft& draft, const Trial& trial, const std::map<Oid, LockMode>& before,
               const std::map<Oid, LockMode>& of_file, const Attempt& attempt,
               DraftStatement& statement) {
  std::set<Oid> told;
  for (const auto& each : attempt.locks) {
    // An index beside its table says nothing, unless it is locked more strongly.
    const bool beside = std::any_of(attempt.locks.begin(), attempt.locks.end(), [&](const auto& t) {
      return t.relation.oid == each.relation.table && t.mode >= each.mode;
    });
    const auto table = trial.held().find(each.relation.table);
    if (each.relation.is_index() && (beside || each.mode <= LockMode::row_exclusive ||
                                     (each.is_new && table != trial.held().end()))) {
      continue;
    }
    auto lock = planned(draft, each.relation, each.mode);
    lock.seen = true;
    lock.is_new = each.is_new;
    if (!each.is_new) want(draft, each.relation.oid, each.mode);
    if (!each.is_new) draft.by_oid[each.relation.oid] = each.relation;
    told.insert(each.relation.oid);
    statement.told->locks.push_back(std::move(lock));
  }
  for (auto& [lock, oid] : documented(draft, statement.reach)) {
    const auto held = before.find(oid);
    if (oid == 0 || told.count(oid) > 0 || held == before.end() || held->second < lock.mode) {
      continue;
    }
    const auto own = of_file.find(oid);
    lock.held = own != of_file.end() && own->second >= lock.mode;
    want(draft, oid, lock.mode);
    statement.told->locks.push_back(std::move(lock));
  }
}

void tell_blocked(Draft& draft, const Trial& trial, DraftStatement& statement) {
  std::map<Oid, LockMode> wanted;
  for (const auto& [lock, oid] : documented(draft, statement.reach)) {
    if (oid != 0) wanted[oid] = lock.mode;
  }
  auto holders = draft.look.holders(wanted, trial.pid());
  if (!holders.empty()) {
    const auto& first = holders.front();
    statement.told->reason = fmt::format("pid {} holds {}", first.who.pid, first.holds);
  }
  for (const auto& [oid, mode] : wanted) {
    for (const auto& each : draft.look.holders({{oid, mode}}, trial.pid())) {
      draft.blocked.emplace(oid, fmt::format("pid {} holds {}", each.who.pid, each.holds));
    }
  }
  for (auto& each : holders) {
    if (draft.plan.blockers.size() < kBlockersMax) draft.plan.blockers.push_back(std::move(each));
  }
}

/// Whether later failures may be due to this one.
void note_not_tried(Draft& draft, const DraftFile& file, const DraftStatement& statement) {
  if (statement.reach.harmless || !draft.not_tried.empty()) return;
  draft.not_tried = fmt::format("{}.sql:{}", file.task.file->name, statement.told->line);
}

void refuse_outside(Draft& draft, const DraftFile& file, DraftStatement& statement) {
  statement.told->outcome = Outcome::fails;
  statement.told->reason = "it cannot run in a transaction, and its file is one";
  draft.failed = fmt::format("{}.sql:{}", file.task.file->name, statement.told->line);
}

void try_statement(Draft& draft, Trial* trial, const DraftFile& file,
                   std::map<Oid, LockMode>& of_file, DraftStatement& statement) {
  auto& told = *statement.told;
  const bool by_statement = file.task.by_statement;
  if (!draft.failed.empty()) {
    told.reason = fmt::format("not reached: {} fails", draft.failed);
  } else if (statement.reach.outside && !by_statement) {
    refuse_outside(draft, file, statement);
  } else {
    told.reason = reason_not_to(draft, trial, statement);
  }
  if (!told.reason.empty()) {
    note_not_tried(draft, file, statement);
    return tell_documented(draft, statement);
  }
  const auto before = trial->held();
  const auto attempt = trial->run(statement.sql->sql, statement.reach);
  told.outcome = attempt.outcome;
  told.reason = attempt.reason;
  if (attempt.outcome == Outcome::tried) {
    tell_seen(draft, *trial, before, of_file, attempt, statement);
    if (by_statement) return;
    for (const auto& each : attempt.locks) of_file[each.relation.oid] = each.mode;
    for (const auto& [lock, oid] : documented(draft, statement.reach)) {
      if (oid != 0 && trial->held().count(oid) > 0) {
        auto& mode = of_file.emplace(oid, lock.mode).first->second;
        mode = std::max(mode, lock.mode);
      }
    }
    return;
  }
  if (attempt.outcome == Outcome::blocked) tell_blocked(draft, *trial, statement);
  if (attempt.outcome == Outcome::fails) {
    if (draft.not_tried.empty()) {
      draft.failed = fmt::format("{}.sql:{}", file.task.file->name, told.line);
    } else {
      told.outcome = Outcome::not_tried;
      told.reason = fmt::format("it may depend on {}, which was not tried: {}", draft.not_tried,
                                attempt.reason);
    }
  }
  if (!by_statement && attempt.reason == "it cannot run in a transaction") {
    refuse_outside(draft, file, statement);
  }
  note_not_tried(draft, file, statement);
  tell_documented(draft, statement);
}

void try_all(Draft& draft, Trial* trial) {
  for (auto& file : draft.files) {
    if (trial != nullptr) trial->new_file();
    std::map<Oid, LockMode> of_file;
    for (auto& statement : file.statements) {
      try_statement(draft, trial, file, of_file, statement);
    }
  }
}

/// What only trying has shown is weighed after the rollback.
void weigh_rest(Draft& draft) {
  std::set<Oid> rest;
  std::map<std::string, Oid> names;
  for (const auto& [oid, relation] : draft.by_oid) {
    if (draft.weights.count(oid) == 0) rest.insert(oid);
    names[relation.sql()] = oid;
  }
  for (const auto& [oid, weight] : draft.look.weigh(rest)) draft.weights[oid] = weight;
  for (auto& file : draft.plan.files) {
    for (auto& statement : file.statements) {
      for (auto& lock : statement.locks) {
        const auto oid = names.find(lock.relation);
        if (lock.is_new || lock.bytes || oid == names.end()) continue;
        lock.bytes = draft.weights[oid->second].bytes;
        lock.rows = draft.weights[oid->second].rows;
      }
    }
  }
}

void tell_blockers(Draft& draft, int own_pid) {
  auto& out = draft.plan.blockers;
  for (auto& each : draft.look.holders(draft.wanted, own_pid)) out.push_back(std::move(each));
  for (auto& each : old_transactions(draft.look.connection(), draft.options.old_transaction,
                                     Deadline::in(kStatusLimit))) {
    if (each.pid == own_pid) continue;
    out.push_back({std::move(each), "an old transaction: concurrent builds wait for it"});
  }
  std::vector<PlanBlocker> unique;
  for (auto& each : out) {
    const bool again = std::any_of(unique.begin(), unique.end(), [&](const auto& seen) {
      return seen.who.pid == each.who.pid && seen.holds == each.holds;
    });
    if (!again && unique.size() < kBlockersMax) unique.push_back(std::move(each));
  }
  out = std::move(unique);
}

RunnerOptions as_runner(const PlanOptions& options) {
  RunnerOptions out;
  out.to = options.to;
  out.allow_out_of_order = options.allow_out_of_order;
  return out;
}

void try_and_weigh(Draft& draft, const pg::Conninfo& where) {
  auto runner = draft.look.other_runner();
  if (runner) {
    draft.plan.notes.push_back(
        fmt::format("pid {} runs migrations right now, so nothing is tried", runner->who.pid));
    draft.plan.blockers.push_back(std::move(*runner));
  }
  if (!draft.options.try_it || runner) {
    try_all(draft, nullptr);
    return tell_blockers(draft, 0);
  }
  for (const auto& each : draft.look.event_triggers()) {
    draft.plan.notes.push_back(
        fmt::format("the event trigger {} runs when the plan is tried, as it does in up", each));
  }
  Trial trial(where, draft.look, draft.options);
  require_writable(trial.connection());
  trial.begin();
  try_all(draft, &trial);
  draft.plan.held = trial.end();
  weigh_rest(draft);
  tell_blockers(draft, trial.pid());
}

}  // namespace

std::string_view to_string(Outcome outcome) {
  switch (outcome) {
    case Outcome::tried:
      return "tried";
    case Outcome::not_tried:
      return "not_tried";
    case Outcome::blocked:
      return "blocked";
    case Outcome::fails:
      return "fails";
  }
  return "";
}

Plan make_plan(const pg::Conninfo& where, const std::vector<Migration>& files,
               const PlanOptions& options) {
  Plan plan;
  Look look(where, options.stop);
  if (options.to) require_version(files, *options.to);
  const auto rows = status(look.connection(), files, Deadline::in(kStatusLimit));
  require_no_drift(rows);
  Draft draft{options, plan, look, {}, {}, {}, {}, {}, {}, {}, {}};
  for (auto& task : pending_up(rows, as_runner(options), look.connection().server_version())) {
    draft_file(draft, std::move(task));
  }
  if (plan.files.empty()) return plan;
  draft_statements(draft);
  look_up(draft);
  lint_all(draft, files);
  try_and_weigh(draft, where);
  return plan;
}

}  // namespace pantryd::migrate
