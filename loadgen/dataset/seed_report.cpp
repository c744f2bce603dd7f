// What a seed did, as text.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/units.h"
#include "loadgen/dataset/ledger.h"
#include "loadgen/dataset/seed.h"

namespace pantryd::loadgen {

double SeedReport::rows_per_s() const {
  const auto ms = std::max<std::int64_t>(1, copy_time.count());
  return static_cast<double>(rows_copied) * 1000.0 / static_cast<double>(ms);
}

std::string SeedReport::to_text() const {
  std::string out;
  if (already_there) {
    out = fmt::format("The dataset is already there ({}).\n", describe(shape));
  } else {
    out = fmt::format("{} {} rows in {} ({} rows/s), {} in {} ({}).\n",
                      resumed ? "Copied the missing" : "Copied", format_count(rows_copied),
                      format_duration(copy_time),
                      format_count(static_cast<std::int64_t>(rows_per_s())),
                      rebuilt > 0 ? "indexes and constraints made and analyzed" : "analyzed",
                      format_duration(rebuilt > 0 ? rebuild_time : analyze_time), describe(shape));
  }
  for (const auto& [name, rows] : tables)
    out += fmt::format("  {:<14}{:>14}\n", name, format_count(rows));
  return out;
}

std::string SeedReport::to_json() const {
  nlohmann::ordered_json json = {{"format", "pantryd.seed"},
                                 {"version", 1},
                                 {"seed", shape.seed},
                                 {"products", shape.products},
                                 {"sales", shape.sales},
                                 {"days", shape.days},
                                 {"keys", to_string(shape.keys)},
                                 {"as_of_day", shape.as_of_day},
                                 {"already_there", already_there},
                                 {"resumed", resumed},
                                 {"rows_copied", rows_copied},
                                 {"copy_ms", copy_time.count()},
                                 {"rebuilt", rebuilt},
                                 {"rebuild_ms", rebuild_time.count()},
                                 {"analyze_ms", analyze_time.count()},
                                 {"rows_per_s", already_there ? 0 : rows_per_s()}};
  for (const auto& [name, rows] : tables) json["tables"][name] = rows;
  return json.dump(2) + "\n";
}

}  // namespace pantryd::loadgen
