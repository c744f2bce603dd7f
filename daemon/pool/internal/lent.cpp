// Invariants: a connection has one entry at most; an entry is a new leak at most once.
#include "pool/internal/lent.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "base/assert.h"

namespace pantryd::pool {
namespace {

constexpr std::size_t kLeaksMax = 20;

std::string place(const std::source_location& from) {
  const std::string_view path(from.file_name());
  const auto slash = path.rfind('/');
  const auto name = slash == std::string_view::npos ? path : path.substr(slash + 1);
  return fmt::format("{}:{}", name, from.line());
}

std::chrono::milliseconds held(const Lent::Entry& entry, SteadyClock::time_point now) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(now - entry.since);
}

bool leaked(const Lent::Entry& entry, std::chrono::milliseconds leak_after,
            SteadyClock::time_point now) {
  return leak_after.count() > 0 && now - entry.since > leak_after;
}

Leak leak_of(const Lent::Entry& entry, SteadyClock::time_point now) {
  return {place(entry.from), held(entry, now), entry.backend_pid,
          entry.statement ? entry.statement->text() : ""};
}

}  // namespace

void Lent::put(Id id, Entry entry) {
  PANTRYD_ASSERT(entries_.find(id) == nullptr);
  entries_.put(id, std::move(entry));
}

void Lent::report_longest(PoolStatistics& out, SteadyClock::time_point now) const {
  entries_.for_each([&](Id, const Entry& entry) {
    if (held(entry, now) < out.longest_hold) return;
    out.longest_hold = held(entry, now);
    out.longest_holder = place(entry.from);
  });
}

std::vector<Leak> Lent::leaks(std::chrono::milliseconds leak_after,
                              SteadyClock::time_point now) const {
  std::vector<Leak> out;
  entries_.for_each([&](Id, const Entry& entry) {
    if (leaked(entry, leak_after, now)) out.push_back(leak_of(entry, now));
  });
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.held > b.held; });
  if (out.size() > kLeaksMax) out.resize(kLeaksMax);
  return out;
}

std::vector<Leak> Lent::new_leaks(std::chrono::milliseconds leak_after, SteadyClock::time_point now,
                                  std::int64_t& total) {
  std::vector<Leak> out;
  entries_.for_each([&](Id, Entry& entry) {
    if (entry.reported || !leaked(entry, leak_after, now)) return;
    entry.reported = true;
    ++total;
    if (out.size() < kLeaksMax) out.push_back(leak_of(entry, now));
  });
  return out;
}

}  // namespace pantryd::pool
