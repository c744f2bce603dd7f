// The vocabulary of a Kenyan grocery: products, brands, sizes, people.
#pragma once

#include <span>
#include <string_view>

namespace pantryd::loadgen::words {

struct Category {
  std::string_view name;
  std::span<const std::string_view> items;   ///< "Fresh Milk"
  std::span<const std::string_view> brands;  ///< "Brookside"
  std::span<const std::string_view> sizes;   ///< "500ml"
  int price_low_shillings;
  int price_high_shillings;
};

[[nodiscard]] std::span<const Category> categories();
[[nodiscard]] std::span<const std::string_view> variants();
[[nodiscard]] std::span<const std::string_view> suppliers();
[[nodiscard]] std::span<const std::string_view> first_names();
[[nodiscard]] std::span<const std::string_view> last_names();
[[nodiscard]] std::span<const std::string_view> expense_categories();

}  // namespace pantryd::loadgen::words
