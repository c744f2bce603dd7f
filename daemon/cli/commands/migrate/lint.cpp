// The migrate lint command: what in a migration would harm a database in use.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>
#include <set>

#include "base/embedded.h"
#include "base/error.h"
#include "base/file.h"
#include "cli/command.h"
#include "migrate/lint/file.h"
#include "migrate/lint/linter.h"
#include "pg/connection.h"
#include "pg/conninfo.h"

namespace pantryd::cli {
namespace {

namespace fs = std::filesystem;

constexpr auto kLookLimit = std::chrono::seconds(10);
constexpr std::size_t kFilesMax = 100'000;
constexpr int kOldestServer = 14;
constexpr int kNewestServer = 99;

struct Judged {
  migrate::LintFile file;
  std::vector<migrate::Finding> findings;
};

struct Source {
  fs::path path;         ///< empty: compiled in
  std::string name;      ///< as it is shown
  bool reported = true;  ///< false: read only for the tables that it makes
};

/// The digits that a migration's name begins with; -1 when it is not named like one.
std::int64_t version_of(const fs::path& path) {
  const auto name = path.filename().string();
  const auto end = name.find_first_not_of("0123456789");
  if (end == 0 || end == std::string::npos || end > 18 || path.extension() != ".sql") return -1;
  return std::stoll(name.substr(0, end));
}

std::vector<fs::path> migrations_in(const fs::path& folder) {
  std::vector<fs::path> out;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    if (at->path().extension() == ".sql" && out.size() < kFilesMax) out.push_back(at->path());
  }
  if (error) {
    throw Error(ExitCode::usage,
                fmt::format("cannot read the folder {}: {}", folder.string(), error.message()),
                "Name the folder of the migrations with --dir.");
  }
  std::sort(out.begin(), out.end(), [](const fs::path& a, const fs::path& b) {
    return std::pair(version_of(a), a.string()) < std::pair(version_of(b), b.string());
  });
  return out;
}

/// The named files, and those that run before them in their folder: these say which tables exist.
std::vector<Source> named_files(const std::vector<std::string>& names) {
  std::vector<Source> out;
  std::set<fs::path> taught;
  const std::set<std::string> reported(names.begin(), names.end());
  for (const auto& name : names) {
    const fs::path path(name);
    const auto version = version_of(path);
    const auto folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
    if (version >= 0 && fs::is_directory(folder)) {
      for (const auto& sibling : migrations_in(folder)) {
        const auto own = path.has_parent_path() ? sibling : sibling.filename();
        const auto sibling_version = version_of(sibling);
        if (sibling_version < 0 || sibling_version >= version) continue;
        if (reported.count(own.string()) > 0 || !taught.insert(own).second) continue;
        out.push_back({own, own.string(), false});
      }
    }
    out.push_back({path, name});
  }
  std::stable_sort(out.begin(), out.end(), [](const Source& a, const Source& b) {
    return version_of(a.path) < version_of(b.path);
  });
  return out;
}

std::vector<Judged> read_sources(const Values& values) {
  const auto& dir = values.text("dir");
  const auto& names = values.texts("file");
  if (!dir.empty() && !names.empty()) {
    throw Error(ExitCode::usage, "--dir conflicts with named files", "Give either of them.");
  }
  std::vector<Judged> out;
  if (dir.empty() && names.empty()) {
    for (const auto& file : embedded::migrations()) {
      out.push_back({migrate::read_lint_file(std::string(file.name), file.content), {}});
    }
    return out;
  }
  std::vector<Source> sources;
  if (!names.empty()) {
    sources = named_files(names);
  } else {
    for (const auto& path : migrations_in(dir)) sources.push_back({path, path.string()});
  }
  for (const auto& source : sources) {
    const auto content = read_file(source.path);
    if (source.reported) {
      out.push_back({migrate::read_lint_file(source.name, content), {}});
      continue;
    }
    // Its own mistakes are reported when it is linted itself.
    try {
      out.push_back({migrate::read_lint_file(source.name, content), {}});
      out.back().file.name.clear();
    } catch (const Error&) {
      continue;
    }
  }
  return out;
}

/// One query for all tables that the files mention.
std::map<std::string, migrate::TableSize> live_sizes(const Context& context,
                                                     const std::vector<Judged>& files) {
  std::set<std::string> names;
  for (const auto& each : files) {
    if (each.file.name.empty()) continue;
    for (const auto& table : migrate::tables_mentioned(each.file.sql)) names.insert(table);
  }
  nlohmann::json wanted = nlohmann::json::array();
  for (const auto& name : names) wanted.push_back(name);
  auto connection = pg::Connection::connect(
      target(context), Deadline::in(kLookLimit),
      pg::watching_session("pantryd migrate lint", std::chrono::milliseconds(100), context.stop));
  // pg_relation_size and its kin wait for a table that is locked; relpages does not. A table that
  // was never analysed (reltuples -1) and a partitioned one look empty there: their size counts as
  // not known, so that nothing about them is downgraded.
  const auto rows = connection.exec(
      "SELECT name, greatest(reltuples, n_live_tup, 0)::bigint, pages * 8192::bigint, writes"
      " FROM (SELECT CASE n.nspname WHEN 'public' THEN c.relname"
      "              ELSE n.nspname || '.' || c.relname END AS name, c.reltuples,"
      "              coalesce(s.n_live_tup, 0) AS n_live_tup,"
      "              c.relpages + coalesce((SELECT sum(i.relpages) FROM pg_index x"
      "                JOIN pg_class i ON i.oid = x.indexrelid WHERE x.indrelid = c.oid), 0)"
      "                + coalesce((SELECT t.relpages FROM pg_class t"
      "                            WHERE t.oid = c.reltoastrelid), 0) AS pages,"
      "              coalesce(s.n_tup_ins + s.n_tup_upd + s.n_tup_del, 0) AS writes"
      "         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
      "         LEFT JOIN pg_stat_all_tables s ON s.relid = c.oid"
      "        WHERE c.relkind IN ('r', 'm') AND c.reltuples >= 0) t"
      " WHERE name IN (SELECT jsonb_array_elements_text($1::jsonb))",
      pg::Params::of(wanted.dump()), Deadline::in(kLookLimit));
  std::map<std::string, migrate::TableSize> out;
  for (int row = 0; row < rows.rows(); ++row) {
    out[std::string(rows.text(row, 0))] = {rows.i64(row, 1), rows.i64(row, 2), rows.i64(row, 3)};
  }
  return out;
}

void print_findings(const std::vector<Judged>& files) {
  std::size_t dangers = 0;
  std::size_t advice = 0;
  std::size_t count = 0;
  for (const auto& each : files) {
    if (each.file.name.empty()) continue;
    ++count;
    for (const auto& finding : each.findings) {
      (finding.severity == migrate::Severity::danger ? dangers : advice) += 1;
      fmt::print("{}:{}:{}: {} {}: {}\n    | {}\n", each.file.name, finding.line, finding.column,
                 migrate::to_string(finding.severity), finding.rule, finding.why,
                 finding.statement);
      for (std::size_t at = 0; at < finding.rewrite.size();) {
        const auto end = std::min(finding.rewrite.find('\n', at), finding.rewrite.size());
        fmt::print("    {}\n", finding.rewrite.substr(at, end - at));
        at = end + 1;
      }
    }
  }
  fmt::print("{} file{}: {} danger{}, {} advice\n", count, count == 1 ? "" : "s", dangers,
             dangers == 1 ? "" : "s", advice);
}

void print_findings_json(const std::vector<Judged>& files) {
  nlohmann::json list = nlohmann::json::array();
  std::size_t dangers = 0;
  for (const auto& each : files) {
    if (each.file.name.empty()) continue;
    nlohmann::json findings = nlohmann::json::array();
    for (const auto& finding : each.findings) {
      if (finding.severity == migrate::Severity::danger) ++dangers;
      findings.push_back({{"rule", finding.rule},
                          {"severity", migrate::to_string(finding.severity)},
                          {"line", finding.line},
                          {"column", finding.column},
                          {"statement", finding.statement},
                          {"why", finding.why},
                          {"rewrite", finding.rewrite}});
    }
    nlohmann::json allows = nlohmann::json::array();
    for (const auto& allow : each.file.allows) {
      allows.push_back({{"rule", allow.rule}, {"reason", allow.reason}, {"line", allow.line}});
    }
    list.push_back({{"file", each.file.name}, {"findings", findings}, {"allowed", allows}});
  }
  const nlohmann::json json{
      {"format", "pantryd.migrate-lint"}, {"version", 1}, {"dangers", dangers}, {"files", list}};
  // A file may hold bytes that are not UTF-8.
  fmt::print("{}\n", json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
}

int print_rules(bool as_json) {
  nlohmann::json list = nlohmann::json::array();
  for (const auto& rule : migrate::lint_rules()) {
    if (!as_json) {
      fmt::print("{:<38} {:<7} {}\n", rule.name, migrate::to_string(rule.severity), rule.summary);
    }
    list.push_back({{"rule", rule.name},
                    {"severity", migrate::to_string(rule.severity)},
                    {"by_size", rule.by_size},
                    {"summary", rule.summary}});
  }
  if (as_json) {
    const nlohmann::json json{
        {"format", "pantryd.migrate-lint-rules"}, {"version", 1}, {"rules", list}};
    fmt::print("{}\n", json.dump(2));
  }
  return 0;
}

int run_migrate_lint(const Context& context, const Values& values) {
  if (values.flag("rules")) return print_rules(context.json);
  auto files = read_sources(values);
  std::map<std::string, migrate::TableSize> sizes;
  if (!context.dsn.empty()) sizes = live_sizes(context, files);
  migrate::Linter linter;
  bool danger = false;
  for (auto& each : files) {
    each.findings = linter.lint({.sql = each.file.sql,
                                 .in_transaction = each.file.in_transaction,
                                 .target_major = static_cast<int>(values.count("target-version")),
                                 .sizes = sizes,
                                 .allows = each.file.allows});
    if (each.file.name.empty()) continue;
    danger = danger || std::any_of(each.findings.begin(), each.findings.end(), [](const auto& one) {
               return one.severity == migrate::Severity::danger;
             });
  }
  context.json ? print_findings_json(files) : print_findings(files);
  return static_cast<int>(danger ? ExitCode::lint : ExitCode::ok);
}

}  // namespace

Command migrate_lint_command() {
  return {.name = "migrate lint",
          .summary = "find what in a migration would harm a database in use",
          .usage = "[FILE...] [--dir DIR] [--target-version N] [--dsn CONNINFO]",
          .options = {arguments("file", "FILE", "files to lint; default: those in this binary"),
                      text("dir", "DIR", "", "folder of the migrations, in place of files"),
                      count("target-version", "N", "14", {kOldestServer, kNewestServer},
                            "oldest major version of PostgreSQL that the files must run on"),
                      flag("rules", "list the rules and exit")},
          .examples = {"pantryd migrate lint migrations/011_low_stock_index.sql",
                       "pantryd migrate lint --dir migrations --dsn postgresql://127.0.0.1/shop"},
          .exits = {{6, "a finding is a danger"}, kUnreachable},
          .run = run_migrate_lint};
}

}  // namespace pantryd::cli
