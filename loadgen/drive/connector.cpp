// Invariants, under mutex_: a slot has at most one job, here or in the hands of one thread;
// event_fd_ is readable exactly while ready_ is not empty (or a reader is about to find it so).
#include "loadgen/drive/connector.h"

#include <fmt/format.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <exception>
#include <map>
#include <sstream>

#include "loadgen/drive/returned_columns.h"
#include "pg/error.h"

namespace pantryd::loadgen {
namespace {

constexpr std::size_t kThreads = 4;
constexpr auto kReconnectLimit = std::chrono::seconds(5);
constexpr auto kFirstConnectLimit = std::chrono::seconds(15);
constexpr auto kBackoffMax = std::chrono::milliseconds(500);  // the pool itself spares the server

/// What helps against errors that come from parameters without a type.
const char* advice_on(std::string_view sqlstate) {
  constexpr std::array<std::string_view, 3> kUntyped{
      "42725",   // operator is not unique
      "42P18",   // could not determine data type of parameter
      "42P08"};  // inconsistent types deduced for parameter
  if (std::find(kUntyped.begin(), kUntyped.end(), sqlstate) == kUntyped.end()) return "";
  return "Parameters have no type of their own: write casts, such as $1::int * $2::numeric. ";
}

}  // namespace

Connector::Connector(Pool& pool, const Workload& workload, bool pipelined)
    : pool_(pool), workload_(workload), pipelined_(pipelined) {
  event_fd_ = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (event_fd_ < 0) throw Error(ExitCode::failed, "cannot make an eventfd");
}

Connector::~Connector() {
  halt_.request();
  changed_.notify_all();
  for (auto& thread : threads_) thread.join();
  ::close(event_fd_);
}

void Connector::prepare(pg::Connection& connection, Deadline deadline) const {
  for (std::size_t i = 0; i < workload_.statements.size(); ++i) {
    try {
      connection.prepare(statement_name(static_cast<int>(i)), workload_.statements[i], deadline);
    } catch (const pg::PgError& error) {
      if (error.failure() != pg::Failure::statement) throw;
      const int line = workload_.statement_lines[i];
      const auto place = line > 0 ? fmt::format("{}:{}", workload_.source, line) : workload_.source;
      throw Error(ExitCode::failed,
                  fmt::format("{}: the server refuses this statement: {}", place, error.what()),
                  fmt::format("{}The statement is: {}", advice_on(error.sqlstate()),
                              workload_.statements[i]));
    }
  }
  check_columns(connection, workload_, deadline);
}

/// What the server made of the parameters. A session that was prepared after a change of a column's
/// type has its own; all others share one.
std::shared_ptr<const StatementTypes> Connector::types(pg::Connection& connection,
                                                       Deadline deadline) {
  auto found = std::make_shared<StatementTypes>(workload_.statements.size());
  const auto rows = connection.exec(
      "SELECT name, pg_catalog.array_to_string(parameter_types::pg_catalog.oid[], ' ') "
      "FROM pg_catalog.pg_prepared_statements",
      deadline);
  std::map<std::string, std::string> by_name;
  for (int i = 0; i < rows.rows(); ++i) by_name[std::string(rows.text(i, 0))] = rows.text(i, 1);
  for (std::size_t i = 0; i < found->size(); ++i) {
    std::istringstream types(by_name[statement_name(static_cast<int>(i))]);
    for (TypeOid type = 0; types >> type;) (*found)[i].push_back(type);
  }
  const std::lock_guard lock(mutex_);
  if (!types_ || *types_ != *found) types_ = std::move(found);
  return types_;
}

std::unique_ptr<Session> Connector::make(Deadline deadline, const StopFlag* stop) {
  auto lease = pool_.acquire(deadline, stop);
  // The pool may hand out a connection that an earlier session prepared.
  lease->exec("DEALLOCATE ALL", deadline);
  prepare(*lease, deadline);
  auto known = types(*lease, deadline);
  return std::make_unique<Session>(std::move(lease), std::move(known), pipelined_);
}

std::vector<std::unique_ptr<Session>> Connector::open(int count, const StopFlag* stop) {
  std::vector<std::unique_ptr<Session>> out(static_cast<std::size_t>(count));
  std::atomic<std::size_t> next{0};
  std::exception_ptr failure;
  std::mutex failure_mutex;
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < std::min(out.size(), 2 * kThreads); ++i) {
    threads.emplace_back([&] {
      try {
        for (auto at = next.fetch_add(1); at < out.size(); at = next.fetch_add(1)) {
          out[at] = make(Deadline::in(kFirstConnectLimit), stop);
        }
      } catch (...) {
        next = out.size();
        const std::lock_guard lock(failure_mutex);
        if (!failure) failure = std::current_exception();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  if (failure) std::rethrow_exception(failure);
  return out;
}

void Connector::replace(int slot, std::unique_ptr<Session> old, bool cancel) {
  Job job;
  job.slot = slot;
  job.old = std::move(old);
  job.cancel = cancel;
  job.not_before = SteadyClock::now();
  {
    const std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
    // Threads that wake up for nothing would be counted among what the load costs its client.
    while (threads_.size() < kThreads) threads_.emplace_back([this] { work(); });
  }
  changed_.notify_one();
}

std::vector<Connector::Ready> Connector::take() {
  std::uint64_t count = 0;
  (void)!::read(event_fd_, &count, sizeof count);
  const std::lock_guard lock(mutex_);
  return std::exchange(ready_, {});
}

std::optional<Connector::Job> Connector::next_job() {
  std::unique_lock lock(mutex_);
  for (;;) {
    if (halt_.requested()) return std::nullopt;
    const auto first = std::min_element(jobs_.begin(), jobs_.end(), [](const Job& a, const Job& b) {
      return a.not_before < b.not_before;
    });
    if (first == jobs_.end()) {
      changed_.wait_for(lock, std::chrono::milliseconds(200));
    } else if (first->not_before > SteadyClock::now()) {
      const auto until =
          std::min(first->not_before, SteadyClock::now() + std::chrono::milliseconds(200));
      changed_.wait_until(lock, until);
    } else {
      auto job = std::move(*first);
      jobs_.erase(first);
      return job;
    }
  }
}

void Connector::work() {
  while (auto job = next_job()) {
    if (job->old) {
      if (job->cancel) {
        job->old->cancel_and_close();
      } else {
        job->old->close();
      }
      job->old.reset();
    }
    try {
      auto session = make(Deadline::in(kReconnectLimit), &halt_);
      {
        const std::lock_guard lock(mutex_);
        ready_.push_back({job->slot, std::move(session)});
      }
      const std::uint64_t one = 1;
      (void)!::write(event_fd_, &one, sizeof one);
    } catch (const std::exception&) {
      // The server is not back yet; the outage is the reactor's to report.
      job->not_before = SteadyClock::now() + job->backoff;
      job->backoff = std::min(2 * job->backoff, kBackoffMax);
      const std::lock_guard lock(mutex_);
      jobs_.push_back(std::move(*job));
    }
  }
}

}  // namespace pantryd::loadgen
