// Invariant: what a PageWatch has seen belongs to its thread until that is joined.
#include "tests/support/page_watch.h"

#include <dirent.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "base/deadline.h"
#include "base/error.h"
#include "base/file.h"
#include "sandbox/sandbox.h"
#include "tests/support/shared_sandbox.h"
#include "tests/support/within.h"

namespace pantryd::testing_support {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr auto kTick = milliseconds(100);
/// The bars.
constexpr double kMedianBar_ms = 10;
constexpr double kP99Bar_ms = 50;
/// A machine that builds something beside the tests makes any page slow, and a bar of 50 ms would
/// tell of the machine. What a fault must not do is make a page wait for a server: then it takes as
/// long as the time limit of a connect or a statement, which is seconds. So the bar is twenty times
/// the issue's, over /healthz of the same moment, which knows of no server. The bench has the bars.
constexpr double kTolerance = 20;

/// Three sessions with a cancel each, and three more that dial with four sockets.
constexpr int kSocketsMax = 15;

double quantile(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const auto at = static_cast<std::size_t>(share * static_cast<double>(values.size()));
  return values[std::min(at, values.size() - 1)];
}

/// Inodes of the sockets that the process holds.
std::set<std::string> sockets_of(pid_t pid) {
  std::set<std::string> out;
  std::error_code failure;
  for (const auto& entry :
       std::filesystem::directory_iterator(fmt::format("/proc/{}/fd", pid), failure)) {
    const auto link = std::filesystem::read_symlink(entry.path(), failure).string();
    if (!failure && link.rfind("socket:[", 0) == 0) out.insert(link.substr(8, link.size() - 9));
  }
  return out;
}

}  // namespace

std::string target_line(const std::string& name, const pg::Conninfo& where,
                        const std::string& more) {
  std::string dsn;
  for (const char c : where.reveal()) {
    if (c == '"' || c == '\\') dsn.push_back('\\');
    dsn.push_back(c);
  }
  return fmt::format("{{name: {}, dsn: \"{}\"{}{}}}", name, dsn, more.empty() ? "" : ", ", more);
}

Daemon::Daemon(const std::string& binary, const std::vector<std::string>& targets, Options options)
    : port_(find_free_port_pair()), probes_(std::move(options.probes)) {
  write_config(targets);
  ChildSpec spec;
  spec.argv = std::move(options.wrapper);
  const auto config = (scratch_dir() / "serve.yaml").string();
  spec.argv.insert(spec.argv.end(), {binary, "serve", "--config", config});
  spec.output = scratch_dir() / "serve.log";
  spec.parent_death_signal = SIGKILL;
  std::filesystem::remove(spec.output);
  child_ = std::make_unique<Child>(spec);
  const std::string path = options.wait_until_ready ? "/readyz" : "/healthz";
  EXPECT_TRUE(within(seconds(60), [&] { return get(port_, path).status == 200; }))
      << get(port_, path).body << log();
}

std::string Daemon::log() const {
  return read_file(scratch_dir() / "serve.log");
}

void Daemon::write_config(const std::vector<std::string>& targets) const {
  auto text =
      fmt::format("http: {{listen: \"127.0.0.1:{}\"}}\nprobes: {{{}}}\ntargets:\n", port_, probes_);
  for (const auto& target : targets) text += "  - " + target + "\n";
  write_config_text(text);
}

void Daemon::write_config_text(const std::string& text) const {
  write_file_atomically(scratch_dir() / "serve.yaml", text);
}

void Daemon::reload() const {
  child_->signal(SIGHUP, false);
}

int Daemon::connections_to(std::uint16_t server_port) const {
  const auto ours = sockets_of(pid());
  const auto there = fmt::format("0100007F:{:04X}", server_port);
  std::ifstream table("/proc/net/tcp");
  int count = 0;
  for (std::string line; std::getline(table, line);) {
    std::istringstream words(line);
    std::string slot, local, remote, state, queues, timer, retransmits, uid, timeout, inode;
    words >> slot >> local >> remote >> state >> queues >> timer >> retransmits >> uid >> timeout >>
        inode;
    if (remote == there && ours.count(inode) > 0) ++count;
  }
  return count;
}

PageWatch::PageWatch(const Daemon& daemon, std::vector<std::string> series,
                     std::vector<std::uint16_t> server_ports, std::optional<pg::Conninfo> admin)
    : daemon_(daemon), series_(std::move(series)), server_ports_(std::move(server_ports)) {
  watched_.missing.resize(series_.size());
  watched_.connections.resize(server_ports_.size());
  EXPECT_TRUE(within(seconds(60), [&] {
    const auto page = daemon_.page();
    return std::all_of(series_.begin(), series_.end(),
                       [&](const auto& each) { return has_line(page, each); });
  })) << daemon_.log();
  thread_ = std::thread([this] { run(); });
  if (admin) counter_ = std::thread([this, where = *admin] { count_sessions(where); });
}

