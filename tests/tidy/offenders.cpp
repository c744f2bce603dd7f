// Counts by module: a breach that moves within its module stays a known one.
#include "tests/tidy/offenders.h"

#include <sstream>

#include "tests/tidy/includes.h"

namespace pantryd::tidy {
namespace {

std::string place_of(const Finding& finding) {
  const auto module = module_of(finding.path);
  return module.empty() ? finding.path.substr(0, finding.path.find('/')) : module;
}

std::map<std::string, int> counts_of(const Findings& findings) {
  std::map<std::string, int> counts;
  for (const auto& finding : findings) ++counts[place_of(finding)];
  return counts;
}

}  // namespace

Offenders read_offenders(std::string_view text) {
  Offenders offenders;
  for (const auto line : lines_of(text)) {
    if (line.empty() || line.front() == '#') continue;
    std::istringstream in{std::string(line)};
    std::string rule;
    std::string module;
    int count = 0;
    if (in >> rule >> module >> count) offenders[{rule, module}] = count;
  }
  return offenders;
}

Findings beyond(const std::string& rule, const Findings& findings, const Offenders& known) {
  Findings out;
  const auto counts = counts_of(findings);
  for (const auto& finding : findings) {
    const auto row = known.find({rule, place_of(finding)});
    if (row == known.end() || counts.at(place_of(finding)) > row->second) out.push_back(finding);
  }
  return out;
}

Findings outdated(const std::string& rule, const Findings& findings, const Offenders& known) {
  Findings out;
  auto counts = counts_of(findings);
  for (const auto& [key, count] : known) {
    if (key.first != rule || counts[key.second] >= count) continue;
    out.push_back({key.second, 0,
                   "has " + std::to_string(counts[key.second]) + " breaches of " + rule +
                       ", the table still allows " + std::to_string(count)});
  }
  return out;
}

}  // namespace pantryd::tidy
