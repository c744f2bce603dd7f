// What a statement returned. Immutable; may be read by several threads.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct pg_result;

namespace pantryd::pg {

/// Values bound to $1, $2, ...; never part of the statement's text. nullopt is NULL.
class Params {
 public:
  Params() = default;
  template <typename... Values>
  requires(sizeof...(Values) > 0) static Params of(const Values&... values) {
    Params params;
    (params.add(values), ...);
    return params;
  }

  Params& add(std::nullopt_t) { return push(std::nullopt); }
  Params& add(const std::optional<std::string>& value) { return push(value); }
  Params& add(const std::string& value) { return push(value); }
  Params& add(std::string_view value) { return push(std::string(value)); }
  Params& add(const char* value) { return push(std::string(value)); }
  Params& add(bool value) { return push(value ? "t" : "f"); }
  Params& add(double value);
  template <std::integral Integer>
  requires(!std::same_as<Integer, bool>) Params& add(Integer value) {
    return push_text(std::to_string(value));
  }

  [[nodiscard]] const std::vector<std::optional<std::string>>& values() const { return values_; }

 private:
  Params& push(std::optional<std::string> value) {
    values_.push_back(std::move(value));
    return *this;
  }
  /// Not inline: g++ 14 warns of a string that it sees move into an optional.
  Params& push_text(std::string text);
  std::vector<std::optional<std::string>> values_;
};

class Result {
 public:
  Result() = default;
  explicit Result(pg_result* owned);

  [[nodiscard]] int rows() const;
  [[nodiscard]] int columns() const;
  [[nodiscard]] bool empty() const { return rows() == 0; }
  [[nodiscard]] std::string column_name(int column) const;
  [[nodiscard]] std::uint32_t column_type(int column) const;  ///< pg_type.oid
  /// -1 when there is no such column.
  [[nodiscard]] int column(const std::string& name) const;

  [[nodiscard]] bool is_null(int row, int column) const;
  /// The text as the server sent it; empty for NULL.
  [[nodiscard]] std::string_view text(int row, int column) const;
  /// Throw Error(failed) when the value is NULL or is not of this type.
  [[nodiscard]] std::int64_t i64(int row, int column) const;
  [[nodiscard]] double f64(int row, int column) const;  ///< "NaN" and "Infinity" included
  [[nodiscard]] bool boolean(int row, int column) const;
  [[nodiscard]] std::optional<std::string> maybe_text(int row, int column) const;
  [[nodiscard]] std::optional<double> maybe_f64(int row, int column) const;
  [[nodiscard]] std::optional<std::int64_t> maybe_i64(int row, int column) const;

  /// The command tag, such as "INSERT 0 1".
  [[nodiscard]] std::string command() const;
  /// Rows that the command touched; 0 when that does not apply.
  [[nodiscard]] std::int64_t affected() const;

  /// Below: for the code that drives libpq by hand (loadgen's reactor).
  [[nodiscard]] bool failed() const;
  [[nodiscard]] std::string sqlstate() const;
  [[nodiscard]] std::string error_message() const;  ///< primary message, one line
  /// The prepared statement does not fit its tables any more: "SELECT *" after ADD COLUMN. It fails
  /// until it is prepared again.
  [[nodiscard]] bool plan_is_stale() const;
  [[nodiscard]] std::string error_hint() const;  ///< the server's own, one line; often empty

 private:
  std::shared_ptr<pg_result> result_;
};

}  // namespace pantryd::pg
