// The validate command: reads its options and prints the verdicts; daemon/validate has the stages.
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "base/verdict.h"
#include "cli/command.h"
#include "cli/look.h"
#include "cli/write_result.h"
#include "loadgen/judge/judged_run.h"
#include "loadgen/report/load_forms.h"
#include "loadgen/report/surroundings_text.h"
#include "settings/settings.h"
#include "validate/report.h"
#include "validate/server.h"
#include "validate/sheet.h"
#include "validate/stages.h"

namespace pantryd::cli {
namespace {

constexpr double kScaleLeast = 0.0001;  // 100 products and 1,000 sales
constexpr double kScaleMost = 100;

/// The target to load: the first that is not a standby.
const TargetSettings& primary_target(const Settings& settings, const StopFlag* stop) {
  std::vector<std::string> names;
  for (const auto& target : settings.targets) names.push_back(target.name);
  const auto name = validate::primary_among(names, look_once(settings, stop));
  return *std::find_if(settings.targets.begin(), settings.targets.end(),
                       [&](const auto& target) { return target.name == name; });
}

validate::Hands real_hands(const Context& context, const Settings& settings,
                           const pg::Conninfo& where) {
  validate::Hands out;
  out.drive = [&context, where](const auto& options) {
    return loadgen::run_and_judge(where, options, {}, context.stop);
  };
  out.look = [&settings] {
    std::vector<validate::ServerEvidence> servers;
    // Without the stop flag: a person who ends the loads still gets the other verdicts.
    for (const auto& snapshot : look_once(settings, nullptr)) {
      servers.push_back(validate::evidence_of(*snapshot));
    }
    return servers;
  };
  out.ask = [where](const std::string& query) { return validate::ask(where, query); };
  if (!context.json) {
    out.announce = [](const std::string& line) {
      fmt::print("{}\n", line);
      std::fflush(stdout);
    };
  }
  return out;
}

void write_report(const std::filesystem::path& folder, const validate::Report& report,
                  const validate::Evidence& evidence) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  write_result(folder / "claims.json", report.to_json());
  for (const auto& run : evidence.loads) {
    if (run.result) write_result(folder / run.file, to_json(*run.result));
  }
  write_result(folder / "report.html", report.to_html());
}

std::vector<validate::LoadSurroundings> surroundings_of(const validate::Evidence& evidence) {
  std::vector<validate::LoadSurroundings> out;
  for (const auto& run : evidence.loads) {
    if (!run.result) continue;
    out.push_back({run.file, loadgen::surroundings_lines(*run.result)});
    out.back().lines.push_back("warm-up: " + loadgen::warm_up_text(*run.result));
  }
  return out;
}

std::vector<Option> validate_options() {
  return {
      text("claims", "FILE", "", "the claim sheet; default: the one in this binary"),
      number("scale", "S", "", {kScaleLeast, kScaleMost},
             "seed this share of a million products and ten million sales first"),
      choice("schema", "as-built|current", "", "refuse to validate another schema than this"),
      text("workload", "NAME|FILE", "",
           "as for load run; default: grocery, or grocery-improved with --schema current"),
      duration("budget", "60s", std::chrono::milliseconds(0), kNoLimit, "time for the loads"),
      duration("warmup-limit", "2m", std::chrono::seconds(1), std::chrono::hours(1),
               "each load warms up until its service times no longer fall, at most for this"),
      text("out", "DIR", "", "folder for the report"),
  };
}

validate::StageOptions stage_options(const Values& values) {
  validate::StageOptions out;
  out.budget = values.duration("budget");
  out.warmup_limit = values.duration("warmup-limit");
  if (values.text("schema") == "current") out.workload = "grocery-improved";
  if (values.given("workload")) out.workload = values.text("workload");
  (void)loadgen::load_workload(out.workload);  // a mistake in it is found before any load
  return out;
}

int run_validate(const Context& context, const Values& values) {
  const auto claims = validate::load_claims(values.text("claims"));
  const auto stages = stage_options(values);
  const auto settings = load_settings(context);

  validate::Report report;
  report.tool_version = PANTRYD_VERSION;
  report.started_at = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
  const auto where = primary_target(settings, context.stop).login();
  report.target = where.display();
  const auto& schema = values.text("schema");
  if (!schema.empty()) validate::require_schema(where, schema, context.stop);
  if (values.given("scale")) {
    const auto seeded = validate::seed_to_scale(where, values.number("scale"), context.stop);
    if (!context.json) fmt::print("{}", seeded);
  }

  const auto evidence =
      validate::gather(claims, stages, real_hands(context, settings, where), context.stop);
  report.verdicts = validate::judge_claims(claims, evidence);
  report.surroundings = surroundings_of(evidence);
  fmt::print("{}", context.json ? report.to_json() : "\n" + report.to_text());
  const auto& out = values.text("out");
  if (!out.empty()) write_report(out, report, evidence);
  return static_cast<int>(exit_code_of(report.overall()));
}

}  // namespace

Command validate_command() {
  return {.name = "validate",
          .summary = "run the claim sheet: loads, probes, verdicts",
          .usage = "[--claims FILE] [--scale S] [--budget TIME] [--out DIR]",
          .options = validate_options(),
          .examples = {"pantryd validate --config /etc/pantryd/pantryd.yaml --budget 5m --out "
                       "report"},
          .exits = {{0, "every claim is PASS"},
                    {1, "a claim is FAIL, or the run failed"},
                    {3, "--schema: the schema is another one"},
                    {4, "--schema: the schema was changed by hand"},
                    {7, "no FAIL, but something is INCONCLUSIVE or INVALID"},
                    kUnreachable,
                    kUnwritten},
          .run = run_validate};
}

}  // namespace pantryd::cli
