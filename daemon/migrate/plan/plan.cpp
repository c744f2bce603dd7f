// Invariants: nothing of the server is changed but by Trial, whose transaction is rolled back
// before blockers are looked for; a statement that was not tried, and may have made what others
// need, is remembered, for what fails after it may fail only because of it.
#include "migrate/plan/plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/units.h"
#include "migrate/adopt/knex.h"
#include "migrate/plan/draft.h"
#include "migrate/plan/trial.h"
#include "migrate/run/limits.h"
#include "migrate/run/pending.h"
#include "migrate/run/session_lock.h"

namespace pantryd::migrate {
namespace {

constexpr const char* kMayDepend = "it may depend on";
constexpr std::size_t kBlockersMax = 100;

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
  const bool itself_depends = statement.told->reason.rfind(kMayDepend, 0) == 0;
  if (statement.reach.harmless || (itself_depends && !draft.not_tried.empty())) return;
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
      told.reason = fmt::format("{} {}, which was not tried: {}", kMayDepend, draft.not_tried,
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
  for (auto& each :
       old_transactions(draft.look.connection(), draft.options.old_transaction, soon())) {
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
  require_adopted(look.connection(), soon());
  const auto rows = status(look.connection(), files, soon());
  require_no_drift(rows);
  Draft draft{options, plan, look, {}, {}, {}, {}, {}, {}, {}, {}};
  draft_statements(draft, pending_up(rows, as_runner(options), look.connection().server_version()));
  if (plan.files.empty()) return plan;
  look_up(draft);
  lint_all(draft, files);
  try_and_weigh(draft, where);
  return plan;
}

}  // namespace pantryd::migrate
