// The settings without which an acknowledged sale can be lost: of the server, of roles, databases
// and functions, and of tables. Without a crash that was tried, this never passes.
#include <fmt/format.h>

#include <array>
#include <utility>

#include "base/error.h"
#include "validate/check.h"
#include "validate/metric_names.h"
#include "validate/promises.h"

namespace pantryd::validate {
namespace {

namespace names = metric_names;

struct Keys {};

Keys parse(YamlMap&) {
  return {};
}

/// Of roles and databases: what a session of the application gets in place of the server's setting.
constexpr const char* kRoleSettings = R"(
SELECT coalesce(r.rolname, 'every role') || ' in ' || coalesce(d.datname, 'every database'), c.text
FROM pg_db_role_setting s
CROSS JOIN LATERAL (SELECT lower(each) FROM unnest(s.setconfig) each) c(text)
LEFT JOIN pg_roles r ON r.oid = s.setrole LEFT JOIN pg_database d ON d.oid = s.setdatabase
WHERE c.text ~ '^synchronous_commit=(off|false|no|0|local|remote_write)$'
  AND (s.setdatabase = 0 OR d.datname = current_database())
ORDER BY 1 LIMIT 20)";

constexpr const char* kFunctionSettings = R"(
SELECT n.nspname || '.' || p.proname, c.text
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
CROSS JOIN LATERAL (SELECT lower(each) FROM unnest(p.proconfig) each) c(text)
WHERE c.text ~ '^synchronous_commit=(off|false|no|0|local|remote_write)$' ORDER BY 1 LIMIT 20)";

/// Tables whose rows a crash removes.
constexpr const char* kUnlogged = R"(
SELECT n.nspname || '.' || c.relname, 'unlogged'
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relpersistence = 'u' AND c.relkind = 'r' ORDER BY 1 LIMIT 20)";

Needs needs(const Keys&) {
  Needs out{{}, promise_queries()};
  for (const char* query : {kRoleSettings, kFunctionSettings, kUnlogged}) {
    out.queries.emplace_back(query);
  }
  return out;
}

constexpr std::array<std::pair<const char*, const char*>, 3> kSettings{{
    {"fsync", names::kFsync},
    {"synchronous_commit", names::kSynchronousCommit},
    {"full_page_writes", names::kFullPageWrites},
}};

void add_settings(const Evidence& evidence, Seen& seen, Judgement& out) {
  const auto* primary = evidence.primary();
  std::string measured;
  for (const auto& [setting, metric] : kSettings) {
    const auto value = primary != nullptr ? primary->value(metric) : std::nullopt;
    if (!value) {
      seen.unreadable = true;
      out.evidence.push_back(fmt::format("could not read {}", setting));
      continue;
    }
    seen.bad = seen.bad || *value == 0;
    measured +=
        fmt::format("{}{} {}", measured.empty() ? "" : ", ", setting, *value != 0 ? "on" : "off");
  }
  out.measured = measured;
}

/// Each row of the answer is something that loses acknowledged sales: local and remote_write only
/// where a standby is promised.
void add_found(const Evidence& evidence, const char* query, const char* what, Seen& seen,
               Judgement& out) {
  const auto* answer = evidence.answer(query);
  if (answer == nullptr || !answer->readable()) {
    seen.unreadable = true;
    out.evidence.push_back(fmt::format("could not read {}: {}", what,
                                       answer == nullptr ? "not asked" : answer->problem));
    return;
  }
  for (std::size_t row = 0; row < answer->rows.size(); ++row) {
    const auto value = answer->text(row, 1).value_or("?");
    const bool local = value.ends_with("=local") || value.ends_with("=remote_write");
    const bool alone = standby_names(evidence).value_or("") == "";
    seen.bad = seen.bad || !(local && alone);
    out.evidence.push_back(fmt::format("{}: {}", answer->text(row, 0).value_or("?"), value));
  }
}

/// What the workloads of this sheet set for themselves.
void add_workloads(const Evidence& evidence, Seen& seen, Judgement& out) {
  for (const auto& run : evidence.loads) {
    if (!run.result) continue;
    const auto& workload = run.result->options.workload;
    const auto sql = weakened_commit(workload);
    if (!sql) continue;
    seen.bad = true;
    out.evidence.push_back(fmt::format("the workload {} gives up its own durability: {}",
                                       workload.name, one_line(*sql)));
    return;
  }
}

Judgement judge(const Keys&, const Evidence& evidence) {
  Judgement out;
  Seen seen;
  add_settings(evidence, seen, out);
  add_promise(evidence, seen, out);
  add_found(evidence, kRoleSettings, "the settings of roles and databases", seen, out);
  add_found(evidence, kFunctionSettings, "the settings of functions", seen, out);
  add_found(evidence, kUnlogged, "which tables are unlogged", seen, out);
  add_workloads(evidence, seen, out);
  seen.conclude(out);
  return out;
}

}  // namespace

const Check* durability_check() {
  static constexpr auto check = make_check<Keys, parse, needs, judge>("durability");
  return &check;
}

}  // namespace pantryd::validate
