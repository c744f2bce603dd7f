// Invariants: a series appears once, because a family belongs to one probe and a probe tells a
// series once; every family has a help text on one line.
#include "probes/engine/page.h"

#include <algorithm>
#include <map>
#include <string_view>

#include "probes/engine/openmetrics.h"
#include "probes/engine/own_metrics.h"

namespace pantryd::probes {
namespace {

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

std::string_view type_name(const MetricInfo& info, TypeStyle style) {
  const bool strict = style == TypeStyle::lint_clean;
  switch (info.type) {
    case MetricType::counter:
      return strict && !ends_with(info.name, "_total") ? "untyped" : "counter";
    case MetricType::histogram:
      return "histogram";
    case MetricType::untyped:
      return "untyped";
    case MetricType::gauge:
      break;
  }
  for (const auto reserved : {"_count", "_sum", "_bucket", "_total"}) {
    if (strict && ends_with(info.name, reserved)) return "untyped";
  }
  return "gauge";
}

struct Family {
  const MetricInfo* info = nullptr;
  std::vector<const std::string*> chunks;
};

}  // namespace

std::string render_page(const PageInputs& inputs) {
  std::map<std::string_view, Family> families;
  std::size_t bytes = 0;
  for (const auto& target : inputs.targets) {
    for (const auto& probe : target->probes) {
      if (!probe->families) continue;
      for (const auto& each : *probe->families) {
        auto& family = families[each.metric->name];
        if (family.info == nullptr) {
          family.info = each.metric.get();
          bytes += 2 * each.metric->name.size() + each.metric->help.size() + 40;
        }
        family.chunks.push_back(&each.lines);
        bytes += each.lines.size();
      }
    }
  }
  auto out = render_own(inputs);
  out.reserve(out.size() + bytes);
  for (const auto& [name, family] : families) {
    append_head(out, {name, family.info->help, type_name(*family.info, inputs.types)},
                inputs.format);
    for (const auto* chunk : family.chunks) out += *chunk;
  }
  if (inputs.format == PageFormat::openmetrics) out += kOpenMetricsEnd;
  return out;
}

}  // namespace pantryd::probes
