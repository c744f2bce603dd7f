// Values to the parameters of a prepared statement, in binary where the server's type is known to
// us, else as text. Its memory is taken once and used again.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "loadgen/workload/values.h"

namespace pantryd::loadgen {

using TypeOid = std::uint32_t;  ///< pg_type.oid; 0: not known, so that text is sent

class Binding {
 public:
  /// What a value of `types[i]` looks like for each of `params`. Pointers that it hands out stay
  /// valid until the next bind() and until `values` changes.
  void bind(const std::vector<VariableId>& params, const std::vector<TypeOid>& types,
            const Values& values);

  [[nodiscard]] int count() const { return static_cast<int>(values_.size()); }
  [[nodiscard]] const char* const* values() const { return values_.data(); }
  [[nodiscard]] const int* lengths() const { return lengths_.data(); }
  [[nodiscard]] const int* formats() const { return formats_.data(); }

 private:
  [[nodiscard]] bool encode(const Value& value, TypeOid type);
  void encode_numeric(std::int64_t number, int decimals);
  void put(std::uint64_t value, int bytes);  ///< big-endian

  std::vector<const char*> values_;
  std::vector<int> lengths_, formats_;
  std::vector<std::size_t> places_;  ///< in bytes_, of what is not in the arena of the values
  std::string bytes_;
};

}  // namespace pantryd::loadgen
