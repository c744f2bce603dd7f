// Invariant: a family's lines end with a newline each, and its `seen` holds the labels of all.
#include "probes/engine/exposition.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "base/utf8.h"

namespace pantryd::probes {

std::string utf8_or_escaped(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const auto length = character_size(text);
    if (length == 0) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[0]));
      text.remove_prefix(1);
    } else {
      out.append(text.substr(0, length));
      text.remove_prefix(length);
    }
  }
  return out;
}

void append_label_value(std::string& out, std::string_view text) {
  while (!text.empty()) {
    const auto length = character_size(text);
    if (length > 1) {
      out.append(text.substr(0, length));
    } else if (length == 0) {
      out += fmt::format("\\\\x{:02x}", static_cast<unsigned char>(text[0]));
    } else if (text[0] == '\\') {
      out += "\\\\";
    } else if (text[0] == '"') {
      out += "\\\"";
    } else if (text[0] == '\n') {
      out += "\\n";
    } else {
      out.push_back(text[0]);
    }
    text.remove_prefix(std::max<std::size_t>(1, length));
  }
}

void append_value(std::string& out, double value) {
  if (std::isnan(value)) {
    out += "NaN";
  } else if (std::isinf(value)) {
    out += value > 0 ? "+Inf" : "-Inf";
  } else {
    char text[32];
    const auto end = std::to_chars(text, text + sizeof text, value).ptr;
    out.append(text, end);
  }
}

Exposition::Exposition(std::string_view target) : target_label_("target=\"") {
  append_label_value(target_label_, target);
  target_label_ += '"';
}

std::string Exposition::labels(const Labels& labels) const {
  std::string out;
  for (const auto& [name, value] : labels) {
    out += name;
    out += "=\"";
    append_label_value(out, value);
    out += "\",";
  }
  return out + target_label_;
}

Exposition::Building* Exposition::open(const std::shared_ptr<const MetricInfo>& metric,
                                       const std::string& labels) {
  auto& family = families_[metric->name];
  if (!family.text.metric) family.text.metric = metric;
  if (!family.seen.insert(labels).second) {
    ++lost_;
    return nullptr;
  }
  ++family.text.series;
  return &family;
}

void Exposition::add(const std::shared_ptr<const MetricInfo>& metric, const std::string& labels,
                     double value) {
  auto* family = open(metric, labels);
  if (family == nullptr) return;
  auto& lines = family->text.lines;
  lines += metric->name;
  lines += '{';
  lines += labels;
  lines += "} ";
  append_value(lines, value);
  lines += '\n';
}

void Exposition::add_histogram(const std::shared_ptr<const MetricInfo>& metric,
                               const std::string& labels, const std::vector<double>& bounds,
                               const std::vector<double>& counts, double sum, double count) {
  auto* family = open(metric, labels);
  if (family == nullptr) return;
  auto& lines = family->text.lines;
  const auto line = [&](const char* suffix, const std::string& with, double value) {
    lines += metric->name;
    lines += suffix;
    lines += '{';
    lines += with;
    lines += "} ";
    append_value(lines, value);
    lines += '\n';
  };
  for (std::size_t i = 0; i < bounds.size() && i < counts.size(); ++i) {
    std::string with = labels + ",le=\"";
    append_value(with, bounds[i]);
    line("_bucket", with + '"', counts[i]);
  }
  line("_bucket", labels + ",le=\"+Inf\"", count);
  line("_sum", labels, sum);
  line("_count", labels, count);
}

std::vector<FamilyText> Exposition::take() {
  std::vector<FamilyText> out;
  out.reserve(families_.size());
  for (auto& [name, family] : families_) {
    family.text.lines.shrink_to_fit();
    out.push_back(std::move(family.text));
  }
  families_.clear();
  return out;
}

}  // namespace pantryd::probes
