// Invariant: after bind() the four vectors have an entry a parameter, and nothing is appended to
// bytes_ any more, so that the pointers into it stay.
#include "loadgen/drive/binding.h"

#include <limits>

namespace pantryd::loadgen {
namespace {

// pg_type.dat: these numbers are fixed for good.
constexpr TypeOid kInt8 = 20;
constexpr TypeOid kInt2 = 21;
constexpr TypeOid kInt4 = 23;
constexpr TypeOid kText = 25;
constexpr TypeOid kFloat8 = 701;
constexpr TypeOid kBpchar = 1042;
constexpr TypeOid kVarchar = 1043;
constexpr TypeOid kDate = 1082;
constexpr TypeOid kNumeric = 1700;
constexpr TypeOid kUuid = 2950;

constexpr std::int64_t kDaysTo2000 = 10'957;  ///< a date counts from 2000-01-01
constexpr auto kInArena = static_cast<std::size_t>(-1);

template <typename Integer>
bool fits(std::int64_t number) {
  return number >= std::numeric_limits<Integer>::min() &&
         number <= std::numeric_limits<Integer>::max();
}

bool is_text(TypeOid type) {
  return type == kText || type == kVarchar || type == kBpchar;
}

}  // namespace

void Binding::put(std::uint64_t value, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) {
    bytes_.push_back(static_cast<char>(value >> static_cast<unsigned>(shift)));
  }
}

/// numeric_recv() of the server: digits of base 10000, the weight of the first, sign, decimals.
void Binding::encode_numeric(std::int64_t number, int decimals) {
  const bool negative = number < 0;
  auto rest =
      negative ? 0 - static_cast<std::uint64_t>(number) : static_cast<std::uint64_t>(number);
  std::uint64_t digits[7] = {};  // the last first
  int count = 0;
  int weight = -1;
  if (decimals == 2) {
    digits[count++] = rest % 100 * 100;
    rest /= 100;
  }
  for (; rest > 0; rest /= 10'000, ++weight) digits[count++] = rest % 10'000;
  int low = 0;
  while (low < count && digits[low] == 0) ++low;  // a digit of nothing at the end is not sent
  put(static_cast<std::uint64_t>(count - low), 2);
  put(static_cast<std::uint64_t>(static_cast<std::int64_t>(weight)), 2);
  put(negative ? 0x4000 : 0, 2);
  put(static_cast<std::uint64_t>(decimals), 2);
  for (int i = count - 1; i >= low; --i) put(digits[i], 2);
}

/// False: this pair has no binary form here.
bool Binding::encode(const Value& value, TypeOid type) {
  const auto bits = static_cast<std::uint64_t>(value.number);
  switch (value.kind) {
    case Value::Kind::integer:
      if (type == kInt4 && fits<std::int32_t>(value.number)) return put(bits, 4), true;
      if (type == kInt8) return put(bits, 8), true;
      if (type == kInt2 && fits<std::int16_t>(value.number)) return put(bits, 2), true;
      if (type == kNumeric) return encode_numeric(value.number, 0), true;
      return false;
    case Value::Kind::cents:
      if (type == kNumeric) return encode_numeric(value.number, 2), true;
      return false;
    case Value::Kind::day:
      if (type != kDate) return false;
      put(static_cast<std::uint64_t>(value.number - kDaysTo2000), 4);
      return true;
    case Value::Kind::real:
      if (type == kFloat8) return put(bits, 8), true;
      return false;
    case Value::Kind::uuid:
      if (type != kUuid) return false;
      bytes_.append(reinterpret_cast<const char*>(value.uuid.data()), value.uuid.size());
      return true;
    default:
      return false;
  }
}

void Binding::bind(const std::vector<VariableId>& params, const std::vector<TypeOid>& types,
                   const Values& values) {
  const auto count = params.size();
  values_.resize(count);
  lengths_.resize(count);
  formats_.resize(count);
  places_.resize(count);
  bytes_.clear();
  for (std::size_t i = 0; i < count; ++i) {
    const auto& value = values[params[i]];
    const auto type = i < types.size() ? types[i] : 0;
    places_[i] = kInArena;
    formats_[i] = 0;
    lengths_[i] = 0;
    values_[i] = nullptr;
    if (value.kind == Value::Kind::null) continue;
    if (value.kind == Value::Kind::text) {
      values_[i] = values.c_str(value);
      lengths_[i] = static_cast<int>(value.length);
      formats_[i] = is_text(type) ? 1 : 0;  // the same bytes, and libpq need not count them
      continue;
    }
    places_[i] = bytes_.size();
    if (encode(value, type)) {
      formats_[i] = 1;
      lengths_[i] = static_cast<int>(bytes_.size() - places_[i]);
    } else {
      bytes_ += values.to_text(params[i]);
      bytes_.push_back('\0');
    }
  }
  for (std::size_t i = 0; i < count; ++i) {
    if (places_[i] != kInArena) values_[i] = bytes_.data() + places_[i];
  }
}

}  // namespace pantryd::loadgen
