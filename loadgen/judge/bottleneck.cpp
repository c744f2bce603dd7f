// Names the first limit, in the order of the header, that the facts of a run show.
#include "loadgen/judge/bottleneck.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "loadgen/judge/page_faults.h"
#include "loadgen/judge/unsteady.h"

namespace pantryd::loadgen {
namespace {

constexpr std::int64_t kSamplesMin = 10;
constexpr std::int64_t kCpuSamplesMin = 3;
constexpr double kWaitMin = 0.30;
constexpr double kOtherWaitMin = 0.50;
constexpr double kCpuBusyMin = 0.90;
constexpr double kBusyMin = 0.90;
constexpr double kSlack = 0.5;  // looks just outside of the measured part still belong to it

/// Sessions seen at work, and how many of them waited for what.
class Samples {
 public:
  explicit Samples(const std::map<std::string, std::int64_t>& waits) : waits_(waits) {
    for (const auto& [event, count] : waits) all_ += count;
  }
  [[nodiscard]] std::int64_t all() const { return all_; }
  [[nodiscard]] double share(const std::function<bool(const std::string&)>& belongs) const {
    std::int64_t count = 0;
    for (const auto& [event, each] : waits_) count += belongs(event) ? each : 0;
    return all_ > 0 ? static_cast<double>(count) / static_cast<double>(all_) : 0;
  }
  /// "Lock:transactionid 61 %, Lock:tuple 20 %": those that belong, the most frequent first.
  [[nodiscard]] std::string shown(const std::function<bool(const std::string&)>& belongs) const {
    std::vector<std::pair<std::int64_t, std::string>> found;
    for (const auto& [event, count] : waits_) {
      if (belongs(event)) found.emplace_back(count, event);
    }
    std::sort(found.rbegin(), found.rend());
    std::string out;
    for (std::size_t i = 0; i < std::min<std::size_t>(3, found.size()); ++i) {
      out += fmt::format("{}{} {:.0f} %", i > 0 ? ", " : "", found[i].second,
                         100 * static_cast<double>(found[i].first) / static_cast<double>(all_));
    }
    return out;
  }

