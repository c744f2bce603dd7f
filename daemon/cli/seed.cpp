#include "loadgen/dataset/seed.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/units.h"
#include "cli/subcommands.h"

namespace pantryd::cli {
namespace {

void show(const loadgen::SeedProgress& progress) {
  const auto total = std::max<std::int64_t>(1, progress.rows_total);
  const double left_s = progress.rows_per_s > 0
                            ? static_cast<double>(total - progress.rows_done) / progress.rows_per_s
                            : 0;
  fmt::print(stderr, "\r{:>14} rows, {:>3} %, {:>9} rows/s, {} left\033[K",
             format_count(progress.rows_done), 100 * progress.rows_done / total,
             format_count(static_cast<std::int64_t>(progress.rows_per_s)),
             format_duration(std::chrono::seconds(static_cast<std::int64_t>(left_s))));
}

}  // namespace

int run_seed(const Context& context, const Arguments& arguments) {
  po::options_description options("Options");
  options.add_options()("products", po::value<std::int64_t>()->default_value(100'000), "how many")(
      "sales", po::value<std::int64_t>()->default_value(300'000), "how many")(
      "seed", po::value<std::uint64_t>()->default_value(1), "the same seed makes the same rows")(
      "jobs", po::value<int>()->default_value(2), "connections that copy")(
      "days", po::value<std::int32_t>()->default_value(90), "the sales are of so many days")(
      "force", "empty the six tables first when they hold other rows");
  const auto values =
      parse("seed [--products N] [--sales N] [--seed S] [--jobs J]", options, {}, arguments);
  if (!values) return 0;
  loadgen::SeedOptions wanted;
  wanted.shape.products = (*values)["products"].as<std::int64_t>();
  wanted.shape.sales = (*values)["sales"].as<std::int64_t>();
  wanted.shape.seed = (*values)["seed"].as<std::uint64_t>();
  wanted.shape.days = (*values)["days"].as<std::int32_t>();
  wanted.jobs = (*values)["jobs"].as<int>();
  wanted.force = values->count("force") > 0;
  const loadgen::Progress progress = context.progress ? &show : loadgen::Progress();
  const auto clear_line = [&] {
    if (context.progress) fmt::print(stderr, "\r\033[K");
  };
  try {
    const auto report = loadgen::seed(target(context), wanted, progress, context.stop);
    clear_line();
    fmt::print("{}", context.json ? report.to_json() : report.to_text());
  } catch (...) {
    clear_line();
    throw;
  }
  return 0;
}

}  // namespace pantryd::cli
