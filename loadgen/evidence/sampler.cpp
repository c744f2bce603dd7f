// Invariants: connection_, looks_, texts_ and cost_ belong to the thread while it runs, and to the
// caller before start() and after it was joined. looks_ is in order of at_s.
#include "loadgen/evidence/sampler.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "base/thread_cpu.h"
#include "pg/error.h"

namespace pantryd::loadgen {
namespace {

constexpr auto kConnectLimit = std::chrono::seconds(5);
constexpr auto kReconnectLimit = std::chrono::milliseconds(500);
constexpr auto kBeginLimit = std::chrono::seconds(20);
constexpr auto kEndLimit = std::chrono::seconds(10);
constexpr auto kLastLookLimit = std::chrono::seconds(3);
constexpr auto kLockLimit = std::chrono::milliseconds(100);
constexpr std::size_t kTextsMax = 1000;
constexpr const char* kLookName = "look";

/// Values are hashed by the server: no secret of its configuration comes here.
constexpr const char* kSettingsSql =
    "SELECT name, md5(coalesce(CASE source WHEN 'session' THEN reset_val ELSE setting END, '')) "
    "FROM pg_settings WHERE source <> 'client'";

}  // namespace

Sampler::Sampler(const pg::Conninfo& where, const std::optional<DatasetShape>& dataset, Host host)
    : where_(where.with("application_name", kEvidenceName)), host_(std::move(host)) {
  environment_ = host_environment(host_);
  environment_.dataset = dataset;
  try {
    connect(kConnectLimit);
    begin(dataset);
  } catch (const Error& error) {
    connection_.reset();
    note_ = fmt::format("The server could not be looked at: {}.", error.what());
  }
}

Sampler::~Sampler() {
  halt_.request();
  if (thread_.joinable()) thread_.join();
}

void Sampler::connect(std::chrono::milliseconds limit) {
  const auto options = pg::watching_session(kEvidenceName, kLockLimit, nullptr);
  const auto deadline = Deadline::in(limit);
  connection_ = pg::Connection::connect(where_, deadline, options);
  const auto found = connection_->exec(
      // Its settings are there exactly when it was preloaded, and everybody may see them.
      "SELECT quote_ident(n.nspname) FROM pg_extension e JOIN pg_namespace n ON n.oid = "
      "e.extnamespace WHERE e.extname = 'pg_stat_statements' AND EXISTS (SELECT FROM pg_settings "
      "WHERE name = 'pg_stat_statements.max')",
      deadline);
  statements_schema_ = found.empty() ? std::string() : std::string(found.text(0, 0));
  connection_->prepare(kLookName, look_sql(connection_->server_version(), statements_schema_),
                       deadline);
}

void Sampler::begin(const std::optional<DatasetShape>& dataset) {
  const auto deadline = Deadline::in(kBeginLimit);
  environment_ = collect_environment(*connection_, dataset, deadline, host_);
  latest_ = settings_ = read_settings(deadline);
  statements_ = read_statements(deadline);
  if (!environment_.server_local) return;
  try {
    data_folder_ = connection_->exec("SHOW data_directory", deadline).text(0, 0);
  } catch (const pg::PgError&) {
    if (connection_->broken()) throw;  // else only pg_read_all_settings may see it
  }
}

void Sampler::start(SteadyClock::time_point measured_from) {
  measured_from_ = measured_from;
  thread_ = std::thread([this] { run(); });
}

void Sampler::run() {
  const double cpu_before_s = thread_cpu_s();
  look(kLookLimit);
  while (!halt_.requested()) {
    // The next whole step of the axis after now: what is late is dropped, and not made up for.
    const auto since = SteadyClock::now() - measured_from_;
    const auto steps = std::chrono::floor<std::chrono::seconds>(since) / step_ + 1;
    const auto next = measured_from_ + steps * step_;
    if (!looks_.empty()) {
      const double gap_s =
          std::chrono::duration<double>(next - measured_from_).count() - looks_.back().at_s;
      const double missed = gap_s / static_cast<double>(step_.count()) - 1.5;
      if (missed > 0) cost_.dropped += 1 + static_cast<std::int64_t>(missed);
    }
    if (halt_.wait(Deadline::at(next))) break;
    look(kLookLimit);
    if (looks_.size() >= kLooksMax) {
      thin(looks_);
      step_ *= 2;
    }
  }
  cost_.client_cpu_s = thread_cpu_s() - cpu_before_s;
}

void Sampler::look(std::chrono::milliseconds limit) {
  Look out;
  const auto began = SteadyClock::now();
  out.at_s = std::chrono::duration<double>(began - measured_from_).count();
  out.cpu = host_.cpu();
  out.throttling = host_.throttling();
  if (environment_.server_local) out.disk = host_.disk(data_folder_);
  try {
    if (!connection_ || connection_->broken()) connect(std::min(limit, kReconnectLimit));
    const auto asked = SteadyClock::now();
    look_at_server(out, Deadline::at(began + limit));
    look_for_changes(out, Deadline::at(began + limit));
    const double took_s = std::chrono::duration<double>(SteadyClock::now() - asked).count();
    out.took_ms = took_s * 1000;
    cost_.server_s += took_s;
    out.answered = true;
  } catch (const Error& error) {
    out.counters.clear();
    out.gauges.clear();
    out.waits.clear();
    out.others.clear();
    out.vacuums.clear();
    ++cost_.dropped;
    if (missed_.empty()) {
      missed_ = error.what();
      missed_at_ = began;
    }
  }
  ++cost_.looks;
  looks_.push_back(std::move(out));
}

void Sampler::look_at_server(Look& out, Deadline deadline) {
  const auto rows = connection_->exec_prepared(kLookName, {}, deadline);
  std::vector<std::int64_t> processes;
  for (int i = 0; i < rows.rows(); ++i) take_row(rows, i, out, processes);
  if (environment_.server_local) look_at_processes(processes, out);
}

void Sampler::take_row(const pg::Result& rows, int row, Look& out,
                       std::vector<std::int64_t>& processes) {
  if (rows.is_null(row, 1) || rows.is_null(row, 2)) return;
  const std::string name(rows.text(row, 1));
  const auto count = static_cast<std::int64_t>(rows.f64(row, 2));
  switch (rows.text(row, 0)[0]) {
    case 'c':
      out.counters[name] = rows.f64(row, 2);
      break;
    case 'g':
      out.gauges[name] = rows.f64(row, 2);
      break;
    case 'w':
      out.waits[name] = count;
      break;
    case 'l':
      out.contended[name] = count;
      break;
    case 'o':
      out.others[one_line(name)] += count;
      break;
    case 'v':
      out.vacuums[one_line(name)] += count;
      break;
    case 'p':
      processes.push_back(std::strtoll(name.c_str(), nullptr, 10));
      break;
    default:
      if (const auto space = name.find(' ');
          space != std::string::npos && texts_.size() < kTextsMax) {
        texts_.emplace(name.substr(0, space), one_line(name.substr(space + 1)));
      }
  }
}

/// Counters of the processes that are there at both of two looks, or that began between them.
void Sampler::look_at_processes(const std::vector<std::int64_t>& processes, Look& out) {
  std::map<std::int64_t, ProcessTimes> now;
  for (const auto pid : processes) {
    const auto times = host_.process(pid);
    if (!times) continue;
    now[pid] = *times;
    if (!looked_at_processes_) continue;
    const auto before = processes_.find(pid);
    const auto from = before == processes_.end() ? ProcessTimes() : before->second;
    process_sums_.minor_faults += times->minor_faults - from.minor_faults;
    process_sums_.major_faults += times->major_faults - from.major_faults;
    process_sums_.user_s += times->user_s - from.user_s;
    process_sums_.system_s += times->system_s - from.system_s;
  }
  if (now.empty()) return;
  looked_at_processes_ = true;
  processes_ = std::move(now);
  out.counters["page_faults"] = static_cast<double>(process_sums_.minor_faults);
  out.counters["page_faults_major"] = static_cast<double>(process_sums_.major_faults);
  out.counters["session_user_ms"] = process_sums_.user_s * 1000;
  out.counters["session_system_ms"] = process_sums_.system_s * 1000;
}

void Sampler::look_for_changes(const Look& look, Deadline deadline) {
  const auto last =
      std::find_if(looks_.rbegin(), looks_.rend(), [](const Look& each) { return each.answered; });
  if (last == looks_.rend() || settings_.empty()) return;
  for (const char* gauge : {"configured_at", "started_at"}) {
    const auto before = last->gauges.find(gauge);
    const auto after = look.gauges.find(gauge);
    if (before == last->gauges.end() || after == look.gauges.end()) continue;
    if (before->second == after->second) continue;
    note_changes(look.at_s, read_settings(deadline));
    return;
  }
}

void Sampler::note_changes(double at_s, const std::map<std::string, std::string>& now) {
  std::string names;
  for (const auto& [name, value] : now) {
    const auto before = latest_.find(name);
    if (before == latest_.end() || before->second == value) continue;
    names += (names.empty() ? "" : ", ") + name;
    changed_.insert(name);
  }
  latest_ = now;
  if (!names.empty()) changes_.push_back({at_s, "settings", names});
}

std::map<std::string, std::string> Sampler::read_settings(Deadline deadline) {
  std::map<std::string, std::string> out;
  const auto rows = connection_->exec(kSettingsSql, deadline);
  for (int i = 0; i < rows.rows(); ++i) {
    out.emplace(std::string(rows.text(i, 0)), std::string(rows.text(i, 1)));
  }
  return out;
}

Statements Sampler::read_statements(Deadline deadline) {
  Statements out;
  if (statements_schema_.empty()) return out;
  // Without the texts, which would be read from a file and may be large.
  const auto rows = connection_->exec(
      fmt::format("SELECT queryid, sum(calls), sum(total_exec_time), sum(rows), "
                  "sum(shared_blks_hit), sum(shared_blks_read), sum(wal_bytes) "
                  "FROM {}.pg_stat_statements(false) WHERE queryid IS NOT NULL AND dbid = (SELECT "
                  "oid FROM pg_database WHERE datname = current_database()) GROUP BY queryid",
                  statements_schema_),
      deadline);
  for (int i = 0; i < rows.rows(); ++i) {
    StatementCounts counts;
    counts.calls = rows.f64(i, 1);
    counts.time_ms = rows.f64(i, 2);
    counts.rows = rows.f64(i, 3);
    counts.blocks_hit = rows.f64(i, 4);
    counts.blocks_read = rows.f64(i, 5);
    counts.wal_bytes = rows.f64(i, 6);
    out.emplace(std::string(rows.text(i, 0)), std::move(counts));
  }
  return out;
}

EvidenceSeries Sampler::finish(SteadyClock::time_point measured_from, double measured_s) {
  halt_.request();
  if (thread_.joinable()) thread_.join();
  const double earlier_s = std::chrono::duration<double>(measured_from_ - measured_from).count();
  for (auto& each : looks_) each.at_s += earlier_s;
  for (auto& each : changes_) each.at_s += earlier_s;
  measured_from_ = measured_from;
  look(kLastLookLimit);
  if (note_.empty() && !missed_.empty()) {
    note_ =
        fmt::format("At {:.0f} s the server could not be looked at: {}.",
                    std::chrono::duration<double>(missed_at_ - measured_from_).count(), missed_);
  }
  EvidenceSeries out;
  try {
    if (connection_ && !connection_->broken()) read_end(out);
  } catch (const Error& error) {
    note_ = fmt::format("The end could not be looked at: {}.", error.what());
  }
  auto seen = differences(looks_, measured_s, changes_);
  seen.statements = std::move(out.statements);
  seen.tables = std::move(out.tables);
  seen.server.changed_settings.assign(changed_.begin(), changed_.end());
  out = std::move(seen);
  out.observer = cost_;
  out.note = note_;
  return out;
}

void Sampler::read_end(EvidenceSeries& out) {
  const auto deadline = Deadline::in(kEndLimit);
  if (!settings_.empty()) note_changes(looks_.back().at_s, read_settings(deadline));
  out.statements =
      top_statements(statements_, read_statements(deadline), EvidenceSeries::kStatementsMax);
  for (auto& [id, statement] : out.statements) {
    if (const auto text = texts_.find(id); text != texts_.end()) statement.text = text->second;
  }
  out.tables = growth(environment_.relations, read_relation_sizes(*connection_, deadline));
}

}  // namespace pantryd::loadgen
