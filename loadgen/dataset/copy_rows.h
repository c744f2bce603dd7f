// Rows in the binary form of COPY.
// Source: PostgreSQL manual, COPY, "Binary Format"; numeric_send and timestamptz_send of the
// server for the values.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "loadgen/dataset/grocery.h"

namespace pantryd::loadgen {

/// A growing buffer of binary COPY data. The caller takes `data` and clears it when it is large.
class CopyBuffer {
 public:
  void header();   ///< once, first
  void trailer();  ///< once, last
  void row(int columns);
  void null();
  void text(std::string_view value);
  void uuid(const Uuid& value);
  void int4(std::int32_t value);
  void boolean(bool value);
  void numeric_cents(std::int64_t cents);  ///< not negative; numeric with two decimals
  void timestamptz(MicrosUtc value);
  void date(std::int64_t days_since_1970);

  template <typename Value>
  void maybe_text(const std::optional<Value>& value) {
    value ? text(*value) : null();
  }

  std::string data;

 private:
  void int2(std::int16_t value);
  void int8(std::int64_t value);
};

/// "COPY products (id, ...) FROM STDIN (FORMAT binary)", with the columns that append() writes.
[[nodiscard]] std::string copy_statement(Table table);
/// The table's name.
[[nodiscard]] std::string_view to_string(Table table);

/// Appends the rows of `table` that belong to index `index` (of the sales for debts and payments,
/// which then are 0 to 2 rows; exactly one for every other table). Returns how many.
int append_rows(CopyBuffer& out, const Grocery& grocery, Table table, std::int64_t index);

}  // namespace pantryd::loadgen
