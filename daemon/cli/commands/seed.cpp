#include "loadgen/dataset/seed.h"

#include <fmt/format.h>

#include <utility>

#include "base/error.h"
#include "base/units.h"
#include "cli/subcommands.h"
#include "loadgen/dataset/ledger.h"
#include "loadgen/dataset/verify.h"

namespace pantryd::cli {
namespace {

void show(const loadgen::SeedProgress& progress) {
  const auto left =
      progress.seconds_left < 0
          ? std::string("?")
          : format_duration(std::chrono::seconds(static_cast<std::int64_t>(progress.seconds_left)));
  if (progress.copying) {
    const auto total = std::max<std::int64_t>(1, progress.rows_total);
    fmt::print(stderr, "\r{:>14} rows, {:>3} %, {:>9} rows/s, {} left\033[K",
               format_count(progress.rows_done), 100 * progress.rows_done / total,
               format_count(static_cast<std::int64_t>(progress.rows_per_s)), left);
  } else {
    fmt::print(stderr, "\r{:>3.0f} % made again, {} left, {}\033[K", 100 * progress.share, left,
               progress.what.substr(0, 60));
  }
}

void describe(po::options_description& options) {
  options.add_options()("products", po::value<std::int64_t>()->default_value(100'000), "how many")(
      "sales", po::value<std::int64_t>()->default_value(300'000), "how many")(
      "seed", po::value<std::uint64_t>()->default_value(1), "the same seed makes the same rows")(
      "jobs", po::value<int>()->default_value(2), "connections that copy and build indexes")(
      "days", po::value<std::int32_t>()->default_value(90), "the sales are of so many days")(
      "keys", po::value<std::string>()->default_value("v4"),
      "v4: random, as the application makes them; v7: in the order of time")(
      "top-up", "add --sales more to the dataset that is there")(
      "verify", "change nothing; compare what is there with what was asked for")(
      "keep-indexes",
      "copy into the tables as they are; else those that get 50,000 rows and more "
      "lose their indexes and foreign keys for the time of the copy")(
      "memory", po::value<std::string>()->default_value("256MB"),
      "maintenance_work_mem of each connection that builds")(
      "force", "empty the six tables first when they hold other rows");
}

/// What the dataset that is there says of itself may not be said again.
void check_top_up(const po::variables_map& values) {
  for (const char* name : {"products", "seed", "days", "keys", "force"}) {
    const bool given = values.count(name) > 0 && !values[name].defaulted();
    if (given) {
      throw Error(ExitCode::usage, fmt::format("--{} does not go with --top-up", name),
                  "The dataset that is there grows as it began.");
    }
  }
  if (values["sales"].defaulted() || values["sales"].as<std::int64_t>() < 1) {
    throw Error(ExitCode::usage, "--top-up needs --sales, the number of sales to add",
                "For example: pantryd seed --top-up --sales 100000");
  }
}

loadgen::SeedOptions read(const po::variables_map& values) {
  loadgen::SeedOptions wanted;
  wanted.shape.products = values["products"].as<std::int64_t>();
  wanted.shape.sales = values["sales"].as<std::int64_t>();
  wanted.shape.seed = values["seed"].as<std::uint64_t>();
  wanted.shape.days = values["days"].as<std::int32_t>();
  const auto keys = loadgen::parse_keys(values["keys"].as<std::string>());
  if (!keys) throw Error(ExitCode::usage, "--keys is v4 or v7");
  wanted.shape.keys = *keys;
  const auto memory = parse_size_bytes(values["memory"].as<std::string>());
  if (!memory) throw Error(ExitCode::usage, "--memory is a size such as 256MB");
  wanted.memory_bytes = *memory;
  wanted.jobs = values["jobs"].as<int>();
  wanted.force = values.count("force") > 0;
  wanted.keep_indexes = values.count("keep-indexes") > 0;
  if (values.count("top-up") > 0) {
    check_top_up(values);
    wanted.top_up = std::exchange(wanted.shape.sales, 0);
  }
  return wanted;
}

}  // namespace

int run_seed(const Context& context, const Arguments& arguments) {
  po::options_description options("Options");
  describe(options);
  const auto values =
      parse("seed [--products N] [--sales N] [--seed S] [--jobs J]", options, {}, arguments);
  if (!values) return 0;
  if (values->count("verify") > 0) {
    const auto report = loadgen::verify(target(context), (*values)["jobs"].as<int>(), context.stop);
    fmt::print("{}", context.json ? report.to_json() : report.to_text());
    return report.ok() ? 0 : static_cast<int>(ExitCode::failed);
  }
  const auto wanted = read(*values);
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
