#include "probes/engine/coded.h"

#include <stdexcept>

namespace pantryd::probes {

SampleList::SampleList(const CodedDescription& description) {
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

}  // namespace pantryd::probes
