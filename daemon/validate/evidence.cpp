// Finds what a check asks for. Nothing here makes up a value for one that is missing.
#include "validate/evidence.h"

#include <algorithm>
#include <charconv>

namespace pantryd::validate {

std::string ServerMetric::label(const std::string& key) const {
  const auto found = labels.find(key);
  return found == labels.end() ? std::string() : found->second;
}

std::optional<double> ServerEvidence::value(const std::string& metric) const {
  for (const auto& each : metrics) {
    if (each.name == metric) return each.value;
  }
  return std::nullopt;
}

std::optional<double> ServerEvidence::value(
    const std::string& metric, const std::map<std::string, std::string>& labels) const {
  for (const auto& each : metrics) {
    if (each.name == metric && each.labels == labels) return each.value;
  }
  return std::nullopt;
}

std::optional<std::string> Answer::text(std::size_t row, std::size_t column) const {
  if (row >= rows.size() || column >= rows[row].size()) return std::nullopt;
  return rows[row][column];
}

std::optional<std::int64_t> Answer::number() const {
  const auto first = text(0, 0);
  if (!first) return std::nullopt;
  std::int64_t value = 0;
  const auto* end_of_text = first->data() + first->size();
  const auto [end, error] = std::from_chars(first->data(), end_of_text, value);
  if (error != std::errc() || end != end_of_text) return std::nullopt;
  return value;
}

const ServerEvidence* Evidence::primary() const {
  const auto found = std::find_if(servers.begin(), servers.end(),
                                  [](const auto& server) { return server.up && !server.standby; });
  return found == servers.end() ? nullptr : &*found;
}

const LoadRun* Evidence::load(const LoadNeed& need) const {
  const auto found =
      std::find_if(loads.begin(), loads.end(), [&](const auto& run) { return run.need == need; });
  return found == loads.end() ? nullptr : &*found;
}

const Answer* Evidence::answer(const std::string& query) const {
  const auto found = answers.find(query);
  return found == answers.end() ? nullptr : &found->second;
}

}  // namespace pantryd::validate
