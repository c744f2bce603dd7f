// Invariant: known holds texts of chosen statements only, statements_max at most.
#include "probes/statements/statement_texts.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "pg/redact.h"

namespace pantryd::probes {
namespace {

constexpr const char* kStatementsExtension = "pg_stat_statements";
constexpr const char* kInfo = "pantryd_statement_info";

/// The pattern cuts a text into: names in double quotes, strings, comments, what begins a comment
/// that holds another one, parameters, dollar quotes, words, numbers, white space, and the rest one
/// by one. PostgreSQL takes the longest of what fits, whatever the order. Only so many characters
/// are looked at; a string that is cut off there counts as a string.
constexpr const char* kTexts = R"SQL(
WITH chosen AS MATERIALIZED (
  SELECT DISTINCT ON (queryid) queryid, left(query, 2000) AS query
  FROM @extschema@.pg_stat_statements(true)
  WHERE queryid = ANY($1::bigint[]) AND query IS NOT NULL
  ORDER BY queryid),
tokens AS (
  SELECT c.queryid, m.n, m.token[1] AS token
  FROM chosen c CROSS JOIN LATERAL regexp_matches(
         c.query, $re$("(?:[^"]|"")*"?|'(?:[^']|'')*'?|--[^\n\r]*)SQL"
                               R"SQL(|/\*(?:[^*/]|\*(?!/)|/(?!\*))*\*/|/\*|\$[0-9]+)SQL"
                               R"SQL(|\$(?:[^\s$0-9'"][^\s$'"]*)?\$|[[:alpha:]_][[:alnum:]_$]*)SQL"
                               R"SQL(|\.?[0-9][[:alnum:]_.]*|\s+|.)$re$, 'g')
       WITH ORDINALITY AS m(token, n)),
judged AS (
  SELECT queryid, n, token,
         token = '/*' OR token ~ '^\$[^0-9]' OR (token ~ '^''' AND strpos(token, '\') > 0)
         OR (token ~ '^"' AND (length(token) < 2 OR right(token, 1) <> '"')) AS unsure
  FROM tokens),
shown AS (
  SELECT queryid, n,
         count(*) FILTER (WHERE unsure) OVER (PARTITION BY queryid ORDER BY n) AS unsure,
         CASE WHEN unsure THEN '...' WHEN token ~ '^(--|/\*|\s)' THEN ' '
              WHEN token ~ '^(''|\.?[0-9])' THEN '?' ELSE token END AS word,
         unsure AS is_first
  FROM judged),
joined AS (
  SELECT queryid,
         btrim(regexp_replace(string_agg(word, '' ORDER BY n), ' +', ' ', 'g')) AS text
  FROM shown WHERE unsure = 0 OR (unsure = 1 AND is_first) GROUP BY queryid),
masked AS (
  SELECT queryid, regexp_replace(text, '^(SET (?:SESSION |LOCAL )?[^ =]+ ?(?:=|TO) ?).*$',
                                 '\1?', 'i') AS text
  FROM joined)
SELECT queryid::text, CASE WHEN length(text) > 200 THEN left(text, 197) || '...' ELSE text END
FROM masked)SQL";

struct TextsMemory {
  StatementTextsOptions options;
  std::map<std::string, std::string> known;
  std::optional<SteadyClock::time_point> asked_at;
  std::string failure;  ///< of the last question, until the next
  Outcome outcome = Outcome::ok;
};

void ask(TextsMemory& memory, const std::string& sql, const std::set<std::string>& unknown,
         pg::Connection& connection, Deadline deadline) {
  std::string ids = "{";
  for (const auto& id : unknown) ids += (ids.size() > 1 ? "," : "") + id;
  const auto rows = connection.exec(sql, pg::Params::of(ids + "}"), deadline);
  for (int row = 0; row < rows.rows(); ++row) {
    // Once more, and by other code: two would have to be wrong for a constant to be told.
    memory.known[std::string(rows.text(row, 0))] = pg::redact(rows.text(row, 1));
  }
}

ProbeRun tell(TextsMemory& memory, pg::Connection& connection, const TargetFacts& facts,
              Deadline deadline) {
  ProbeRun run;
  const auto sql = statement_texts_sql(facts);
  if (sql.empty()) {
    run.outcome = Outcome::not_applicable;
    return run;
  }
  auto list = memory.options.chosen();
  list.resize(std::min(list.size(), static_cast<std::size_t>(memory.options.statements_max)));
  const std::set<std::string> chosen(list.begin(), list.end());
  for (auto each = memory.known.begin(); each != memory.known.end();) {
    each = chosen.count(each->first) == 0 ? memory.known.erase(each) : std::next(each);
  }
  std::set<std::string> unknown;
  for (const auto& id : chosen) {
    if (memory.known.count(id) == 0) unknown.insert(id);
  }
  const auto now = SteadyClock::now();
  const bool early = memory.asked_at && now - *memory.asked_at < memory.options.pause;
  if (!unknown.empty() && !early) {
    memory.asked_at = now;
    memory.outcome = Outcome::ok;
    memory.failure.clear();
    try {
      ask(memory, sql, unknown, connection, deadline);
    } catch (const pg::PgError& error) {
      memory.outcome = outcome_of(error);
      memory.failure = error.what();
    }
  }
  run.outcome = memory.outcome;
  run.error = memory.failure;
  if (run.outcome != Outcome::ok) return run;
  SampleList samples(statement_texts_description());
  for (const auto& [id, text] : memory.known) samples.add(kInfo, {id, text}, 1);
  run.rows = static_cast<std::int64_t>(memory.known.size());
  run.samples = samples.take();
  return run;
}

}  // namespace

const ProbeDescription& statement_texts_description() {
  static const ProbeDescription out{
      "statement_texts",
      "The beginnings of the texts of statements that have series of their own, without their "
      "constants. Runs if probes.statement_texts is true; queries the server at most once in 10m, "
      "and only for texts that are not known.",
      std::chrono::seconds(30),
      std::chrono::seconds(10),
      CostClass::medium,
      {{{kInfo, MetricType::gauge, "1, with the text of the statement as a label."},
        {"queryid", "query"}}},
      {{{.text = kTexts}, 1}},
      false,
      true,
      true,
      kStatementsExtension};
  return out;
}

std::string statement_texts_sql(const TargetFacts& facts) {
  return sql_for({{.text = kTexts}}, facts, kStatementsExtension).value_or("");
}

std::vector<std::string> told_statements(const TargetSnapshot& snapshot) {
  std::vector<std::string> out;
  for (const auto& probe : snapshot.probes) {
    if (probe->name != "statements" || !probe->families) continue;
    for (const auto& family : *probe->families) {
      if (family.metric->name != "pg_stat_statements_calls_total") continue;
      constexpr std::string_view label = "queryid=\"";
      const auto& lines = family.lines;
      for (auto at = lines.find(label); at != std::string::npos; at = lines.find(label, at)) {
        at += label.size();
        const auto id = lines.substr(at, lines.find('"', at) - at);
        // What a name of a user makes look like a label is no number.
        if (!id.empty() && id.size() <= 20 &&
            id.find_first_not_of("-0123456789") == std::string::npos) {
          out.push_back(id);
        }
      }
    }
  }
  return out;
}

ServerProbe statement_texts_probe(StatementTextsOptions options) {
  const auto& description = statement_texts_description();
  const auto memory = std::make_shared<TextsMemory>();
  memory->options = std::move(options);
  return server_probe(description, [memory](pg::Connection& connection, const TargetFacts& facts,
                                            Deadline deadline) {
    return tell(*memory, connection, facts, deadline);
  });
}

}  // namespace pantryd::probes
