// Runs probes of code under their time limits and turns what they throw into outcomes.
#include "probes/engine/coded.h"

#include <stdexcept>

#include "base/error.h"
#include "base/wait.h"
#include "pg/error.h"

namespace pantryd::probes {

SampleList::SampleList(const ProbeDescription& description) {
  for (const auto& each : description.metrics) {
    announced_[each.info.name] = {std::make_shared<const MetricInfo>(each.info), each.labels};
  }
}

void SampleList::add(const std::string& metric, const std::vector<std::string>& labels,
                     double value) {
  const auto& announced = announced_.at(metric);
  if (announced.labels.size() != labels.size()) throw std::out_of_range(metric);
  Labels named;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (!labels[i].empty()) named.emplace_back(announced.labels[i], labels[i]);
  }
  samples_.push_back({announced.info, std::move(named), value});
}

ServerProbe server_probe(
    const ProbeDescription& description,
    std::function<ProbeRun(pg::Connection&, const TargetFacts&, Deadline)> run) {
  return {description.name, description.interval, description.timeout, std::move(run)};
}

LocalProbe local_probe(const ProbeDescription& description, std::function<ProbeRun(Deadline)> run) {
  return {description.name, description.interval, description.timeout, std::move(run)};
}

ProbeRun failed_run(const std::string& error, Outcome outcome) {
  ProbeRun out;
  out.outcome = outcome;
  out.error = error;
  return out;
}

ProbeRun run_server_probe(const ServerProbe& probe, pg::Connection& connection,
                          const TargetFacts& facts) {
  ProbeRun result;
  const auto began = SteadyClock::now();
  try {
    result = probe.run(connection, facts, Deadline::in(probe.timeout));
  } catch (const pg::PgError& error) {
    result = failed_run(error.what(), outcome_of(error));
  } catch (const Error& error) {
    result = failed_run(error.what());
  }
  result.duration =
      std::chrono::duration_cast<std::chrono::microseconds>(SteadyClock::now() - began);
  return result;
}

ProbeRun run_local_probe(const LocalProbe& probe, const StopFlag& stop) {
  const auto deadline = Deadline::in(probe.timeout);
  const auto began = SteadyClock::now();
  const auto answer = std::make_shared<ProbeRun>();
  const auto work = [answer, run = probe.run, deadline] {
    try {
      *answer = run(deadline);
    } catch (const std::exception& error) {
      *answer = failed_run(one_line(error.what()));
    }
  };
  ProbeRun result;
  if (run_bounded(work, deadline, &stop) == Ready::yes) {
    result = std::move(*answer);
  } else {
    result = failed_run("no answer within the time limit", Outcome::timeout);
  }
  result.duration =
      std::chrono::duration_cast<std::chrono::microseconds>(SteadyClock::now() - began);
  return result;
}

}  // namespace pantryd::probes
