// The seed command: fills the shop's tables with a dataset, adds to it, or verifies it.
#include "loadgen/dataset/seed.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/units.h"
#include "cli/command.h"
#include "loadgen/dataset/ledger.h"
#include "loadgen/dataset/verify.h"
#include "pg/conninfo.h"

namespace pantryd::cli {
namespace {

constexpr double kRowsMax = 1e9;

std::vector<Option> seed_options() {
  return {
      count("products", "N", "100000", {1, kRowsMax}, "products"),
      count("sales", "N", "300000", {0, kRowsMax}, "sales; with --top-up, sales to add"),
      count("seed", "S", "1", {}, "the same seed makes the same rows"),
      count("jobs", "J", "2", {1, 64}, "connections that copy rows and build indexes"),
      count("days", "N", "90", {1, 3650}, "days over which the sales are spread"),
      choice("keys", "v4|v7", "v4",
             "UUIDs that are random, as the application makes them, or in the order of time"),
      flag("top-up", "add --sales more sales to the dataset that exists"),
      flag("verify", "change nothing; compare the rows with the dataset's ledger"),
      flag("keep-indexes",
           "copy into the tables as they are; otherwise a table that gets 50,000 rows or more "
           "loses its indexes and foreign keys while it is copied"),
      size("memory", "256MB", {}, "maintenance_work_mem of each connection that builds an index"),
      flag("force", "empty the six tables first if they hold other rows"),
  };
}

void show_progress(const loadgen::SeedProgress& progress) {
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
    fmt::print(stderr, "\r{:>3.0f} % rebuilt, {} left, {}\033[K", 100 * progress.share, left,
               progress.what.substr(0, 60));
  }
}

/// A dataset grows with the options that it began with.
void check_top_up(const Values& values) {
  for (const char* name : {"products", "seed", "days", "keys", "force"}) {
    if (values.given(name)) {
      throw Error(ExitCode::usage, fmt::format("--{} conflicts with --top-up", name),
                  "The dataset grows with the options that it was made with.");
    }
  }
  if (!values.given("sales") || values.count("sales") < 1) {
    throw Error(ExitCode::usage, "--top-up needs --sales, the number of sales to add",
                "For example: pantryd seed --top-up --sales 100000");
  }
}

loadgen::SeedOptions read_seed_options(const Values& values) {
  loadgen::SeedOptions wanted;
  wanted.shape.products = values.count("products");
  wanted.shape.sales = values.count("sales");
  wanted.shape.seed = static_cast<std::uint64_t>(values.count("seed"));
  wanted.shape.days = static_cast<std::int32_t>(values.count("days"));
  wanted.shape.keys = loadgen::parse_keys(values.text("keys")).value();
  wanted.memory_bytes = values.bytes("memory");
  wanted.jobs = static_cast<int>(values.count("jobs"));
  wanted.force = values.flag("force");
  wanted.keep_indexes = values.flag("keep-indexes");
  if (values.flag("top-up")) {
    check_top_up(values);
    wanted.top_up = std::exchange(wanted.shape.sales, 0);
  }
  return wanted;
}

int verify_rows(const Context& context, const Values& values) {
  const auto report =
      loadgen::verify(target(context), static_cast<int>(values.count("jobs")), context.stop);
  fmt::print("{}", context.json ? report.to_json() : report.to_text());
  return static_cast<int>(report.ok() ? ExitCode::ok : ExitCode::failed);
}

int run_seed(const Context& context, const Values& values) {
  if (values.flag("verify")) return verify_rows(context, values);
  const auto wanted = read_seed_options(values);
  const loadgen::Progress progress = context.progress ? &show_progress : loadgen::Progress();
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

}  // namespace

Command seed_command() {
  return {.name = "seed",
          .summary = "fill users, products, sales and debts with a dataset",
          .usage = "[--products N] [--sales N] [--seed S] [--jobs J]",
          .options = seed_options(),
          .examples = {"pantryd seed --dsn postgresql://127.0.0.1/shop --products 20000 --sales "
                       "100000",
                       "pantryd seed --dsn postgresql://127.0.0.1/shop --verify"},
          .exits = {{1, "failed, or --verify found other rows"}, kUnreachable},
          .run = run_seed};
}

}  // namespace pantryd::cli
