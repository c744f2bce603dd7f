// The grocery's rows as pure functions: a row follows from the shape, its table and its index, and
// from nothing else. So any number of workers makes the same rows in any order, and the load
// generator knows which keys exist without reading them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "loadgen/dataset/rows.h"
#include "loadgen/dataset/zipf.h"

namespace pantryd::loadgen {

class Grocery {
 public:
  explicit Grocery(DatasetShape shape);
  [[nodiscard]] const DatasetShape& shape() const { return shape_; }
  [[nodiscard]] std::int64_t customers() const { return parts_.back().customers; }
  [[nodiscard]] std::int64_t expenses() const { return 20LL * shape_.days; }

  [[nodiscard]] User user(std::int64_t index) const;
  [[nodiscard]] Product product(std::int64_t index) const;
  [[nodiscard]] Sale sale(std::int64_t index) const;
  /// True when sale `index` was on credit: then debt(sale(index), index) exists.
  [[nodiscard]] bool has_debt(std::int64_t index) const;
  [[nodiscard]] Debt debt(const Sale& sale, std::int64_t index) const;
  [[nodiscard]] Expense expense(std::int64_t index) const;

  /// Keys alone, without the rest of the row.
  [[nodiscard]] Uuid id(Table table, std::int64_t index) const;
  [[nodiscard]] std::string barcode(std::int64_t product) const;  ///< EAN-13, unique
  [[nodiscard]] std::string customer_name(std::int64_t customer) const;
  [[nodiscard]] std::string customer_phone(std::int64_t customer) const;

  /// The product that has popularity `rank`, 0 being the most popular.
  [[nodiscard]] std::int64_t product_of_rank(std::int64_t rank) const { return scatter_(rank); }

 private:
  /// Sales that were made in one go.
  struct Part {
    std::int64_t begin, end;  ///< of the sales' indexes
    std::int64_t customers;
    Zipf loyalty;
  };
  struct Label;  ///< the words of a product's name and its price

  [[nodiscard]] Random stream(Table table, std::int64_t index, std::uint64_t purpose = 0) const;
  [[nodiscard]] const Part& part_of(std::int64_t sale) const;
  [[nodiscard]] Label label(Random& random) const;
  [[nodiscard]] SoldProduct sold_product(std::int64_t index) const;
  [[nodiscard]] std::string_view payment_method(std::int64_t sale) const;
  [[nodiscard]] MicrosUtc sale_time_us(std::int64_t index) const;
  [[nodiscard]] MicrosUtc created_us(Table table, std::int64_t index) const;
  [[nodiscard]] Uuid id_at(Table table, std::int64_t index, MicrosUtc created) const;

  DatasetShape shape_;
  std::vector<Part> parts_;  ///< never empty
  Zipf popularity_;
  Scatter scatter_;
};

}  // namespace pantryd::loadgen
