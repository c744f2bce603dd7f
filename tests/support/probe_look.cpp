// Each look has a memory of its own, so that none of them goes on from another.
#include "tests/support/probe_look.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "tests/support/page_watch.h"

namespace pantryd::testing_support {
namespace {

constexpr auto kLimit = std::chrono::seconds(30);

}  // namespace

const probes::ProbeSpec& probe_of(const std::string& name) {
  static const auto all = probes::embedded_probes();
  for (const auto& spec : all) {
    if (spec.name == name) return spec;
  }
  throw std::logic_error("no probe is called " + name);
}

pg::Connection watch(const pg::Conninfo& server) {
  const auto port = static_cast<std::uint16_t>(std::stoi(server.get("port")));
  const auto where = watcher_at(port).with("dbname", server.get("dbname"));
  return pg::Connection::connect(where, Deadline::in(kLimit),
                                 probes::guarded_session(std::chrono::milliseconds(100), nullptr));
}

probes::ProbeRun look(pg::Connection& connection, const probes::ProbeSpec& spec) {
  probes::ProbeMemory memory(spec);
  probes::RunOptions options;
  options.target = "t";
  options.with_samples = true;
  const auto facts = probes::read_facts(connection, Deadline::in(kLimit));
  auto run = probes::run_probe(connection, spec, facts, options, memory);
  EXPECT_EQ(run.outcome, probes::Outcome::ok) << spec.name << ": " << run.error;
  return run;
}

Values values_of(const probes::ProbeRun& run) {
  Values out;
  for (const auto& sample : run.samples) {
    auto key = sample.metric->name;
    for (const auto& [name, text] : sample.labels) key += "|" + text;
    EXPECT_TRUE(out.emplace(key, sample.value).second) << "twice: " << key;
  }
  return out;
}

std::optional<double> value(const Values& values, const std::string& key) {
  const auto found = values.find(key);
  return found == values.end() ? std::nullopt : std::optional(found->second);
}

double sum_of(const Values& values, const std::string& metric) {
  double sum = 0;
  for (const auto& [key, each] : values) {
    if (key == metric || key.rfind(metric + "|", 0) == 0) sum += each;
  }
  return sum;
}

}  // namespace pantryd::testing_support
