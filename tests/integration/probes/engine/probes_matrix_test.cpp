// Every query of every probe on every supported major, primary and standby: as a role that is only
// a member of pg_monitor, and as one that is nothing.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <set>

#include "base/error.h"
#include "pg/connection.h"
#include "pg/identifier.h"
#include "pg/sqlstate.h"
#include "probes/engine/run.h"
#include "probes/engine/same_labels.h"
#include "tests/support/server_pair.h"
#include "tests/support/within.h"

namespace pantryd {
namespace {

using probes::ProbeSpec;
using probes::QuerySpec;
using std::chrono::seconds;
using testing_support::Server;
using testing_support::ServerPair;
using testing_support::within;

constexpr auto kLimit = seconds(60);

/// What a server may hold that a probe must not stumble over: partitions, foreign names, a logical
/// slot, a subscription that does not run, a prepared transaction, an index that is not valid.
constexpr const char* kContent = R"(
  CREATE ROLE monitor LOGIN PASSWORD 'of-tests';
  GRANT pg_monitor TO monitor;
  CREATE ROLE reader LOGIN PASSWORD 'of-tests';
  GRANT pg_monitor, pg_read_all_data TO reader;
  GRANT EXECUTE ON FUNCTION pg_ls_dir(text, boolean, boolean), pg_stat_file(text, boolean)
    TO reader;
  CREATE ROLE nobody_much LOGIN PASSWORD 'of-tests';
  CREATE EXTENSION pg_buffercache;
  CREATE SCHEMA "odd ""name""";
  CREATE TABLE "odd ""name"""."Table 1" (id serial PRIMARY KEY, b text, c numeric(9, 2)[]);
  INSERT INTO "odd ""name"""."Table 1" (b) SELECT repeat('x', 40) FROM generate_series(1, 500);
  CREATE TABLE narrow (id int PRIMARY KEY, n int);
  CREATE SEQUENCE wide AS bigint OWNED BY narrow.id;
  ALTER TABLE narrow ALTER id SET DEFAULT nextval('wide');
  SELECT setval('wide', 2000000000);
  INSERT INTO narrow DEFAULT VALUES;
  CREATE TABLE alone (id int GENERATED ALWAYS AS IDENTITY, small smallserial);
  CREATE TABLE parted (k int, at timestamptz) PARTITION BY RANGE (k);
  CREATE TABLE parted_low PARTITION OF parted FOR VALUES FROM (0) TO (10);
  CREATE TABLE parted_high PARTITION OF parted FOR VALUES FROM (10) TO (20);
  CREATE INDEX parted_k ON parted (k);
  INSERT INTO parted SELECT n % 20, now() FROM generate_series(1, 200) n;
  CREATE INDEX narrow_n ON narrow (n);
  CREATE INDEX narrow_n_again ON narrow (n);
  UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'narrow_n_again'::regclass;
  CREATE INDEX narrow_n_third ON narrow (n);
  CREATE MATERIALIZED VIEW seen AS SELECT count(*) FROM narrow;
  CREATE UNLOGGED TABLE fleeting (a int);
  CREATE PUBLICATION changes FOR TABLE narrow;
  CREATE SUBSCRIPTION copies CONNECTION 'host=127.0.0.1 port=1 dbname=none' PUBLICATION changes
    WITH (connect = false, slot_name = NONE);
  ANALYZE)";

pg::Connection connect_as(const Server& server, const std::string& user) {
  pg::ConnectOptions options;
  options.settings = {{"statement_timeout", "5s"},
                      {"lock_timeout", "100ms"},
                      {"default_transaction_read_only", "on"}};
  return pg::Connection::connect(
      server.where.with("passfile", "").with("user", user).with("password", "of-tests"),
      Deadline::in(kLimit), options);
}

pg::Params bound(const QuerySpec& query) {
  const probes::ProbeParameters parameters;
  pg::Params out;
  for (const auto& name : query.parameters) out.add(parameters.value(name));
  return out;
}

enum class Kind { number, numbers, text };

/// Labels that are columns: in a probe of scope database, the engine knows datname by itself.
std::vector<std::string> label_columns(const ProbeSpec& spec, const QuerySpec& query) {
  auto out = query.labels;
  if (spec.scope == probes::Scope::database) std::erase(out, "datname");
  return out;
}

/// What the probe file says its answer holds.
std::vector<std::pair<std::string, Kind>> declared_columns(const ProbeSpec& spec,
                                                           const QuerySpec& query) {
  std::vector<std::pair<std::string, Kind>> out;
  for (const auto& label : label_columns(spec, query)) out.emplace_back(label, Kind::text);
  if (!query.skipped.empty()) out.emplace_back(query.skipped, Kind::number);
  if (query.bound) {
    for (const auto& column : query.bound->by) out.emplace_back(column, Kind::number);
  }
  for (const auto& metric : query.metrics) {
    const bool histogram = metric.metric->type == probes::MetricType::histogram;
    out.emplace_back(metric.column, histogram ? Kind::numbers : Kind::number);
    if (!histogram) continue;
    out.emplace_back(metric.column + "_bucket", Kind::numbers);
    out.emplace_back(metric.column + "_sum", Kind::number);
    out.emplace_back(metric.column + "_count", Kind::number);
  }
  return out;
}

const std::set<std::string>& types_of(Kind kind) {
  static const std::set<std::string> numbers{"smallint", "integer", "bigint",
                                             "numeric",  "real",    "double precision"};
  static const std::set<std::string> arrays{"bigint[]", "double precision[]"};
  static const std::set<std::string> texts{"text", "name", "character varying"};
  return kind == Kind::number ? numbers : (kind == Kind::numbers ? arrays : texts);
}

/// pg_typeof tells the type of a column even when there is no row.
void expect_types(pg::Connection& connection, const ProbeSpec& spec, const QuerySpec& query,
                  const std::string& sql) {
  const auto columns = declared_columns(spec, query);
  std::string list;
  for (const auto& [name, kind] : columns) {
    list += fmt::format("{}pg_typeof(q.{})::text", list.empty() ? "" : ", ",
                        pg::quote_identifier(name));
  }
  const auto types = connection.exec(
      fmt::format("SELECT {} FROM (SELECT 1) one LEFT JOIN ({}) q ON true LIMIT 1", list, sql),
      bound(query), Deadline::in(kLimit));
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const auto type = std::string(types.text(0, static_cast<int>(i)));
    EXPECT_EQ(types_of(columns[i].second).count(type), 1U) << columns[i].first << " is " << type;
  }
}

