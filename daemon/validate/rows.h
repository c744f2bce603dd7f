// Counts of the shop's rows, as the server counts them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "validate/evidence.h"

namespace pantryd::validate::rows {

inline constexpr const char* kProducts = "SELECT count(*) FROM public.products";
inline constexpr const char* kSales = "SELECT count(*) FROM public.sales";

/// None, with the reason in `problem`, where the server did not count.
[[nodiscard]] std::optional<std::int64_t> count(const Evidence& evidence, const char* query,
                                                std::string& problem);

}  // namespace pantryd::validate::rows
