// Invariants: all members but connection_ are held under mutex_ (where_, watched_pid_ and quit_
// never change or guard themselves); what look() found is kept only if no arm() or disarm() came
// between.
#include "migrate/run/blockers.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/log.h"
#include "base/units.h"

namespace pantryd::migrate {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr auto kLookInterval = milliseconds(500);
constexpr auto kBlockersLimit = seconds(5);
constexpr auto kLockLimit = std::chrono::milliseconds(100);
constexpr auto kIdleCheck = seconds(1);
constexpr std::size_t kQueryCharsMax = 120;

// {}: kBlockerColumns.
constexpr const char* kBlocking =
    "SELECT b.pid, {} FROM (SELECT DISTINCT unnest(pg_catalog.pg_blocking_pids($1)) AS pid) b "
    "LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = b.pid ORDER BY a.xact_start LIMIT 10";

// Sessions of other databases hold back nothing but shared catalogues.
constexpr const char* kOld =
    "SELECT a.pid, {} FROM pg_catalog.pg_stat_activity a "
    "WHERE a.datname = current_database() AND a.pid <> pg_backend_pid() "
    "AND a.backend_type = 'client backend' AND a.xact_start IS NOT NULL "
    "AND a.xact_start < clock_timestamp() - make_interval(secs => $1::bigint / 1000.0) "
    "AND (a.backend_xid IS NOT NULL OR a.backend_xmin IS NOT NULL) ORDER BY a.xact_start LIMIT 10";

}  // namespace

Blocker read_blocker(const pg::Result& rows, int row) {
  Blocker out;
  out.pid = rows.i64(row, 0);
  out.user = rows.text(row, 1);
  out.application = rows.text(row, 2);
  out.state = rows.text(row, 3);
  out.query = shorten_query(std::string(rows.text(row, 4)));
  if (const auto age = rows.maybe_i64(row, 5)) out.age = seconds(*age);
  return out;
}

std::vector<Blocker> read_blockers(const pg::Result& rows) {
  std::vector<Blocker> out;
  for (int i = 0; i < rows.rows(); ++i) out.push_back(read_blocker(rows, i));
  return out;
}

std::string shorten_query(const std::string& query) {
  std::string out = one_line(pg::mask_secrets(query));
  std::string lower = out;
  for (char& c : lower) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  const auto secret = lower.find("password");
  if (secret != std::string::npos) return out.substr(0, secret + 8) + " ...";
  if (out.size() <= kQueryCharsMax) return out;
  auto end = kQueryCharsMax;
  while (end > 0 && (static_cast<unsigned char>(out[end]) & 0xC0U) == 0x80U) --end;
  return out.substr(0, end) + " ...";
}

std::string describe(const std::vector<Blocker>& blockers) {
  if (blockers.empty()) return "a session that was gone when we looked";
  std::string out;
  for (const auto& each : blockers) {
    if (!out.empty()) out += "; ";
    if (each.pid == 0) {
      out += "a prepared transaction (see pg_prepared_xacts)";
      continue;
    }
    out += fmt::format("pid {} ({}{}{}, {}", each.pid, each.user, each.user.empty() ? "" : " ",
                       each.application.empty() ? "unnamed" : each.application,
                       each.state.empty() ? "state unknown" : each.state);
    if (each.age) out += fmt::format(", transaction {} old", format_duration(*each.age));
    out += fmt::format("): {}", each.query.empty() ? "query unknown" : each.query);
  }
  return out;
}

std::vector<Blocker> old_transactions(pg::Connection& connection, milliseconds age,
                                      Deadline deadline) {
  return read_blockers(
      connection.exec(fmt::format(kOld, kBlockerColumns), pg::Params::of(age.count()), deadline));
}

BlockerWatch::BlockerWatch(pg::Conninfo where, int watched_pid)
    : where_(std::move(where)), watched_pid_(watched_pid), thread_([this] { run(); }) {}

BlockerWatch::~BlockerWatch() {
  quit_.request();
  {
    const std::lock_guard guard(mutex_);
    ++turn_;
  }
  changed_.notify_all();
  thread_.join();
}

void BlockerWatch::arm(milliseconds first_look, bool tell) {
  {
    const std::lock_guard guard(mutex_);
    ++turn_;
    armed_ = true;
    tell_ = tell;
    next_look_ = SteadyClock::now() + first_look;
    seen_.clear();
    told_.clear();
  }
  changed_.notify_all();
}

std::vector<Blocker> BlockerWatch::disarm() {
  const std::lock_guard guard(mutex_);
  ++turn_;
  armed_ = false;
  return std::move(seen_);
}

void BlockerWatch::run() {
  std::unique_lock lock(mutex_);
  while (!quit_.requested()) {
    if (!armed_) {
      changed_.wait_for(lock, kIdleCheck);
      continue;
    }
    const auto turn = turn_;
    if (changed_.wait_until(lock, next_look_, [&] { return turn_ != turn; })) continue;
    lock.unlock();
    auto found = look();
    lock.lock();
    if (turn_ != turn) continue;
    next_look_ = SteadyClock::now() + kLookInterval;
    if (found.empty()) continue;
    std::string pids;
    for (const auto& each : found) pids += std::to_string(each.pid) + " ";
    if (tell_ && pids != told_) log::warn("waiting for {}", describe(found));
    told_ = pids;
    seen_ = std::move(found);
  }
}

std::vector<Blocker> BlockerWatch::look() {
  try {
    const auto deadline = Deadline::in(kBlockersLimit);
    if (!connection_ || connection_->broken()) {
      connection_.emplace(pg::Connection::connect(
          where_, deadline, pg::watching_session("pantryd migrate watch", kLockLimit, &quit_)));
    }
    return read_blockers(connection_->exec(fmt::format(kBlocking, kBlockerColumns),
                                           pg::Params::of(watched_pid_), deadline));
  } catch (const std::exception& error) {
    log::debug("who blocks the migration is unknown: {}", error.what());
    return {};
  }
}

}  // namespace pantryd::migrate