/// Two rows with the same labels would be one series with two values.
void expect_series_once(const ProbeSpec& spec, const QuerySpec& query, const pg::Result& answer) {
  if (probes::merges_all(query)) return;  // its rule says what becomes of them
  std::set<std::vector<std::string>> seen;
  for (int row = 0; row < answer.rows(); ++row) {
    std::vector<std::string> labels;
    for (const auto& label : label_columns(spec, query)) {
      labels.emplace_back(answer.text(row, answer.column(label)));
      EXPECT_FALSE(answer.is_null(row, answer.column(label))) << label << " is NULL";
    }
    EXPECT_TRUE(seen.insert(labels).second) << "twice: " << testing::PrintToString(labels);
  }
}

void expect_values(const QuerySpec& query, const pg::Result& answer) {
  for (const auto& metric : query.metrics) {
    if (metric.metric->type == probes::MetricType::histogram) continue;
    for (int row = 0; row < answer.rows(); ++row) {
      const auto value = answer.maybe_f64(row, answer.column(metric.column));
      EXPECT_FALSE(value && *value != *value) << metric.metric->name << " is not a number";
    }
  }
}

/// Calls `run` for each query that the engine would run on this server.
template <typename Run>
void for_each_query(pg::Connection& connection, Run run) {
  const auto facts = probes::read_facts(connection, Deadline::in(kLimit));
  int queries = 0;
  for (const auto& spec : probes::embedded_probes()) {
    if (!spec.relation.empty() || !spec.function.empty() || !probes::applies(spec, facts)) continue;
    for (std::size_t i = 0; i < spec.queries.size(); ++i) {
      const auto sql = probes::sql_for(spec.queries[i].sql, facts, spec.extension);
      if (!sql) continue;
      SCOPED_TRACE(fmt::format("probe {}, query {}, PostgreSQL {}, {}", spec.name, i + 1,
                               facts.major(), facts.is_standby ? "standby" : "primary"));
      run(spec, spec.queries[i], *sql);
      ++queries;
    }
  }
  EXPECT_GT(queries, 10);
}

class ProbesMatrixTest : public testing::TestWithParam<int> {};

void expect_all_well(const Server& server, const std::string& user) {
  auto connection = connect_as(server, user);
  for_each_query(connection,
                 [&](const ProbeSpec& spec, const QuerySpec& query, const std::string& sql) {
                   try {
                     const auto answer = connection.exec(sql, bound(query), Deadline::in(kLimit));
                     for (const auto& [name, kind] : declared_columns(spec, query)) {
                       ASSERT_GE(answer.column(name), 0) << "no column " << name;
                     }
                     expect_series_once(spec, query, answer);
                     expect_values(query, answer);
                     expect_types(connection, spec, query, sql);
                   } catch (const Error& error) {
                     ADD_FAILURE() << error.what();
                   }
                 });
}

