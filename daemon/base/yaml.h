// YAML with errors that a person can act on: FILE:LINE:COLUMN, what is wrong, what would be right.
// A key that nobody asked for is an error too, with the nearest key that exists.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"

namespace pantryd {

class YamlMap;
struct YamlNode;  ///< of yaml-cpp, which only the source includes

/// A value and its place. Every as_* throws Error(usage).
class YamlValue {
 public:
  /// The document. Throws Error(usage) for what is not YAML.
  [[nodiscard]] static YamlValue parse(const std::string& text, const std::string& source_name);

  [[nodiscard]] std::string as_text() const;      ///< not empty
  [[nodiscard]] std::string as_any_text() const;  ///< may be empty
  [[nodiscard]] std::int64_t as_integer(std::int64_t min, std::int64_t max) const;
  [[nodiscard]] double as_number() const;
  [[nodiscard]] double as_number(double min, double max) const;
  [[nodiscard]] bool as_boolean() const;
  [[nodiscard]] std::chrono::milliseconds as_duration() const;  ///< more than zero
  [[nodiscard]] std::string as_choice(const std::vector<std::string>& choices) const;
  [[nodiscard]] std::vector<YamlValue> as_list() const;     ///< 10,000 items at most
  [[nodiscard]] std::vector<std::string> as_texts() const;  ///< a list of them
  [[nodiscard]] YamlMap as_map() const;
  [[nodiscard]] bool is_scalar() const;
  [[nodiscard]] bool is_map() const;
  [[nodiscard]] bool is_list() const;
  [[nodiscard]] int line() const;

  /// "FILE:LINE:COLUMN".
  [[nodiscard]] std::string place() const;
  /// An error that points here.
  [[nodiscard]] Error error(const std::string& what, std::string hint = {}) const;

 private:
  friend class YamlMap;
  explicit YamlValue(std::shared_ptr<const YamlNode> node) : node_(std::move(node)) {}
  [[nodiscard]] std::string scalar() const;  ///< empty if it is none

  std::shared_ptr<const YamlNode> node_;  ///< never null
};

class YamlMap {
 public:
  explicit YamlMap(YamlValue value);
  [[nodiscard]] std::optional<YamlValue> find(const std::string& key);
  /// The key is there, without a value.
  [[nodiscard]] bool is_empty(const std::string& key) const;
  /// Throws Error(usage) where it is missing, or at the key that looks like a slip for it.
  [[nodiscard]] YamlValue require(const std::string& key);
  /// Keys in the order of the file; all count as asked for.
  [[nodiscard]] std::vector<std::pair<std::string, YamlValue>> entries();
  /// The key itself, to point at: the last one where it appears twice, the map where it is not.
  [[nodiscard]] YamlValue key(const std::string& name) const;
  /// Throws Error(usage) at the first key that was not asked for.
  void done() const;
  [[nodiscard]] const YamlValue& value() const { return value_; }

 private:
  YamlValue value_;
  std::set<std::string> asked_;
};

}  // namespace pantryd