PageWatch::~PageWatch() {
  over_ = true;
  if (thread_.joinable()) thread_.join();
  if (counter_.joinable()) counter_.join();
}

/// A server in a fault need not answer: then nobody is counted.
void PageWatch::count_sessions(const pg::Conninfo& admin) {
  std::optional<pg::Connection> connection;
  while (!over_) {
    try {
      if (!connection || connection->broken()) {
        connection.emplace(pg::Connection::connect(admin, Deadline::in(seconds(1))));
      }
      watched_.sessions = std::max(watched_.sessions, sessions_of_watcher(*connection));
    } catch (const Error&) {
      connection.reset();
    }
    std::this_thread::sleep_for(milliseconds(20));
  }
}

void PageWatch::run() {
  auto next = SteadyClock::now();
  while (!over_) {
    look();
    next = std::max(next + kTick, SteadyClock::now());
    std::this_thread::sleep_until(next);
  }
}

void PageWatch::look() {
  const auto health = get(daemon_.port(), "/healthz");
  const auto page = get(daemon_.port(), "/metrics");
  ++watched_.looks;
  if (page.status != 200 || health.status != 200) ++watched_.bad_answers;
  health_ms_.push_back(health.took_ms);
  page_ms_.push_back(page.took_ms);
  above_ms_.push_back(page.took_ms - health.took_ms);
  watched_.page_bytes_max = std::max(watched_.page_bytes_max, page.body.size());
  for (std::size_t i = 0; i < series_.size(); ++i) {
    if (!has_line(page.body, series_[i])) ++watched_.missing[i];
  }
  for (std::size_t i = 0; i < server_ports_.size(); ++i) {
    watched_.connections[i] =
        std::max(watched_.connections[i], daemon_.connections_to(server_ports_[i]));
  }
}

Watched PageWatch::finish(const std::string& fault, std::int64_t sessions_max) {
  over_ = true;
  thread_.join();
  if (counter_.joinable()) counter_.join();
  auto& out = watched_;
  out.page_median_ms = quantile(page_ms_, 0.5);
  out.page_p99_ms = quantile(page_ms_, 0.99);
  out.page_max_ms = quantile(page_ms_, 1);
  out.health_median_ms = quantile(health_ms_, 0.5);
  out.health_p99_ms = quantile(health_ms_, 0.99);
  out.above_median_ms = quantile(above_ms_, 0.5);
  out.above_max_ms = quantile(above_ms_, 1);
  fmt::print(
      "{}: {} pages, median {:.1f} ms ({} {:.0f}), p99 {:.1f} ms ({} {:.0f}), longest {:.1f} ms, "
      "up "
      "to {} bytes; /healthz median {:.1f} ms, p99 {:.1f} ms; connections at most:",
      fault, out.looks, out.page_median_ms,
      out.page_median_ms <= kMedianBar_ms ? "within" : "above", kMedianBar_ms, out.page_p99_ms,
      out.page_p99_ms <= kP99Bar_ms ? "within" : "above", kP99Bar_ms, out.page_max_ms,
      out.page_bytes_max, out.health_median_ms, out.health_p99_ms);
  for (const int most : out.connections) fmt::print(" {}", most);
  fmt::print("; sessions at most: {}\n", out.sessions);
  std::fflush(stdout);

  EXPECT_GT(out.looks, 0) << fault;
  EXPECT_EQ(out.bad_answers, 0) << fault;
  EXPECT_LE(out.above_median_ms, kTolerance * kMedianBar_ms) << fault;
  EXPECT_LE(quantile(above_ms_, 0.99), kTolerance * kP99Bar_ms) << fault;
  for (std::size_t i = 0; i < series_.size(); ++i) {
    EXPECT_EQ(out.missing[i], 0) << fault << ": pages without " << series_[i];
  }
  for (const int most : out.connections) EXPECT_LE(most, kSocketsMax) << fault;
  EXPECT_LE(out.sessions, sessions_max) << fault;
  return out;
}

pg::Conninfo watcher_at(std::uint16_t port) {
  const auto primary = shared_sandbox().primary();
  static const bool made = [&] {
    auto admin = pg::Connection::connect(primary, Deadline::in(seconds(30)));
    admin.exec_script(
        fmt::format("CREATE ROLE {0} LOGIN PASSWORD 'watching' IN ROLE pg_monitor", kWatcher),
        Deadline::in(seconds(30)));
    return true;
  }();
  EXPECT_TRUE(made);
  return primary.with("passfile", "")
      .with("user", kWatcher)
      .with("password", "watching")
      .with("port", std::to_string(port));
}

std::int64_t sessions_of_watcher(pg::Connection& admin) {
  return admin
      .exec("SELECT count(*) FROM pg_stat_activity WHERE usename = $1", pg::Params::of(kWatcher),
            Deadline::in(seconds(2)))
      .i64(0, 0);
}

}  // namespace pantryd::testing_support