void expect_only_refusals(const Server& server) {
  auto connection = connect_as(server, "nobody_much");
  for_each_query(connection, [&](const ProbeSpec&, const QuerySpec& query, const std::string& sql) {
    try {
      (void)connection.exec(sql, bound(query), Deadline::in(kLimit));
    } catch (const pg::PgError& error) {
      EXPECT_EQ(error.sqlstate(), pg::sqlstate::kInsufficientPrivilege) << error.what();
    }
  });
}

/// The largest value of a metric among the rows that have this label; nullopt when there is none.
std::optional<double> value_of(pg::Connection& connection, const std::string& metric,
                               const std::string& label = "", const std::string& text = "") {
  std::optional<double> out;
  const auto facts = probes::read_facts(connection, Deadline::in(kLimit));
  for (const auto& spec : probes::embedded_probes()) {
    for (const auto& query : spec.queries) {
      for (const auto& each : query.metrics) {
        const auto sql = probes::sql_for(query.sql, facts, spec.extension);
        if (each.metric->name != metric || !sql) continue;
        const auto answer = connection.exec(*sql, bound(query), Deadline::in(kLimit));
        for (int row = 0; row < answer.rows(); ++row) {
          if (!label.empty() && answer.text(row, answer.column(label)) != text) continue;
          const auto value = answer.maybe_f64(row, answer.column(each.column));
          if (value && (!out || *value > *out)) out = value;
        }
      }
    }
  }
  return out;
}

int skipped_by(pg::Connection& connection, const std::string& probe) {
  for (const auto& spec : probes::embedded_probes()) {
    if (spec.name != probe) continue;
    const auto& query = spec.queries.front();
    const auto answer = connection.exec(query.sql.front().text, Deadline::in(kLimit));
    return static_cast<int>(answer.i64(0, answer.column(query.skipped)));
  }
  return -1;
}

pg::Connection session_of(const ServerPair& pair) {
  return pg::Connection::connect(pair.owner(), Deadline::in(kLimit));
}

