// The options of `validate`, and what it prints; the stages are daemon/validate.
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "base/file.h"
#include "base/verdict.h"
#include "cli/look.h"
#include "cli/subcommands.h"
#include "loadgen/judge/judged_run.h"
#include "loadgen/report/load_forms.h"
#include "validate/report.h"
#include "validate/server.h"
#include "validate/sheet.h"
#include "validate/stages.h"

namespace pantryd::cli {
namespace {

/// The target to load: the first that is not a standby.
const TargetSettings& primary_target(const Settings& settings, const StopFlag* stop) {
  std::vector<std::string> names;
  for (const auto& target : settings.targets) names.push_back(target.name);
  const auto name = validate::primary_among(names, look_once(settings, stop));
  return *std::find_if(settings.targets.begin(), settings.targets.end(),
                       [&](const auto& target) { return target.name == name; });
}

/// The schema that was asked for; empty: any.
std::string schema_option(const po::variables_map& values) {
  if (values.count("schema") == 0) return {};
  auto schema = values["schema"].as<std::string>();
  if (schema == "current" || schema == "as-built") return schema;
  throw Error(ExitCode::usage, fmt::format("--schema {} is unknown", schema),
              "It is as-built or current.");
}

/// None: the rows that are there.
std::optional<double> scale_option(const po::variables_map& values) {
  if (values.count("scale") == 0) return std::nullopt;
  const double scale = values["scale"].as<double>();
  if (scale > 0 && scale <= 100) return scale;
  throw Error(ExitCode::usage, "--scale is a share above 0 and up to 100");
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
  write_file_atomically(folder / "claims.json", report.to_json());
  for (const auto& run : evidence.loads) {
    if (run.result) write_file_atomically(folder / run.file, to_json(*run.result));
  }
  write_file_atomically(folder / "report.html", report.to_html());
}

}  // namespace

int run_validate(const Context& context, const Arguments& arguments) {
  po::options_description options("Options");
  options.add_options()("claims", po::value<std::string>()->default_value(""),
                        "claim sheet; default: the one in this binary")(
      "scale", po::value<double>(),
      "first seed this share of a million products and ten million sales")(
      "schema", po::value<std::string>(), "as-built or current: refuse to validate another schema")(
      "workload", po::value<std::string>(),
      "as for load run; default: grocery, or grocery-improved with --schema current")(
      "budget", po::value<std::string>()->default_value("60s"), "time for the loads")(
      "out", po::value<std::string>()->default_value(""), "folder for the report");
  const auto values = parse("validate [--claims FILE] [--scale S] [--budget T] [--out DIR]",
                            options, {}, arguments);
  if (!values) return 0;
  const auto claims = validate::load_claims((*values)["claims"].as<std::string>());
  validate::StageOptions stages;
  stages.budget = duration_option(*values, "budget");
  const auto schema = schema_option(*values);
  if (schema == "current") stages.workload = "grocery-improved";
  if (values->count("workload") > 0) stages.workload = (*values)["workload"].as<std::string>();
  (void)loadgen::load_workload(stages.workload);  // a mistake in it is found before any load
  const auto scale = scale_option(*values);
  const auto settings = load_settings(context);

  validate::Report report;
  report.tool_version = PANTRYD_VERSION;
  report.started_at = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
  const auto where = primary_target(settings, context.stop).login();
  report.target = where.display();
  if (!schema.empty()) validate::require_schema(where, schema, context.stop);
  if (scale) {
    const auto seeded = validate::seed_to_scale(where, *scale, context.stop);
    if (!context.json) fmt::print("{}", seeded);
  }

  const auto evidence =
      validate::gather(claims, stages, real_hands(context, settings, where), context.stop);
  report.verdicts = validate::judge_claims(claims, evidence);
  fmt::print("{}", context.json ? report.to_json() : "\n" + report.to_text());
  const auto out = (*values)["out"].as<std::string>();
  if (!out.empty()) write_report(out, report, evidence);
  return static_cast<int>(exit_code_of(report.overall()));
}

}  // namespace pantryd::cli