 private:
  const std::map<std::string, std::int64_t>& waits_;
  std::int64_t all_ = 0;
};

bool is_lock(const std::string& event) {
  return event.starts_with("Lock:");
}
bool is_standby(const std::string& event) {
  return event == "IPC:SyncRep";
}
/// Names as 14 to 16 and as 17 and 18 write them.
bool is_commit(const std::string& event) {
  return event == "IO:WALSync" || event == "IO:WalSync" || event == "IO:WALWrite" ||
         event == "IO:WalWrite" || event == "LWLock:WALWrite" || event == "LWLock:WALWriteLock" ||
         event == "IO:WALSyncMethodAssign" || event == "IO:WalSyncMethodAssign" ||
         event == "Timeout:CommitDelay";
}
bool is_read(const std::string& event) {
  return event == "IO:DataFileRead" || event == "IO:DataFilePrefetch" ||
         event == "IO:AioIoCompletion" || event == "LWLock:BufferIO" || event == "IPC:BufferIO" ||
         event == "IPC:BufferIo";
}
bool is_inside(const std::string& event) {
  return event != "CPU" && !event.starts_with("Client:") && !event.starts_with("Timeout:") &&
         !is_lock(event) && !is_standby(event) && !is_commit(event) && !is_read(event);
}

std::string most_contended(const std::map<std::string, std::int64_t>& contended) {
  const auto most =
      std::max_element(contended.begin(), contended.end(),
                       [](const auto& a, const auto& b) { return a.second < b.second; });
  return most == contended.end() ? std::string() : fmt::format(", most on rows of {}", most->first);
}

std::optional<Bottleneck> waits_limit(const BottleneckFacts& facts, const Samples& samples) {
  const auto of = fmt::format("of {} sessions seen at work", samples.all());
  if (samples.share(is_lock) >= kWaitMin) {
    return Bottleneck{"lock", fmt::format("Locks: {:.0f} % {} waited for locks of others ({}){}.",
                                          100 * samples.share(is_lock), of, samples.shown(is_lock),
                                          most_contended(facts.contended))};
  }
  if (samples.share(is_standby) >= kWaitMin) {
    return Bottleneck{"replication",
                      fmt::format("Replication: {:.0f} % {} waited for a synchronous standby.",
                                  100 * samples.share(is_standby), of)};
  }
  const auto disk = facts.server_disk_busy
                        ? fmt::format("; the disk was {:.0f} % busy", 100 * *facts.server_disk_busy)
                        : std::string();
  if (samples.share(is_commit) >= kWaitMin) {
    return Bottleneck{
        "commit", fmt::format("Commits: {:.0f} % {} waited for WAL to be written and "
                              "flushed ({}){}.",
                              100 * samples.share(is_commit), of, samples.shown(is_commit), disk)};
  }
  if (samples.share(is_read) >= kWaitMin) {
    return Bottleneck{"read",
                      fmt::format("Reads: {:.0f} % {} waited for pages from disk ({}){}.",
                                  100 * samples.share(is_read), of, samples.shown(is_read), disk)};
  }
  for (const auto& [event, count] : facts.waits) {
    const auto same = [&event = event](const std::string& other) { return other == event; };
    if (is_inside(event) && samples.share(same) >= kOtherWaitMin) {
      return Bottleneck{"wait", fmt::format("{}: {:.0f} % {} waited for it.", event,
                                            100 * samples.share(same), of)};
    }
  }
  return std::nullopt;
}

/// The mean over the seconds of the measured part.
std::optional<double> mean(const LoadResult& result,
                           std::optional<double> EvidenceSecond::*member) {
  double sum = 0;
  double seconds = 0;
  for (const auto& each : result.evidence.seconds) {
    const bool inside =
        each.from_s >= -kSlack && each.to_s <= result.totals.client.measured_s + kSlack;
    if (!inside || !(each.*member)) continue;
    sum += *(each.*member) * (each.to_s - each.from_s);
    seconds += each.to_s - each.from_s;
  }
  return seconds > 0 ? std::optional(sum / seconds) : std::nullopt;
}

}  // namespace

namespace {

Bottleneck first_limit(const BottleneckFacts& facts) {
  if (!facts.client_finding.empty()) {
    return {"client", "The client itself. " + facts.client_finding};
  }
  const Samples samples(facts.waits);
  if (samples.all() >= kSamplesMin) {
    if (auto found = waits_limit(facts, samples)) return *found;
  }
  // Fewer will do here: a session that waits for a processor to read its next statement still shows
  // as idle, so the busier the host, the fewer are seen at work.
  const double on_cpu = samples.share([](const std::string& event) { return event == "CPU"; });
  if (samples.all() >= kCpuSamplesMin && on_cpu >= kWaitMin &&
      facts.server_cpu_busy.value_or(0) >= kCpuBusyMin) {
    return {"cpu", fmt::format("Processors: the host's were {:.0f} % busy, and {:.0f} % of {} "
                               "sessions seen at work were on one or wanted one.",
                               100 * *facts.server_cpu_busy, 100 * on_cpu, samples.all())};
  }
  if (facts.busy_share >= kBusyMin && facts.wait_mean_us > facts.service_mean_us) {
    return {
        "connections",
        fmt::format("Connections: the {} were {:.0f} % in use, and an operation waited {:.1f} ms "
                    "for one and worked {:.1f} ms.",
                    facts.connections, 100 * std::min(1.0, facts.busy_share),
                    facts.wait_mean_us / 1000, facts.service_mean_us / 1000)};
  }
  return {};
}

}  // namespace

Bottleneck name_bottleneck(const BottleneckFacts& facts) {
  auto out = first_limit(facts);
  if (!facts.page_faults.empty()) out.text += " " + facts.page_faults;
  return out;
}

BottleneckFacts bottleneck_facts(const LoadResult& result) {
  BottleneckFacts out;
  for (const auto& finding : result.self_check.findings) {
    if (finding.kind != Finding::Kind::client) continue;
    out.client_finding = finding.text;
    break;
  }
  out.waits = result.evidence.waits;
  out.contended = result.evidence.contended;
  out.connections = result.options.connections;
  Histogram wait;
  Histogram service;
  for (const auto& operation : result.operations) {
    wait.merge(operation.totals.wait);
    service.merge(operation.totals.service);
  }
  out.wait_mean_us = wait.mean_us();
  out.service_mean_us = service.mean_us();
  const double there_us =
      result.totals.client.measured_s * 1e6 * static_cast<double>(out.connections);
  if (there_us > 0) {
    out.busy_share = service.mean_us() * static_cast<double>(service.count()) / there_us;
  }
  if (result.environment.server_local) {
    out.server_cpu_busy = mean(result, &EvidenceSecond::cpu_busy);
    out.server_disk_busy = mean(result, &EvidenceSecond::disk_busy);
  }
  out.page_faults = page_faults_text(result, !unsteady_reason(result).empty());
  return out;
}

}  // namespace pantryd::loadgen
