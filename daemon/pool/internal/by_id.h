// A table by connection, read in one step: the number of a connection holds its place in the table.
// Places are used again, numbers never: an old number finds nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "base/assert.h"

namespace pantryd::pool {

/// A connection, or one that is being made. 0: no connection.
using Id = std::uint64_t;

inline constexpr int kPlaceBits = 20;
/// More connections than a PostgreSQL server can have (262,143).
inline constexpr std::int32_t kPlaces = 1 << kPlaceBits;

/// Keeps memory for the largest number of values that it ever held, so that put() rarely allocates.
template <typename Value>
class ById {
 public:
  Value& put(Id id, Value value) {
    const auto place = place_of(id);
    if (place >= entries_.size()) entries_.resize(place + 1);
    auto& entry = entries_[place];
    PANTRYD_ASSERT(id != 0 && (entry.id == 0 || entry.id == id));
    if (entry.id == 0) ++size_;
    entry.id = id;
    entry.value = std::move(value);
    return entry.value;
  }
  [[nodiscard]] Value* find(Id id) {
    const auto place = place_of(id);
    return place < entries_.size() && entries_[place].id == id ? &entries_[place].value : nullptr;
  }
  [[nodiscard]] const Value* find(Id id) const { return const_cast<ById*>(this)->find(id); }
  std::optional<Value> take(Id id) {
    auto* const value = find(id);
    if (value == nullptr) return std::nullopt;
    entries_[place_of(id)].id = 0;
    --size_;
    return std::exchange(*value, Value());
  }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }

  /// `visit(id, value)`, in no order.
  template <typename Visitor>
  void for_each(const Visitor& visit) const {
    for (const auto& entry : entries_) {
      if (entry.id != 0) visit(entry.id, entry.value);
    }
  }
  template <typename Visitor>
  void for_each(const Visitor& visit) {
    for (auto& entry : entries_) {
      if (entry.id != 0) visit(entry.id, entry.value);
    }
  }

 private:
  struct Entry {
    Id id = 0;
    Value value{};
  };
  static std::size_t place_of(Id id) { return id & (kPlaces - 1); }

  std::vector<Entry> entries_;
  std::size_t size_ = 0;
};

/// Gives out numbers. It takes the place that became free last, so that tables stay small.
class Ids {
 public:
  [[nodiscard]] Id next() {
    std::uint64_t place = places_;
    if (free_.empty()) {
      ++places_;
    } else {
      place = free_.back();
      free_.pop_back();
    }
    return ++serial_ << kPlaceBits | place;
  }
  void free(Id id) {
    const auto place = id & (kPlaces - 1);
    PANTRYD_ASSERT(place < places_ && free_.size() < places_);
    free_.push_back(place);
  }

 private:
  std::uint64_t serial_ = 0;
  std::uint64_t places_ = 0;
  std::vector<std::uint64_t> free_;
};

}  // namespace pantryd::pool
