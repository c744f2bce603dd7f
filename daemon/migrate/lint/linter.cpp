// The engine: parses, walks the statements in order and turns reports into findings. Invariants:
// findings_ is in the order of the statements until run() sorts it by place; a statement is learnt
// from only after it was judged, so no rule sees its own effect.
#include "migrate/lint/linter.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/units.h"
#include "migrate/lint/walk.h"

namespace pantryd::migrate {
namespace {

constexpr std::size_t kNameMaxBytes = 63;
/// Advice beyond the first, and dangers beyond the second, are dropped: no danger is ever lost to
/// advice.
constexpr std::size_t kAdviceMax = 10'000;
constexpr std::size_t kFindingsMax = 20'000;

}  // namespace

LintWalk::LintWalk(const LintInput& given, Linter::Knowledge& knowledge)
    : input(given), sql(given.sql), in_transaction(given.in_transaction), knowledge_(knowledge) {}

std::vector<Finding> LintWalk::run() {
  for (const auto at : sql.meta_commands()) {
    report({"psql-only",
            "only psql knows commands that begin with a backslash; the server takes SQL",
            "-- Write it as SQL, or move it to a script that psql runs.", "", at});
  }
  judge_names();
  each_statement(sql, [&](const Statement& statement) {
    current = &statement;
    judge(statement);
  });
  current = nullptr;
  report_unused_allows();
  std::stable_sort(findings_.begin(), findings_.end(), [](const Finding& a, const Finding& b) {
    return std::pair(a.line, a.column) < std::pair(b.line, b.column);
  });
  return std::move(findings_);
}

void LintWalk::judge(const Statement& statement) {
  if (!in_transaction) transaction = {};
  if (statement.kind.empty()) {
    // The parser quotes the word it stumbled over, which may be a password.
    const bool secret = excerpt(text()).find("***") != std::string::npos;
    report(
        {"not-parsed",
         fmt::format("the parser of PostgreSQL 15 refuses it{}, so nobody has looked at its locks",
                     secret ? "" : " (" + one_line(statement.error) + ")"),
         ""});
    return;
  }
  for (const auto rules : {judge_indexes, judge_columns, judge_constraints, judge_tables,
                           judge_drops, judge_data, judge_session, judge_security, judge_style}) {
    rules(*this);
  }
  learn(*this);
}

/// The parser has already cut such names, so they are looked for in the text.
void LintWalk::judge_names() {
  for (const auto& token : sql.tokens()) {
    const bool quoted = token.kind == TokenKind::quoted_name;
    if (token.kind != TokenKind::word && !quoted) continue;
    if (token.end - token.begin - (quoted ? 2 : 0) <= kNameMaxBytes) continue;
    const auto name =
        std::string(sql.slice(token.begin + (quoted ? 1 : 0), token.end - (quoted ? 1 : 0)));
    std::size_t cut = kNameMaxBytes;
    while (cut > 0 && (name[cut] & 0xC0) == 0x80) --cut;
    report({"identifier-too-long",
            fmt::format("a name of {} bytes is cut to {} without a word, and two that begin alike "
                        "then collide",
                        name.size(), kNameMaxBytes),
            fmt::format("-- Choose a name of at most {} bytes; the server would use:\n-- {}",
                        kNameMaxBytes, name.substr(0, cut)),
            "", token.begin});
  }
}

void LintWalk::report(Report report) {
  const auto* rule = find_lint_rule(report.rule);
  if (rule == nullptr || findings_.size() >= kFindingsMax) return;
  for (const auto& allow : input.allows) {
    if (allow.rule != rule->name) continue;
    used_allows_.insert(allow.rule);
    return;
  }
  Finding out;
  out.rule = rule->name;
  out.severity = rule->severity;
  apply_size(*rule, report, out);
  if (out.severity == Severity::advice && findings_.size() >= kAdviceMax) return;
  auto begin = report.at;
  if (begin == Report::kHere) begin = current == nullptr ? 0 : current->begin;
  std::tie(out.line, out.column) = sql.place(begin);
  if (current != nullptr) {
    out.statement = excerpt(sql.slice(current->begin, current->end));
  } else {
    const auto& whole = input.sql;
    const auto end = std::min(whole.find('\n', begin), whole.size());
    out.statement = excerpt(whole.substr(std::min(begin, whole.size()), end - begin));
  }
  out.why = std::move(report.why) + out.why;
  out.rewrite = std::move(report.rewrite);
  findings_.push_back(std::move(out));
}

void LintWalk::apply_size(const LintRule& rule, const Report& report, Finding& finding) const {
  if (report.table.empty()) return;
  const auto found = input.sizes.find(report.table);
  if (found == input.sizes.end()) return;
  const auto& size = found->second;
  const auto weight = fmt::format("{} rows, {}", format_count(size.rows), format_bytes(size.bytes));
  if (size.rows > kSmallTableRows || size.bytes > kSmallTableBytes) {
    finding.why += fmt::format(" ({} has {}, {} writes so far)", report.table, weight,
                               format_count(size.writes));
  } else if (rule.by_size && finding.severity == Severity::danger) {
    finding.severity = Severity::advice;
    finding.why += fmt::format(" (only advice: {} is small, {})", report.table, weight);
  }
}

void LintWalk::report_unused_allows() {
  for (const auto& allow : input.allows) {
    if (used_allows_.count(allow.rule) > 0) continue;
    Finding unused;
    unused.rule = "unused-allow";
    unused.severity = Severity::advice;
    unused.line = allow.line;
    unused.statement =
        excerpt(fmt::format("-- migrate:allow {} because {}", allow.rule, allow.reason));
    unused.why = fmt::format("nothing here breaks the rule {}", allow.rule);
    unused.rewrite = "-- Delete the line.";
    findings_.push_back(std::move(unused));
  }
}

std::string LintWalk::key(const std::vector<std::string>& names) {
  if (names.empty()) return {};
  const auto& schema = names.size() > 1 ? names[names.size() - 2] : std::string();
  return schema.empty() || schema == "public" ? names.back() : schema + "." + names.back();
}

std::string LintWalk::key(const Json& range_var) {
  return key(
      std::vector<std::string>{text_of(range_var, "schemaname"), text_of(range_var, "relname")});
}

std::string LintWalk::sql_name(const std::vector<std::string>& names) {
  std::string out;
  for (const auto& each : names) {
    if (!each.empty()) out += (out.empty() ? "" : ".") + quote_name(each);
  }
  return out;
}

std::string LintWalk::sql_name(const Json& range_var) {
  return sql_name(
      std::vector<std::string>{text_of(range_var, "schemaname"), text_of(range_var, "relname")});
}

std::string LintWalk::text() const {
  return std::string(sql.slice(current->begin, current->end));
}

std::size_t LintWalk::place_of(const Json& node) const {
  return current->base +
         static_cast<std::size_t>(std::max<std::int64_t>(0, number(node, "location")));
}

std::string LintWalk::clause(const Json& node) const {
  const auto begin = place_of(node);
  return std::string(sql.slice(begin, std::min(sql.clause_end(begin), current->end)));
}

std::string LintWalk::type_text(const Json& column_def) const {
  const auto begin = place_of(child(column_def, "typeName"));
  auto end = std::min(sql.clause_end(begin), current->end);
  const auto& constraints = child(column_def, "constraints");
  if (constraints.is_array()) {
    for (const auto& each : constraints) {
      end = std::min(end, place_of(child(each, "Constraint")));
    }
  }
  // DEFAULT's own location is behind the key word.
  auto out = std::string(sql.slice(begin, end));
  const auto last = out.find_last_of(" \t\n");
  if (last != std::string::npos && one_line(out.substr(last)).size() == 7 &&
      sql.is_word(sql.token_at(begin + last + 1), "default")) {
    out = std::string(sql.slice(begin, begin + last));
  }
  return out;
}

std::string LintWalk::with_words(std::string_view after, const std::string& words) const {
  const auto& tokens = sql.tokens();
  for (auto i = sql.token_at(current->begin); i < tokens.size(); ++i) {
    if (tokens[i].begin >= current->end) break;
    if (!sql.is_word(i, after)) continue;
    return std::string(sql.slice(current->begin, tokens[i].end)) + " " + words +
           std::string(sql.slice(tokens[i].end, current->end)) + ";";
  }
  return text() + ";";
}

std::string LintWalk::alone(const std::string& safe) const {
  if (!in_transaction) return safe;
  return "-- in a file of its own with the header line \"-- migrate:no-transaction\":\n" + safe;
}

std::string LintWalk::later(const std::string& safe) {
  return "-- in a later file:\n" + safe;
}

void LintWalk::mark_locked(const std::string& table) {
  if (is_new(table)) return;
  transaction.locked.insert(table);
  if (!in_transaction || transaction.bulk_changed.empty()) return;
  const auto changed = *transaction.bulk_changed.begin();
  transaction.bulk_changed.clear();  // once a transaction is enough
  report({"backfill-with-ddl",
          fmt::format("it takes a strong lock on {} in the transaction that changed many rows of "
                      "{}, and every one of these locks is held until both are done",
                      table, changed),
          later(text() + ";"), changed});
}

const TableFacts* LintWalk::known(const std::string& table) const {
  const auto found = knowledge_.tables.find(table);
  return found == knowledge_.tables.end() ? nullptr : &found->second;
}

Linter::Linter() : knowledge_(std::make_unique<Knowledge>()) {}
Linter::~Linter() = default;

std::vector<Finding> Linter::lint(const LintInput& input) {
  return LintWalk(input, *knowledge_).run();
}

std::vector<Finding> lint(const LintInput& input) {
  return Linter().lint(input);
}

std::vector<std::string> tables_mentioned(std::string_view text) {
  std::set<std::string> out;
  const SqlText sql(text);
  each_statement(sql, [&](const Statement& statement) {
    const auto take = [&](const std::string&, const Json& node) {
      if (node.is_object() && node.contains("relname")) out.insert(LintWalk::key(node));
    };
    visit(statement.body, take);
    take({}, child(statement.body, "relation"));
    visit(statement.body, [&](const std::string& kind, const Json& node) {
      if (kind == "Constraint") take({}, child(node, "pktable"));
      if (kind == "PartitionCmd") take({}, child(node, "name"));
    });
  });
  return {out.begin(), out.end()};
}

}  // namespace pantryd::migrate
