// Against postgres_exporter, which the names pg_* are taken from: what it tells of a server, we
// tell, too, with its labels and values. Debian's own runs beside us; the current one is known by
// its list.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <cmath>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "base/error.h"
#include "base/file.h"
#include "pg/connection.h"
#include "probes/engine/spec.h"
#include "tests/support/exporter_names.h"
#include "tests/support/places.h"
#include "tests/support/shared_sandbox.h"
#include "tests/support/within.h"

namespace pantryd {
namespace {

using std::chrono::seconds;
using testing::IsEmpty;
using testing_support::run_binary;
using testing_support::scratch_dir;
using testing_support::shared_sandbox;
using testing_support::within;

using Labels = std::map<std::string, std::string>;

struct Family {
  std::string type;
  std::vector<std::pair<Labels, double>> series;
};
using Page = std::map<std::string, Family>;

/// Prometheus' text format, without the label that only one of the two has. A value that is not a
/// number says that there is none.
Page parse_page(const std::string& text) {
  static const std::regex label(R"re((\w+)="((?:[^"\\]|\\.)*)")re");
  Page out;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind("# TYPE ", 0) == 0) {
      const auto space = line.find(' ', 7);
      out[line.substr(7, space - 7)].type = line.substr(space + 1);
    }
    if (line.empty() || line[0] == '#') continue;
    const auto name_end = line.find_first_of("{ ");
    const auto value = std::strtod(line.c_str() + line.rfind(' '), nullptr);
    if (std::isnan(value)) continue;
    Labels labels;
    for (std::sregex_iterator it(line.begin() + static_cast<long>(name_end), line.end(), label),
         end;
         it != end; ++it) {
      if ((*it)[1] != "server" && (*it)[1] != "target") labels[(*it)[1]] = (*it)[2];
    }
    out[line.substr(0, name_end)].series.emplace_back(std::move(labels), value);
  }
  for (auto it = out.begin(); it != out.end();) {
    it = it->second.series.empty() ? out.erase(it) : std::next(it);
  }
  return out;
}

struct Known {
  const char* families;  ///< a regular expression
  const char* reason;
};

constexpr Known kNotOurs[] = {
    {"go_.*|process_.*|promhttp_.*|postgres_exporter_(build_info|config_.*)",
     "of the exporter's own process"},
    {"pg_exporter_.*|pg_scrape_collector_.*", "of its scrapes: ours are pantryd_probe_*"},
};

constexpr Known kMissing[] = {
    {"pg_stat_database_(active_time|checksum_.*|idle_in_transaction_time|sessions?_.*|sessions"
     "|parallel_.*)",
     "columns that 0.11 does not know and passes on without type or unit: pantryd_database_*"},
    {"pg_stat_replication_reply_time", "the same: pantryd_replication_reply_age_seconds"},
    {"pg_stat_(database|checkpointer|bgwriter).*stats_reset.*",
     "later versions tell 0, which is 1970, where statistics were never reset"},
    {"pg_stat_progress_vacuum_max_dead_tuples", "bytes under the name of rows from 17 on"},
};

constexpr Known kMissingOnStandby[] = {
    {"pg_stat_archiver_.*", "counters from before the server was a standby raise false alarms"},
};

constexpr Known kLabelsDiffer[] = {
    {"pg_stat_activity_(count|max_tx_duration)", "0.17 and later have the labels that ours have"},
    {"pg_statio_user_indexes_.*", "without datname two databases collide; the current one has it"},
    {"pg_stat_wal_receiver_.*", "status became a label"},
    {"pg_process_idle_seconds.*", "state became a label"},
};

/// What does not change between one look and the next.
constexpr const char* kSteady =
    "pg_settings_.*|pg_database_connection_limit|pg_static|pg_replication_is_replica"
    "|pg_stat_database_conflicts_.*|pg_roles_connection_limit|pg_replication_slots_active"
    "|pg_postmaster_start_time_seconds";
constexpr const char* kOfOneSession = "pg_settings_(transaction_read_only|extra_float_digits)";

template <std::size_t N>
bool known(const Known (&list)[N], const std::string& family) {
  return std::any_of(std::begin(list), std::end(list), [&](const Known& each) {
    return std::regex_match(family, std::regex(each.families));
  });
}

/// The page says untyped where Prometheus' linter refuses the peer's type under the peer's name.
std::string our_type(const std::string& name, const std::string& theirs) {
  static const std::regex reserved(".*_(count|sum|bucket)");
  const bool total = name.size() > 6 && name.compare(name.size() - 6, 6, "_total") == 0;
  if (theirs == "counter" && !total) return "untyped";
  if (theirs == "gauge" && std::regex_match(name, reserved)) return "untyped";
  return theirs;
}

std::set<std::set<std::string>> label_names(const Family& family) {
  std::set<std::set<std::string>> out;
  for (const auto& [labels, value] : family.series) {
    std::set<std::string> names;
    for (const auto& [name, text] : labels) names.insert(name);
    out.insert(std::move(names));
  }
  return out;
}

void compare_family(const std::string& name, const Family& theirs, const Family& ours,
                    std::vector<std::string>& differences) {
  if (ours.type != our_type(name, theirs.type)) {
    differences.push_back(fmt::format("{} is {} and not {}", name, ours.type, theirs.type));
  }
  if (label_names(theirs) != label_names(ours) && !known(kLabelsDiffer, name)) {
    differences.push_back(fmt::format("{} has other labels: {} and not {}", name,
                                      testing::PrintToString(label_names(ours)),
                                      testing::PrintToString(label_names(theirs))));
  }
  if (!std::regex_match(name, std::regex(kSteady)) ||
      std::regex_match(name, std::regex(kOfOneSession))) {
    return;
  }
  const std::map<Labels, double> by_labels(ours.series.begin(), ours.series.end());
  for (const auto& [labels, value] : theirs.series) {
    const auto found = by_labels.find(labels);
    if (found == by_labels.end()) {
      differences.push_back(
          fmt::format("{} has no series {}", name, testing::PrintToString(labels)));
    } else if (std::abs(found->second - value) > 1e-9 * std::abs(value) + 1e-9 &&
               (name != "pg_postmaster_start_time_seconds" ||
                std::abs(found->second - value) >= 1)) {
      differences.push_back(fmt::format("{}{} is {} and not {}", name,
                                        testing::PrintToString(labels), found->second, value));
    }
  }
}

std::vector<std::string> differences(const Page& theirs, const Page& ours, bool standby) {
  std::vector<std::string> out;
  for (const auto& [name, family] : theirs) {
    if (known(kNotOurs, name)) continue;
    const auto found = ours.find(name);
    if (found != ours.end()) {
      compare_family(name, family, found->second, out);
    } else if (!known(kMissing, name) && !(standby && known(kMissingOnStandby, name))) {
      out.push_back(fmt::format("{} ({}) is missing", name, family.type));
    }
  }
  return out;
}

/// The peer beside a server, with each collector that it has; its page.
class Peer {
 public:
  explicit Peer(const pg::Conninfo& where) : port_(find_free_port_pair()) {
    const auto program = find_program("prometheus-postgres-exporter");
    if (!program) {
      throw Error(ExitCode::failed, "prometheus-postgres-exporter is missing",
                  "./run install, or: apt-get install prometheus-postgres-exporter");
    }
    ChildSpec spec;
    spec.argv = {program->string(), fmt::format("--web.listen-address=127.0.0.1:{}", port_)};
    for (const auto& flag : collectors(program->string())) spec.argv.push_back(flag);
    spec.env = {fmt::format("DATA_SOURCE_NAME=postgresql://peer:of-tests@{}/{}?sslmode=disable",
                            where.host_port(), where.get("dbname"))};
    spec.output = scratch_dir() / "peer.log";
    spec.parent_death_signal = SIGKILL;
    child_.emplace(spec);
  }

  [[nodiscard]] Page page() const {
    const auto file = scratch_dir() / "peer.txt";
    std::string text;
    const bool up = within(seconds(60), [&] {
      std::filesystem::remove(file);
      (void)run_child({{"curl", "-s", "-m", "20", "-o", file.string(),
                        fmt::format("http://127.0.0.1:{}/metrics", port_)}},
                      Deadline::in(seconds(30)));
      text = try_read_file(file).value_or("");
      return text.find("\npg_up 1") != std::string::npos;
    });
    EXPECT_TRUE(up) << try_read_file(scratch_dir() / "peer.log").value_or("");
    return parse_page(text);
  }

 private:
  static std::set<std::string> collectors(const std::string& program) {
    static const std::regex flag(R"(--(?:\[no-\])?collector\.([a-z_]+)\s)");
    const auto help = run_child({{program, "--help"}}, Deadline::in(seconds(20))).output;
    std::set<std::string> out;
    for (std::sregex_iterator it(help.begin(), help.end(), flag), end; it != end; ++it) {
      out.insert("--collector." + (*it)[1].str());
    }
    EXPECT_THAT(out, testing::Not(IsEmpty())) << help;
    return out;
  }

  std::uint16_t port_;
  std::optional<Child> child_;
};

/// The role that both of them use, and something to tell of.
void prepare_server() {
  static const bool once = [] {
    auto owner = pg::Connection::connect(shared_sandbox().primary(), Deadline::in(seconds(20)));
    owner.exec_script(R"(CREATE ROLE peer LOGIN PASSWORD 'of-tests'; GRANT pg_monitor TO peer;
      CREATE TABLE sold (id serial PRIMARY KEY, what text); INSERT INTO sold (what) VALUES ('tea');
      ANALYZE)",
                      Deadline::in(seconds(60)));
    auto standby = pg::Connection::connect(shared_sandbox().standby(), Deadline::in(seconds(20)));
    return within(seconds(60), [&] {
      return !standby.exec("SELECT FROM pg_roles WHERE rolname = 'peer'", Deadline::in(seconds(20)))
                  .empty();
    });
  }();
  ASSERT_TRUE(once) << "the standby does not follow";
}

Page our_page(const pg::Conninfo& where) {
  const auto file = scratch_dir() / "peer.pgpass";
  write_file_atomically(file, "*:*:*:peer:of-tests\n", 0600);
  const auto dsn = where.with("user", "peer").with("passfile", file.string()).reveal();
  // Longer than the tail of an output that run_child keeps.
  const auto page = scratch_dir() / "ours.txt";
  const auto made = run_child({{"sh", "-c", "exec \"$0\" metrics --dsn \"$1\" > \"$2\"",
                                places::binary, dsn, page.string()}},
                              Deadline::in(seconds(60)));
  EXPECT_TRUE(made.ok()) << made.output;
  return parse_page(read_file(page));
}

void expect_nothing_missing(const pg::Conninfo& where, bool standby) {
  prepare_server();
  const Peer peer(where);
  const auto theirs = peer.page();
  EXPECT_GT(theirs.size(), 250U) << "the peer itself is not well";
  EXPECT_THAT(differences(theirs, our_page(where), standby), IsEmpty());
}

TEST(ExporterPeerTest, OfAPrimaryWeTellWhatPostgresExporterTells) {
  expect_nothing_missing(shared_sandbox().primary(), false);
}

TEST(ExporterPeerTest, OfAStandbyWeTellWhatPostgresExporterTells) {
  expect_nothing_missing(shared_sandbox().standby(), true);
}

TEST(ExporterPeerTest, EveryFamilyOfTheCurrentExporterIsAProbesWithItsLabels) {
  std::map<std::string, std::set<std::string>> ours;
  for (const auto& probe : probes::embedded_probes()) {
    for (const auto& query : probe.queries) {
      for (const auto& metric : query.metrics) {
        ours[metric.metric->name] = {query.labels.begin(), query.labels.end()};
      }
    }
  }
  for (const auto& [labels, names] : testing_support::kExporterNames) {
    std::istringstream words(labels);
    const std::set<std::string> wanted{std::istream_iterator<std::string>(words), {}};
    for (const auto& name : names) EXPECT_EQ(ours[name], wanted) << name;
  }
}

}  // namespace
}  // namespace pantryd
