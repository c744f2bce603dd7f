// Private to plan: what is known while one plan is made.
#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "migrate/plan/look.h"
#include "migrate/plan/plan.h"
#include "migrate/plan/reach.h"
#include "migrate/run/execute.h"

namespace pantryd::migrate {

struct DraftStatement {
  const SqlStatement* sql = nullptr;
  Reach reach;
  PlannedStatement* told = nullptr;
};

struct DraftFile {
  Task task;
  std::vector<DraftStatement> statements;
};

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
  std::string not_tried;  ///< the last place that may have made what is needed later
  std::string failed;     ///< the place where up would stop
};

/// Puts the tasks into the plan and into the draft, and reads what each statement would reach.
void draft_statements(Draft& draft, std::vector<Task> tasks);
/// Which of the relations that are named are there, and what they weigh.
void look_up(Draft& draft);
/// Judges every file in order, the applied ones for what they teach. A rule that the file allows is
/// left out of what is told, but its work counts.
void lint_all(Draft& draft, const std::vector<Migration>& files);

[[nodiscard]] std::vector<const Relation*> relations_of(const Draft& draft, const Reach& reach);
/// The locks of the manual, on what is there and, with 0, on what only the plan would make.
[[nodiscard]] std::vector<std::pair<PlannedLock, Oid>> documented(const Draft& draft,
                                                                  const Reach& reach);
[[nodiscard]] PlannedLock planned(const Draft& draft, const Relation& relation, LockMode mode);
/// Notes that the plan needs this lock, to look for those who are in its way.
void want(Draft& draft, Oid oid, LockMode mode);

}  // namespace pantryd::migrate
