// The schema after migration 006: the application of today works on every version of it, and each
// migration keeps its promise.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <thread>

#include "migrate/files/migration.h"
#include "pg/error.h"
#include "tests/support/migrate_database.h"
#include "tests/support/shop.h"

namespace pantryd::migrate {
namespace {

using namespace testing_support;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::Not;

const std::int64_t kNewest = newest_version();

std::string refusal_of(pg::Connection& connection, const std::string& sql) {
  try {
    connection.exec(sql, soon());
  } catch (const pg::PgError& error) {
    return error.sqlstate();
  }
  return "accepted";
}

/// What EXPLAIN says when a sequential scan is no choice: which index can answer at all.
std::string plan_of(pg::Connection& connection, const std::string& sql) {
  connection.exec("SET enable_seqscan = off", soon());
  if (sql.find("ILIKE") != std::string::npos) connection.exec("SET enable_indexscan = off", soon());
  const auto rows = connection.exec("EXPLAIN (COSTS off) " + sql, soon());
  connection.exec("RESET enable_seqscan", soon());
  connection.exec("RESET enable_indexscan", soon());
  std::string out;
  for (int i = 0; i < rows.rows(); ++i) out += std::string(rows.text(i, 0)) + "\n";
  return out;
}

/// What is in one of the two alone. Who has what on the schema itself is left out: login roles of
/// the server keep by name what they had through PUBLIC, also on the way down.
std::string between(std::vector<std::string> before, std::vector<std::string> after) {
  for (auto* lines : {&before, &after}) {
    std::erase_if(*lines, [](const auto& line) { return line.starts_with("schema public "); });
  }
  std::string out;
  for (const auto& line : before) {
    if (std::find(after.begin(), after.end(), line) == after.end()) out += "- " + line + "\n";
  }
  for (const auto& line : after) {
    if (std::find(before.begin(), before.end(), line) == before.end()) out += "+ " + line + "\n";
  }
  return out;
}

/// A role that may log in, with a password, as the application's own.
pg::Conninfo login_as(pg::Connection& admin, const pg::Conninfo& where, const std::string& role) {
  admin.exec(fmt::format("ALTER ROLE {} PASSWORD 'secret'", role), soon());
  return where.with("user", role).with("password", "secret");
}

TEST(SchemaTest, TheApplicationOfTodayWorksAfterEachMigration) {
  const auto where = fresh_database("schema_replay");
  auto admin = connect(where);
  admin.exec("DROP ROLE IF EXISTS shop_owner", soon());
  bring_to(admin, 6);
  fill_shop(admin, {.products = 60, .sales = 500, .days = 20});
  for (std::int64_t version = 6; version <= kNewest; ++version) {
    bring_to(admin, version);
    EXPECT_EQ(replay_application(admin, static_cast<int>(version)), "") << "after " << version;
  }
  auto application = connect(login_as(admin, where, "grocery_app"));
  EXPECT_EQ(replay_application(application, 99), "") << "as grocery_app";
  EXPECT_TRUE(admin.exec("SELECT * FROM sales_rollup_difference()", soon()).empty());
}

TEST(SchemaTest, WhatTheOwnerOfTodayMayDoItMayDoAfterwards) {
  auto server = connect(shared_sandbox().primary());
  const auto where = fresh_database("schema_owner");
  // No superuser: the role that Knex ran as, with the rights to make the new roles given to it.
  server.exec(
      "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'shop_owner') THEN "
      "CREATE ROLE shop_owner LOGIN; END IF; END $$",
      soon());
  server.exec("ALTER DATABASE schema_owner OWNER TO shop_owner", soon());
  auto owner = connect(login_as(server, where, "shop_owner"));
  bring_to(owner, 6);
  fill_shop(owner, {.products = 60, .sales = 500, .days = 20});
  // The four roles are there from other databases of this server, or not: both must be clear.
  server.exec(
      "DO $$ DECLARE r text; BEGIN FOREACH r IN ARRAY ARRAY['grocery_app', "
      "'grocery_readonly', 'grocery_migrate', 'grocery_monitor'] LOOP IF NOT EXISTS (SELECT "
      "FROM pg_roles WHERE rolname = r) THEN EXECUTE format('CREATE ROLE %I LOGIN', r); END "
      "IF; END LOOP; END $$",
      soon());
  server.exec("REVOKE pg_monitor FROM grocery_monitor", soon());
  try {
    bring_to(owner, kNewest);
    ADD_FAILURE() << "a role without the right to grant pg_monitor granted it";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("may not grant pg_monitor"));
    EXPECT_THAT(std::string(error.hint()), HasSubstr("GRANT pg_monitor TO grocery_monitor"));
  }
  EXPECT_EQ(replay_application(owner, 1), "") << "half way";
  server.exec("GRANT pg_monitor TO grocery_monitor", soon());
  server.exec("GRANT shop_owner TO grocery_migrate", soon());
  server.exec("ALTER ROLE shop_owner CREATEROLE", soon());
  if (owner.server_version() >= 160000) {
    // From 16 on CREATEROLE is not enough: it takes ADMIN OPTION, which the owner cannot have on a
    // role that is a member of it. 017 names each setting that an administrator has to make.
    server.exec(
        "GRANT grocery_app, grocery_readonly, grocery_monitor TO shop_owner WITH ADMIN OPTION",
        soon());
    for (const auto* setting :
         {"lock_timeout = '2s'", "idle_in_transaction_session_timeout = '10min'"}) {
      server.exec(
          fmt::format("ALTER ROLE grocery_migrate IN DATABASE schema_owner SET {}", setting),
          soon());
    }
  }
  bring_to(owner, kNewest);
  EXPECT_EQ(replay_application(owner, 2), "") << "after the last one";
  auto application = connect(login_as(server, where, "grocery_app"));
  EXPECT_EQ(replay_application(application, 3), "") << "as grocery_app";
  auto migrator = connect(login_as(server, where, "grocery_migrate"));
  migrator.exec("ALTER TABLE products ADD COLUMN shelf text", soon());
  migrator.exec("ALTER TABLE products DROP COLUMN shelf", soon());
}

TEST(SchemaTest, EachListHasAnIndexInItsOrder) {
  const auto where = fresh_database("schema_plans");
  auto connection = connect(where);
  bring_to(connection, kNewest);
  fill_shop(connection, {.products = 2'000, .sales = 5'000});
  connection.exec("ANALYZE", soon());
  EXPECT_THAT(plan_of(connection,
                      "SELECT * FROM products WHERE name ILIKE '%uct 19%' OR description "
                      "ILIKE '%uct 19%' OR barcode ILIKE '%uct 19%' ORDER BY name"),
              HasSubstr("products_search_index"));
  const auto page = plan_of(connection,
                            "SELECT * FROM sales WHERE (created_at, id) < (now(), "
                            "'00000000-0000-0000-0000-000000000000') ORDER BY created_at DESC, id "
                            "DESC LIMIT 50");
  EXPECT_THAT(page, HasSubstr("Index Scan Backward using sales_created_at_id_index"));
  EXPECT_THAT(page, Not(HasSubstr("Sort")));
  const auto shelf = plan_of(connection,
                             "SELECT * FROM products WHERE category = 'C1' AND (name, id) > ('P', "
                             "'00000000-0000-0000-0000-000000000000') ORDER BY name, id LIMIT 50");
  EXPECT_THAT(shelf, HasSubstr("products_category_name_id_index"));
  EXPECT_THAT(shelf, Not(HasSubstr("Sort")));
  EXPECT_THAT(plan_of(connection, "SELECT * FROM products ORDER BY name, id LIMIT 50"),
              HasSubstr("products_name_id_index"));
  EXPECT_THAT(plan_of(connection, "SELECT * FROM products WHERE low_stock ORDER BY stock LIMIT 9"),
              HasSubstr("products_low_stock_index"));
}

TEST(SchemaTest, TheSearchFindsWhatTheApplicationsStatementFinds) {
  const auto where = fresh_database("schema_search");
  auto connection = connect(where);
  bring_to(connection, kNewest);
  fill_shop(connection, {.products = 3'000});
  connection.exec("UPDATE products SET description = '50%_off\\now' WHERE barcode = 'B000042'",
                  soon());
  // Many matches take the other way through the function than few.
  connection.exec(
      "INSERT INTO products (id, name, category, price) SELECT gen_random_uuid(), 'Filler ' "
      "|| n, 'F', 1 FROM generate_series(1, 51000) n",
      soon());
  connection.exec("ANALYZE products", soon());
  for (const auto* term : {"product 12", "duct 299", "filler", "filler 50", "b00004", "it is 7",
                           "no such", "50%_off", "off\\now", "f", ""}) {
    SCOPED_TRACE(term);
    const auto ours =
        connection.exec("SELECT id FROM search_products($1, 50)", pg::Params::of(term), soon());
    const auto theirs = connection.exec(
        "SELECT id FROM products WHERE strpos(lower(name), lower($1)) > 0 OR "
        "strpos(lower(description), "
        "lower($1)) > 0 OR strpos(lower(barcode), lower($1)) > 0 ORDER BY name, id LIMIT 50",
        pg::Params::of(term), soon());
    ASSERT_EQ(ours.rows(), theirs.rows());
    for (int i = 0; i < ours.rows(); ++i) EXPECT_EQ(ours.text(i, 0), theirs.text(i, 0));
  }
}

TEST(SchemaTest, NoTwoIndexesHoldTheSameColumns) {
  const auto where = fresh_database("schema_duplicates");
  auto connection = connect(where);
  const std::string duplicates =
      "SELECT a.indexrelid::regclass || ' ' || b.indexrelid::regclass FROM pg_index a JOIN "
      "pg_index "
      "b ON a.indrelid = b.indrelid AND a.indexrelid < b.indexrelid AND a.indkey = b.indkey AND "
      "a.indclass = b.indclass AND a.indpred IS NOT DISTINCT FROM b.indpred WHERE "
      "a.indrelid::regclass::text !~ '^pg_'";
  bring_to(connection, 6);
  EXPECT_EQ(connection.exec(duplicates, soon()).rows(), 3);
  bring_to(connection, kNewest);
  EXPECT_EQ(connection.exec(duplicates, soon()).rows(), 0);
}

TEST(SchemaTest, ASaleWritesIntoNoIndexOfProducts) {
  const auto where = fresh_database("schema_hot");
  auto connection = connect(where);
  // Of 10 updates in a row, how many wrote into no index.
  const auto hot = [&] {
    connection.exec("BEGIN", soon());
    const auto count = [&] {
      return connection
          .exec("SELECT pg_stat_get_xact_tuples_hot_updated('products'::regclass)", soon())
          .i64(0, 0);
    };
    const auto before = count();
    for (int i = 0; i < 10; ++i) {
      connection.exec(
          "UPDATE products SET stock = stock - 1, updated_at = CURRENT_TIMESTAMP WHERE barcode = "
          "'B000002'",
          soon());
    }
    const auto after = count();
    connection.exec("COMMIT", soon());
    return after - before;
  };
  bring_to(connection, 6);
  fill_shop(connection, {.products = 20});
  EXPECT_EQ(hot(), 0);
  bring_to(connection, kNewest);
  EXPECT_EQ(hot(), 10);
}

TEST(SchemaTest, LowStockIsMarkedWhateverWritesTheRow) {
  const auto where = fresh_database("schema_low");
  auto connection = connect(where);
  const std::string wrong =
      "SELECT count(*) FROM products WHERE low_stock <> coalesce(stock <= min_stock, false)";
  bring_to(connection, 6);
  fill_shop(connection, {.products = 3'000});
  bring_to(connection, 10);
  auto holder = connect(where);
  holder.exec("BEGIN", soon());
  holder.exec("SELECT FROM products WHERE barcode = 'B000007' FOR UPDATE", soon());
  std::thread runner([&] { bring_to(connection, kNewest); });
  auto watcher = connect(where);
  // One row is held by a till; all the others are marked meanwhile, and then that one.
  EXPECT_TRUE(becomes_true(watcher, "SELECT (" + wrong + ") = 1"));
  holder.exec("COMMIT", soon());
  runner.join();
  EXPECT_EQ(connection.exec(wrong, soon()).i64(0, 0), 0);
  EXPECT_EQ(connection.exec("SELECT count(*) FROM products WHERE low_stock", soon()).i64(0, 0),
            150);
  connection.exec("UPDATE products SET stock = min_stock WHERE barcode < 'B000100'", soon());
  connection.exec("UPDATE products SET min_stock = 5000 WHERE barcode > 'B002900'", soon());
  connection.exec("UPDATE products SET stock = NULL WHERE barcode = 'B000007'", soon());
  connection.exec("UPDATE products SET low_stock = NOT low_stock WHERE barcode < 'B000050'",
                  soon());
  connection.exec(
      "INSERT INTO products (id, name, category, price, stock, min_stock) VALUES "
      "(gen_random_uuid(), 'x', 'y', 1, 2, 3), (gen_random_uuid(), 'x', 'y', 1, 4, 3)",
      soon());
  EXPECT_EQ(connection.exec(wrong, soon()).i64(0, 0), 0);
}

TEST(SchemaTest, TwoTillsCannotSellTheSameLastPiece) {
  const auto where = fresh_database("schema_stock");
  auto first = connect(where);
  auto second = connect(where);
  const auto sell_last = [&] {
    first.exec("UPDATE products SET stock = 1 WHERE id = $1", pg::Params::of(uuid_of(1)), soon());
    const std::string take =
        "UPDATE products SET stock = stock - 1 WHERE id = '" + uuid_of(1) + "'";
    first.exec("BEGIN", soon());
    first.exec(take, soon());
    std::string answer;
    std::thread other([&] { answer = refusal_of(second, take); });
    auto watcher = connect(where);
    EXPECT_TRUE(becomes_true(watcher, fmt::format("SELECT wait_event_type = 'Lock' FROM "
                                                  "pg_stat_activity WHERE pid = {}",
                                                  second.backend_pid())));
    first.exec("COMMIT", soon());
    other.join();
    return answer;
  };
  bring_to(first, 6);
  fill_shop(first, {.products = 20});
  EXPECT_EQ(sell_last(), "accepted") << "as built, the shop oversells";
  EXPECT_EQ(first.exec("SELECT min(stock) FROM products", soon()).i64(0, 0), -1);
  bring_to(first, kNewest);
  EXPECT_EQ(first.exec("SELECT min(stock) FROM products", soon()).i64(0, 0), 0);
  const auto settled = first.exec("SELECT product_id, oversold FROM stock_corrections", soon());
  ASSERT_EQ(settled.rows(), 1);
  EXPECT_EQ(settled.text(0, 0), uuid_of(1));
  EXPECT_EQ(settled.i64(0, 1), 1);
  EXPECT_EQ(sell_last(), "23514");
  EXPECT_TRUE(first
                  .exec("SELECT convalidated FROM pg_constraint WHERE conname = "
                        "'products_stock_not_negative'",
                        soon())
                  .boolean(0, 0));
}

TEST(SchemaTest, EachRoleMayDoWhatItNeedsAndNoMore) {
  const auto where = fresh_database("schema_roles");
  auto admin = connect(where);
  admin.exec(
      "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'accountant') THEN "
      "CREATE ROLE accountant LOGIN; END IF; END $$",
      soon());
  bring_to(admin, 15);
  admin.exec("GRANT SELECT ON expenses TO accountant", soon());
  fill_shop(admin, {.products = 20, .sales = 50});
  bring_to(admin, kNewest);

  auto application = connect(login_as(admin, where, "grocery_app"));
  EXPECT_EQ(refusal_of(application, "CREATE TABLE mine (id int)"), "42501");
  EXPECT_EQ(refusal_of(application, "DROP TABLE sales"), "42501");
  EXPECT_EQ(refusal_of(application, "TRUNCATE debts"), "42501");
  EXPECT_EQ(refusal_of(application, "UPDATE product_sales SET quantity = 0"), "42501");
  EXPECT_EQ(refusal_of(application, "DELETE FROM sales_changes"), "42501");
  EXPECT_EQ(refusal_of(application, "SELECT * FROM pantryd.migrations"), "42501");
  EXPECT_EQ(refusal_of(application, "SELECT sales_rollup_fold(1)"), "42501");
  EXPECT_EQ(refusal_of(application, "CREATE TEMPORARY TABLE t (id int)"), "42501");
  EXPECT_EQ(refusal_of(application, "SELECT * FROM top_products(3)"), "accepted");
  EXPECT_EQ(application.exec("SHOW statement_timeout", soon()).text(0, 0), "30s");
  EXPECT_EQ(application.exec("SHOW lock_timeout", soon()).text(0, 0), "5s");
  EXPECT_EQ(application.exec("SHOW idle_in_transaction_session_timeout", soon()).text(0, 0),
            "1min");

  auto reader = connect(login_as(admin, where, "grocery_readonly"));
  EXPECT_EQ(refusal_of(reader, "SELECT count(*) FROM sales"), "accepted");
  EXPECT_EQ(refusal_of(reader, "SELECT username, role FROM users"), "accepted");
  EXPECT_EQ(refusal_of(reader, "SELECT password FROM users"), "42501");
  EXPECT_EQ(refusal_of(reader, "SELECT * FROM sales_summary(NULL, NULL)"), "accepted");
  EXPECT_EQ(refusal_of(reader, "DELETE FROM expenses"), "25006") << "read-only";
  reader.exec("SET default_transaction_read_only = off", soon());
  EXPECT_EQ(refusal_of(reader, "DELETE FROM expenses"), "42501");

  auto monitor = connect(login_as(admin, where, "grocery_monitor"));
  EXPECT_EQ(refusal_of(monitor, "SELECT * FROM pg_stat_activity"), "accepted");
  EXPECT_EQ(refusal_of(monitor, "SELECT * FROM pantryd.migrations"), "accepted");
  EXPECT_EQ(refusal_of(monitor, "SELECT * FROM sales"), "42501");
  EXPECT_EQ(monitor.exec("SHOW lock_timeout", soon()).text(0, 0), "100ms");

  auto migrator = connect(login_as(admin, where, "grocery_migrate"));
  EXPECT_EQ(refusal_of(migrator, "ALTER TABLE sales ADD COLUMN till text"), "accepted");
  EXPECT_FALSE(migrator
                   .exec("SELECT pg_has_role(oid, 'MEMBER') FROM pg_roles WHERE rolname = "
                         "'postgres'",
                         soon())
                   .boolean(0, 0));
  (void)bring_up(migrator, embedded_migrations());

  // A login role from before keeps what it had; one from after gets nothing by itself.
  auto accountant = connect(login_as(admin, where, "accountant"));
  EXPECT_EQ(refusal_of(accountant, "SELECT * FROM expenses"), "accepted");
  admin.exec(
      "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'newcomer') THEN "
      "CREATE ROLE newcomer LOGIN; END IF; END $$",
      soon());
  EXPECT_THROW(connect(login_as(admin, where, "newcomer")), pg::PgError);
}

TEST(SchemaTest, NothingIsGrantedToPublic) {
  const auto where = fresh_database("schema_public");
  auto connection = connect(where);
  bring_to(connection, kNewest);
  const auto rows = connection.exec(
      "WITH acls AS (SELECT relname::text AS name, relacl AS acl FROM pg_class WHERE relnamespace "
      "IN "
      "('public'::regnamespace, 'pantryd'::regnamespace) UNION ALL SELECT proname, "
      "coalesce(proacl, "
      "acldefault('f', proowner)) FROM pg_proc p WHERE pronamespace = 'public'::regnamespace AND "
      "NOT "
      "EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid "
      "AND "
      "d.deptype = 'e') UNION ALL SELECT nspname, nspacl FROM pg_namespace WHERE nspname IN "
      "('public', "
      "'pantryd') UNION ALL SELECT datname, coalesce(datacl, acldefault('d', datdba)) FROM "
      "pg_database "
      "WHERE datname = current_database()) SELECT name, acl FROM acls, aclexplode(acl) AS grants "
      "WHERE "
      "grants.grantee = 0",
      soon());
  std::string found;
  for (int i = 0; i < rows.rows(); ++i)
    found += fmt::format("{} {}\n", rows.text(i, 0), rows.text(i, 1));
  EXPECT_EQ(found, "");
}

TEST(SchemaTest, DownLeadsBackToTheSchemaAsBuiltAndUpAgainToTheSame) {
  const auto where = fresh_database("schema_down");
  auto connection = connect(where);
  bring_to(connection, 6);
  fill_shop(connection, {.products = 60, .sales = 300});
  const auto as_built = read_catalogue(connection, soon());
  bring_to(connection, kNewest);
  const auto newest = read_catalogue(connection, soon());
  EXPECT_NE(newest, as_built);
  RunnerOptions options;
  options.to = 6;
  options.tool_version = "test";
  (void)down(connection, embedded_migrations(), options, [](const Migration&) {});
  EXPECT_EQ(between(as_built, read_catalogue(connection, soon())), "");
  EXPECT_EQ(replay_application(connection, 1), "");
  bring_to(connection, kNewest);
  EXPECT_EQ(between(newest, read_catalogue(connection, soon())), "");
  EXPECT_TRUE(connection.exec("SELECT * FROM sales_rollup_difference()", soon()).empty());
}

}  // namespace
}  // namespace pantryd::migrate