/// Commands that take long, made to wait: an index for a prepared transaction, a VACUUM for a page
/// that a cursor holds. And a sort that does not fit into memory.
void expect_progress(const ServerPair& pair) {
  auto reader = connect_as(pair.servers().front(), "reader");
  auto holder = session_of(pair);
  auto vacuum = session_of(pair);
  auto index = session_of(pair);
  holder.exec_script(R"(SET work_mem = '64kB'; BEGIN;
    DECLARE pin CURSOR FOR TABLE "odd ""name"""."Table 1"; FETCH 1 FROM pin;
    DECLARE big CURSOR FOR SELECT g FROM generate_series(1, 50000) g ORDER BY -g;
    FETCH 1 FROM big)",
                     Deadline::in(kLimit));
  vacuum.send(R"(VACUUM (FREEZE) "odd ""name"""."Table 1")", {});
  (void)vacuum.flush();
  index.send("CREATE INDEX CONCURRENTLY slowly ON fleeting (a)", {});
  (void)index.flush();
  EXPECT_TRUE(within(kLimit, [&] {
    return value_of(reader, "pg_stat_progress_vacuum_phase", "phase", "scanning heap") == 1 &&
           value_of(reader, "pantryd_progress_running", "operation", "create index") == 1;
  }));
  EXPECT_GT(value_of(reader, "pg_stat_progress_vacuum_heap_blks"), 0);
  EXPECT_EQ(value_of(reader, "pantryd_indexes_invalid"), 1) << "one that is built is no fault";
  EXPECT_GE(value_of(reader, "pantryd_temp_files"), 1);
  EXPECT_GT(value_of(reader, "pantryd_temp_files_bytes"), 0);
  expect_all_well(pair.servers().front(), "monitor");
  holder.exec(
      "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query ~ '^(VACUUM|CREATE)'",
      Deadline::in(kLimit));
}

/// What kContent has put there.
void expect_what_is_there(const ServerPair& pair) {
  auto reader = connect_as(pair.servers().front(), "reader");
  const auto used = value_of(reader, "pantryd_sequence_used_ratio", "feeds", "narrow.id");
  ASSERT_TRUE(used);
  EXPECT_NEAR(*used, 2000000001.0 / 2147483647.0, 1e-9)
      << "the column is narrower than its sequence";
  EXPECT_EQ(value_of(reader, "pantryd_sequence_remaining", "feeds", "narrow.id"), 147483646);
  EXPECT_EQ(value_of(reader, "pantryd_sequences_unreadable"), 0);
  EXPECT_EQ(value_of(reader, "pantryd_indexes_invalid"), 1);
  EXPECT_EQ(value_of(reader, "pantryd_indexes_duplicate"), 1);
  EXPECT_GE(value_of(reader, "pantryd_indexes_unused"), 2);
  EXPECT_EQ(value_of(reader, "pantryd_prepared_transactions"), 1);
  EXPECT_EQ(value_of(reader, "pantryd_prepared_transactions_remaining"), 3);
  EXPECT_EQ(value_of(reader, "pantryd_xmin_holders", "holder", "prepared transaction"), 1);
  EXPECT_EQ(value_of(reader, "pantryd_xmin_holders", "name", "logical"), 1);
  EXPECT_EQ(value_of(reader, "pantryd_subscription_enabled", "subname", "copies"), 0);
  EXPECT_EQ(value_of(reader, "pantryd_ddl_waiting"), 0);
  EXPECT_EQ(value_of(reader, "pantryd_temp_files_parallel", "tablespace", "pg_default"), 0);
  EXPECT_EQ(skipped_by(reader, "table_sizes"), 0);
  EXPECT_GT(value_of(reader, "pg_stat_user_tables_table_size_bytes", "relname", "narrow"), 0);
  auto standby = connect_as(pair.servers().back(), "reader");
  EXPECT_EQ(value_of(standby, "pg_stat_wal_receiver_received_tli", "status", "streaming"), 1);
  EXPECT_EQ(value_of(standby, "pantryd_timeline"), 1);
  auto monitor = connect_as(pair.servers().front(), "monitor");
  EXPECT_GE(value_of(monitor, "pantryd_sequences_unreadable"), 3) << "what it cannot see, it says";
}

/// Locks that DDL holds, and one that it waits for: no probe may run into them.
void expect_all_well_beside_locks(const ServerPair& pair) {
  auto holder = session_of(pair);
  auto user = session_of(pair);
  auto waiter = session_of(pair);
  auto behind = session_of(pair);
  holder.exec_script(R"(BEGIN; LOCK TABLE narrow, parted IN ACCESS EXCLUSIVE MODE;
    REINDEX INDEX "odd ""name"""."Table 1_pkey"; ALTER SEQUENCE wide CACHE 2)",
                     Deadline::in(kLimit));
  user.exec_script("BEGIN; SELECT FROM alone", Deadline::in(kLimit));
  const auto waiting = [&](int wanted) {
    return within(kLimit, [&] {
      const auto n =
          user.exec("SELECT count(*) FROM pg_locks WHERE NOT granted", Deadline::in(kLimit))
              .i64(0, 0);
      return n == wanted;
    });
  };
  waiter.send("ALTER TABLE alone ADD more int", {});
  (void)waiter.flush();
  ASSERT_TRUE(waiting(1));
  behind.send("SELECT FROM alone", {});
  (void)behind.flush();
  ASSERT_TRUE(waiting(2));
  for (const char* name : {"monitor", "reader"}) expect_all_well(pair.servers().front(), name);

  auto reader = connect_as(pair.servers().front(), "reader");
  EXPECT_EQ(value_of(reader, "pantryd_ddl_waiting"), 1);
  EXPECT_EQ(value_of(reader, "pantryd_ddl_queue_behind"), 1);
  EXPECT_EQ(value_of(reader, "pantryd_blocked_sessions"), 2);
  EXPECT_EQ(value_of(reader, "pantryd_blocking_sessions"), 1);
  EXPECT_EQ(value_of(reader, "pantryd_blocking_chain_depth"), 2);
  EXPECT_EQ(skipped_by(reader, "table_sizes"), 6) << "narrow, three of parted, alone and Table 1";
  EXPECT_EQ(skipped_by(reader, "sequences"), 1);
  EXPECT_FALSE(value_of(reader, "pg_stat_user_tables_table_size_bytes", "relname", "narrow"));
  user.exec("ROLLBACK", Deadline::in(kLimit));
  holder.exec("ROLLBACK", Deadline::in(kLimit));
}

TEST_P(ProbesMatrixTest, EveryQueryAnswersWithWhatItsProbeDeclares) {
  const ServerPair pair(GetParam(), kContent);
  auto owner = session_of(pair);
  owner.exec("SELECT pg_create_logical_replication_slot('logical', 'pgoutput')",
             Deadline::in(kLimit));
  owner.exec_script("BEGIN; INSERT INTO fleeting VALUES (1); PREPARE TRANSACTION 'left'",
                    Deadline::in(kLimit));
  for (const auto& server : pair.servers()) {
    expect_all_well(server, "monitor");
    expect_only_refusals(server);
  }
  expect_what_is_there(pair);
  expect_progress(pair);
  expect_all_well_beside_locks(pair);
}

INSTANTIATE_TEST_SUITE_P(Majors, ProbesMatrixTest, testing::Values(14, 15, 16, 17, 18),
                         [](const auto& major) { return fmt::format("{}", major.param); });

}  // namespace
}  // namespace pantryd
