// Draws the values of one operation. Keys are computed from the dataset's shape: nothing is read.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "loadgen/dataset/grocery.h"
#include "loadgen/workload/plan.h"

namespace pantryd::loadgen {

/// A value as it was drawn, so that it can be sent in the server's own binary form.
struct Value {
  enum class Kind : unsigned char {
    null,
    text,     ///< at, length
    integer,  ///< number
    cents,    ///< number; two decimals
    day,      ///< number; days since 1970-01-01
    real,     ///< number: the bits of a double
    uuid,     ///< uuid
  };
  Kind kind = Kind::null;
  std::uint32_t at = 0;      ///< place in the arena; a NUL follows the text
  std::uint32_t length = 0;  ///< bytes, without that NUL
  std::int64_t number = 0;
  Uuid uuid{};
};

/// The variables of one operation at work, in memory that is taken once and used again.
class Values {
 public:
  /// `count` NULLs.
  void reset(std::size_t count);
  void set_null(VariableId id) { at(id).kind = Value::Kind::null; }
  void set_text(VariableId id, std::string_view text);
  void set_number(VariableId id, Value::Kind kind, std::int64_t number);
  void set_uuid(VariableId id, const Uuid& uuid);

  [[nodiscard]] const Value& operator[](VariableId id) const {
    return values_[static_cast<std::size_t>(id)];
  }
  [[nodiscard]] bool is_null(VariableId id) const { return (*this)[id].kind == Value::Kind::null; }
  /// Of a Kind::text. Valid until the next set_text() or reset().
  [[nodiscard]] const char* c_str(const Value& value) const { return arena_.data() + value.at; }
  /// Of any kind: the text as PostgreSQL reads it; empty for NULL.
  [[nodiscard]] std::string to_text(VariableId id) const;
  [[nodiscard]] bool equals(VariableId id, std::string_view text) const;

 private:
  Value& at(VariableId id) { return values_[static_cast<std::size_t>(id)]; }
  std::vector<Value> values_;
  std::string arena_;
};

class ValueSource {
 public:
  /// `shape` may be empty for a workload that needs no dataset. `nonce` must differ from run to
  /// run: it keeps the fresh UUIDs of one run from meeting those that an earlier one inserted.
  ValueSource(const Workload& workload, std::optional<DatasetShape> shape, std::uint64_t nonce);

  /// Fills `values` with what the generators say; captured variables become NULL, and so do those
  /// of repeats. The same `seed` gives the same values, fresh UUIDs apart.
  void draw(const Operation& operation, std::uint64_t seed, Values& values) const;
  /// How often the steps of Operation::repeats[repeat] run.
  [[nodiscard]] std::int64_t repetitions(const Operation& operation, std::size_t repeat,
                                         std::uint64_t seed) const;
  /// The values that are the repeat's own, for its repetition 1, 2, ...; what its steps capture
  /// becomes NULL.
  void draw_repetition(const Operation& operation, std::size_t repeat, std::int64_t repetition,
                       std::uint64_t seed, Values& values) const;

  [[nodiscard]] static bool holds(const std::optional<Condition>& condition, const Values& values);

 private:
  void draw_some(const Operation& operation, VariableId from, VariableId to, Random& random,
                 Values& values) const;
  void make(VariableId id, const Generator& generator, Random& random, Values& values) const;
  [[nodiscard]] std::string product_ids(const Generator& generator, Random& random) const;
  [[nodiscard]] std::int64_t recent_sale(double share, Random& random) const;
  [[nodiscard]] const Zipf& zipf(bool customers, double skew) const;

  std::uint64_t nonce_;
  std::optional<Grocery> grocery_;
  std::map<std::pair<bool, double>, Zipf> zipfs_;  ///< all that the workload names
};

}  // namespace pantryd::loadgen
