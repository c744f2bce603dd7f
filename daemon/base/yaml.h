// YAML with errors that a person can act on: FILE:LINE:COLUMN, what is wrong, what would be right.
// A key that nobody asked for is an error too, with the nearest key that exists.
#pragma once

#include <yaml-cpp/yaml.h>  // all of it: node.h alone leaves inline functions undefined

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"

namespace pantryd {

class YamlMap;

/// A value and where it stands. Every as_* throws Error(usage).
class YamlValue {
 public:
  YamlValue(YAML::Node node, std::shared_ptr<const std::string> source)
      : node_(std::move(node)), source_(std::move(source)) {}

  /// The document. Throws Error(usage) for what is not YAML.
  [[nodiscard]] static YamlValue parse(const std::string& text, const std::string& source_name);

  [[nodiscard]] std::string as_text() const;      ///< not empty
  [[nodiscard]] std::string as_any_text() const;  ///< may be empty
  [[nodiscard]] std::int64_t as_integer(std::int64_t min, std::int64_t max) const;
  [[nodiscard]] double as_number() const;
  [[nodiscard]] double as_number(double min, double max) const;
  [[nodiscard]] bool as_boolean() const;
  [[nodiscard]] std::chrono::milliseconds as_duration() const;  ///< more than zero
  [[nodiscard]] std::string as_choice(std::initializer_list<const char*> choices) const;
  [[nodiscard]] std::vector<YamlValue> as_list() const;     ///< 10,000 items at most
  [[nodiscard]] std::vector<std::string> as_texts() const;  ///< a list of them
  [[nodiscard]] YamlMap as_map() const;
  [[nodiscard]] bool is_scalar() const { return node_.IsScalar(); }
  [[nodiscard]] bool is_map() const { return node_.IsMap(); }
  [[nodiscard]] bool is_list() const { return node_.IsSequence(); }
  [[nodiscard]] int line() const { return node_.Mark().line + 1; }

  /// "FILE:LINE:COLUMN".
  [[nodiscard]] std::string place() const;
  /// An error that points here.
  [[nodiscard]] Error error(const std::string& what, std::string hint = {}) const;

 private:
  friend class YamlMap;
  YAML::Node node_;
  std::shared_ptr<const std::string> source_;
};

class YamlMap {
 public:
  explicit YamlMap(YamlValue value);
  [[nodiscard]] std::optional<YamlValue> find(const std::string& key);
  /// Throws Error(usage) where it is missing, or at the key that looks like a slip for it.
  [[nodiscard]] YamlValue require(const std::string& key);
  /// Keys in the order of the file; all count as asked for.
  [[nodiscard]] std::vector<std::pair<std::string, YamlValue>> entries();
  /// The key itself, to point at: the last one where it is there twice, the map where it is not.
  [[nodiscard]] YamlValue key(const std::string& name) const;
  /// Throws Error(usage) at the first key that was not asked for.
  void done() const;
  [[nodiscard]] const YamlValue& value() const { return value_; }

 private:
  YamlValue value_;
  std::set<std::string> asked_;
};

}  // namespace pantryd
