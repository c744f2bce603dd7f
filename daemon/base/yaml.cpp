// The only source that reads by yaml-cpp. Invariant: a node is never assigned, because that would
// write into its document.
#include "base/yaml.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/nearest.h"
#include "base/units.h"

namespace pantryd {

struct YamlNode {
  YAML::Node node;
  std::shared_ptr<const std::string> source;
};

namespace {

std::shared_ptr<const YamlNode> node_of(const YAML::Node& node,
                                        const std::shared_ptr<const std::string>& source) {
  return std::make_shared<const YamlNode>(YamlNode{node, source});
}

constexpr std::size_t kItemsMax = 10'000;

std::string joined(const std::set<std::string>& words) {
  std::string out;
  for (const auto& word : words) out += (out.empty() ? "" : ", ") + word;
  return out;
}

}  // namespace

YamlValue YamlValue::parse(const std::string& text, const std::string& source_name) {
  const auto source = std::make_shared<const std::string>(source_name);
  try {
    return YamlValue(node_of(YAML::Load(text), source));
  } catch (const YAML::Exception& error) {
    throw Error(ExitCode::usage,
                fmt::format("{}:{}:{}: not YAML: {}", source_name, error.mark.line + 1,
                            error.mark.column + 1, error.msg),
                "Check the indentation and the quotes at this place.");
  }
}

std::string YamlValue::place() const {
  const auto mark = node_->node.Mark();
  return fmt::format("{}:{}:{}", *node_->source, mark.line + 1, mark.column + 1);
}

Error YamlValue::error(const std::string& what, std::string hint) const {
  return {ExitCode::usage, place() + ": " + what, std::move(hint)};
}

bool YamlValue::is_scalar() const {
  return node_->node.IsScalar();
}

bool YamlValue::is_map() const {
  return node_->node.IsMap();
}

bool YamlValue::is_list() const {
  return node_->node.IsSequence();
}

int YamlValue::line() const {
  return node_->node.Mark().line + 1;
}

std::string YamlValue::scalar() const {
  return is_scalar() ? node_->node.Scalar() : std::string();
}

std::string YamlValue::as_text() const {
  auto text = scalar();
  if (text.empty()) throw error("expected a text");
  return text;
}

std::string YamlValue::as_any_text() const {
  if (!is_scalar()) throw error("expected a text");
  return scalar();
}

std::int64_t YamlValue::as_integer(std::int64_t min, std::int64_t max) const {
  std::int64_t value = 0;
  const auto text = scalar();
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || failure != std::errc{} || end != text.data() + text.size() || value < min ||
      value > max) {
    throw error(fmt::format("\"{}\" is not a whole number from {} to {}", text, min, max));
  }
  return value;
}

double YamlValue::as_number() const {
  double value = 0;
  const auto text = scalar();
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || failure != std::errc{} || end != text.data() + text.size()) {
    throw error(fmt::format("\"{}\" is not a number", text));
  }
  return value;
}

double YamlValue::as_number(double min, double max) const {
  const auto value = as_number();
  if (!std::isfinite(value) || value < min || value > max) {
    throw error(fmt::format("expected a number from {} to {}", min, max));
  }
  return value;
}

bool YamlValue::as_boolean() const {
  const auto text = scalar();
  if (text == "true" || text == "yes" || text == "on") return true;
  if (text == "false" || text == "no" || text == "off") return false;
  throw error(fmt::format("\"{}\" is neither true nor false", text));
}

std::chrono::milliseconds YamlValue::as_duration() const {
  const auto text = scalar();
  const auto value = parse_duration(text);
  if (!value || value->count() <= 0) {
    throw error(fmt::format("\"{}\" is not a duration above zero", text),
                "Write a number and a unit: 250ms, 30s, 5m, 2h, 7d.");
  }
  return *value;
}

std::string YamlValue::as_choice(const std::vector<std::string>& choices) const {
  const auto text = scalar();
  std::set<std::string> known(choices.begin(), choices.end());
  if (known.count(text) == 0) {
    throw error(fmt::format("\"{}\" is not one of: {}", text, joined(known)));
  }
  return text;
}

std::vector<YamlValue> YamlValue::as_list() const {
  if (!is_list()) throw error("expected a list");
  if (node_->node.size() > kItemsMax) throw error(fmt::format("more than {} items", kItemsMax));
  std::vector<YamlValue> out;
  for (const auto& item : node_->node) out.push_back(YamlValue(node_of(item, node_->source)));
  return out;
}

std::vector<std::string> YamlValue::as_texts() const {
  std::vector<std::string> out;
  for (const auto& item : as_list()) out.push_back(item.as_text());
  return out;
}

YamlMap YamlValue::as_map() const {
  return YamlMap(*this);
}

YamlMap::YamlMap(YamlValue value) : value_(std::move(value)) {
  if (!value_.is_map()) throw value_.error("expected keys and values");
}

std::optional<YamlValue> YamlMap::find(const std::string& key) {
  asked_.insert(key);
  for (const auto& entry : value_.node_->node) {
    if (entry.first.IsScalar() && entry.first.Scalar() == key && !entry.second.IsNull()) {
      return YamlValue(node_of(entry.second, value_.node_->source));
    }
  }
  return std::nullopt;
}

bool YamlMap::is_empty(const std::string& key) const {
  for (const auto& entry : value_.node_->node) {
    if (entry.first.IsScalar() && entry.first.Scalar() == key && entry.second.IsNull()) return true;
  }
  return false;
}

YamlValue YamlMap::require(const std::string& key) {
  auto found = find(key);
  if (found) return *found;
  for (const auto& entry : value_.node_->node) {
    const YamlValue other(node_of(entry.first, value_.node_->source));
    const auto name = other.as_text();
    if (asked_.contains(name) || 3 * edit_distance(name, key) > key.size()) continue;
    throw other.error(fmt::format("unknown key \"{}\"", name),
                      fmt::format("Did you mean \"{}\"?", key));
  }
  throw value_.error(fmt::format("the key \"{}\" is missing", key));
}

YamlValue YamlMap::key(const std::string& name) const {
  auto found = value_;
  for (const auto& entry : value_.node_->node) {
    if (entry.first.IsScalar() && entry.first.Scalar() == name) {
      found = YamlValue(node_of(entry.first, value_.node_->source));
    }
  }
  return found;
}

std::vector<std::pair<std::string, YamlValue>> YamlMap::entries() {
  std::vector<std::pair<std::string, YamlValue>> out;
  for (const auto& entry : value_.node_->node) {
    const YamlValue key(node_of(entry.first, value_.node_->source));
    out.emplace_back(key.as_text(), YamlValue(node_of(entry.second, value_.node_->source)));
    asked_.insert(out.back().first);
    if (out.size() > kItemsMax) throw value_.error("too many keys");
  }
  return out;
}

void YamlMap::done() const {
  std::set<std::string> seen;
  for (const auto& entry : value_.node_->node) {
    const YamlValue key(node_of(entry.first, value_.node_->source));
    const auto name = key.as_text();
    if (!seen.insert(name).second)
      throw key.error(fmt::format("the key \"{}\" appears twice", name));
    if (asked_.count(name) > 0) continue;
    const auto close = nearest(name, asked_);
    throw key.error(fmt::format("unknown key \"{}\"", name),
                    close.empty() ? "Known here: " + joined(asked_) + "."
                                  : fmt::format("Did you mean \"{}\"?", close));
  }
}

}  // namespace pantryd
