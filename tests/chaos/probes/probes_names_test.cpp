// Names that people give to things, on a page that Prometheus must be able to read.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "base/file.h"
#include "pg/identifier.h"
#include "tests/support/page_watch.h"
#include "tests/support/places.h"
#include "tests/support/shared_sandbox.h"
#include "tests/support/within.h"

namespace pantryd {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;
using namespace testing_support;

Deadline patience() {
  return Deadline::in(seconds(60));
}

const std::vector<std::string>& hostile_names() {
  static const std::vector<std::string> names{
      "other",
      "a \"quoted\" name",
      "back\\slash \\n \\",
      "new\nline\ttab\rreturn",
      "\xF0\x9F\xA5\x95 carrots",
      "{le=\"+Inf\"} 1",
      "# HELP pg_up no",
      "it's; DROP TABLE x --",
      std::string(63, 'n'),
      // 63 bytes, the last character of two bytes: what is longer is cut by the server.
      std::string(61, 'm') + "\xC3\xA4",
  };
  return names;
}

/// A probe of ours that tells one of its tables by name, in each database.
std::string own_probes() {
  const auto folder = scratch_dir() / "probes";
  std::filesystem::create_directories(folder);
  write_file_atomically(
      folder / "names.yaml",
      "name: names\nsummary: Tables by name.\ninterval: 2s\nscope: database\nqueries:\n"
      "  - sql: |\n"
      "      SELECT current_database() AS datname, relname, 1 AS n, relpages AS pages\n"
      "      FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace\n"
      "    labels: [datname, relname]\n"
      "    bound: {limit: relations_max, by: [pages], keep: [datname]}\n"
      "    metrics:\n"
      "      - {name: names_table, column: n, type: gauge, help: \"A \\\"table\\\" \\\\ "
      "here.\"}\n");
  return fmt::format("connect_timeout: 2s, folder: \"{}\", relations_max: 40", folder.string());
}

TEST(NamesTest, NamesOfAnyKindMakeAPageThatPrometheusReadsAndNothingIsToldTwice) {
  const auto port = shared_sandbox().port();
  auto admin = pg::Connection::connect(shared_sandbox().primary(), patience());
  const auto watcher = watcher_at(port);
  std::vector<pg::Connection> sessions;
  for (const auto& name : hostile_names()) {
    const auto quoted = pg::quote_identifier(name);
    admin.exec("CREATE DATABASE " + quoted + " TEMPLATE template0", patience());
    admin.exec("CREATE ROLE " + quoted + " LOGIN SUPERUSER PASSWORD 'pass'", patience());
    auto session =
        pg::Connection::connect(shared_sandbox().primary().with("dbname", name), patience());
    for (const auto& table : hostile_names()) {
      session.exec("CREATE TABLE " + pg::quote_identifier(table) + " (a int)", patience());
    }
    session.exec("SET ROLE " + quoted, patience());
    session.exec("SELECT set_config('application_name', $1, false)", pg::Params::of(name),
                 patience());
    sessions.push_back(std::move(session));
  }
  // A database in which bytes are only bytes.
  admin.exec("CREATE DATABASE bytes TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'",
             patience());
  auto bytes =
      pg::Connection::connect(shared_sandbox().primary().with("dbname", "bytes"), patience());
  bytes.exec("SET client_encoding = 'SQL_ASCII'", patience());
  bytes.exec("CREATE TABLE \"caf\xE9 \xFF\xC3\" (a int)", patience());

  Daemon daemon(
      places::binary,
      {target_line("hostile", watcher), target_line("other", watcher.with("dbname", "bytes")),
       target_line("\"t \\\"q\\\" \\U0001F955\"", watcher.with("dbname", "other"))},
      {.probes = own_probes()});
  const auto told = [&] { return lines_of(daemon.page(), "names_table{"); };
  ASSERT_TRUE(within(seconds(60),
                     [&] {
                       const auto lines = told();
                       return lines.find("datname=\"bytes\"") != std::string::npos &&
                              lines.find("carrots\",relname=") != std::string::npos &&
                              lines.find("datname=\"other\"") != std::string::npos;
                     }))
      << told() << daemon.log();
  const auto page = daemon.page();
  EXPECT_EQ(promtool_says(page), "");
  EXPECT_EQ(told_twice(page), "");
  EXPECT_THAT(page, HasSubstr("datname=\"a \\\"quoted\\\" name\""));
  EXPECT_THAT(page, HasSubstr("datname=\"back\\\\slash \\\\n \\\\\""));
  EXPECT_THAT(page, HasSubstr("datname=\"new\\nline\ttab\rreturn\""));
  EXPECT_THAT(page, HasSubstr("datname=\"" + hostile_names().back() + "\""));
  EXPECT_THAT(page, HasSubstr("caf\\\\xe9 \\\\xff\\\\xc3"));
  EXPECT_THAT(page, HasSubstr("target=\"t \\\"q\\\" \xF0\x9F\xA5\x95\""));
}

}  // namespace
}  // namespace pantryd
