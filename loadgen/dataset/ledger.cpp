// Invariant: the table holds at most one row of part 'dataset', and chunks only of that dataset.
#include "loadgen/dataset/ledger.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/units.h"

namespace pantryd::loadgen {
namespace {

constexpr int kForm = 2;

Ledger parse_details(const std::string& text) {
  try {
    const auto json = nlohmann::json::parse(text);
    if (json.at("form").get<int>() != kForm) {
      throw Error(ExitCode::failed, "pantryd.seed_ledger was written by another version of pantryd",
                  "Seed again with that version, or with --force to replace the rows.");
    }
    Ledger ledger;
    auto& shape = ledger.shape;
    shape.seed = std::stoull(json.at("seed").get<std::string>());
    shape.products = json.at("products").get<std::int64_t>();
    shape.sales = json.at("sales").get<std::int64_t>();
    shape.users = json.at("users").get<std::int64_t>();
    shape.days = json.at("days").get<std::int32_t>();
    shape.as_of_day = json.at("as_of_day").get<std::int64_t>();
    const auto keys = parse_keys(json.at("keys").get<std::string>());
    if (!keys) throw Error(ExitCode::failed, "pantryd.seed_ledger names an unknown kind of keys");
    shape.keys = *keys;
    shape.top_ups = json.at("top_ups").get<std::vector<std::int64_t>>();
    ledger.products_per_chunk = json.at("products_per_chunk").get<std::int64_t>();
    ledger.sales_per_chunk = json.at("sales_per_chunk").get<std::int64_t>();
    return ledger;
  } catch (const Error&) {
    throw;
  } catch (const std::exception&) {
    throw Error(ExitCode::failed, "pantryd.seed_ledger holds a row that cannot be read",
                "Seed again with --force to replace the rows.");
  }
}

}  // namespace

std::optional<Ledger> read_ledger(pg::Connection& connection, Deadline deadline) {
  const auto there =
      connection.exec("SELECT to_regclass('pantryd.seed_ledger') IS NOT NULL", deadline);
  if (!there.boolean(0, 0)) return std::nullopt;
  const auto rows = connection.exec(
      "SELECT part, chunk, coalesce(details::text, '') FROM pantryd.seed_ledger", deadline);
  std::optional<Ledger> ledger;
  std::set<std::pair<std::string, std::int64_t>> chunks;
  bool complete = false;
  std::int64_t put_aside = 0;
  for (int i = 0; i < rows.rows(); ++i) {
    const std::string part(rows.text(i, 0));
    if (part == "dataset") {
      ledger = parse_details(std::string(rows.text(i, 2)));
    } else if (part == "complete") {
      complete = true;
    } else if (part == "rebuild") {
      ++put_aside;
    } else {
      chunks.emplace(part, rows.i64(i, 1));
    }
  }
  if (ledger) {
    ledger->chunks = std::move(chunks);
    ledger->complete = complete;
    ledger->put_aside = put_aside;
  }
  return ledger;
}

void create_ledger(pg::Connection& connection, Deadline deadline) {
  connection.exec_script(
      "CREATE SCHEMA IF NOT EXISTS pantryd;"
      "CREATE TABLE IF NOT EXISTS pantryd.seed_ledger ("
      " part text NOT NULL, chunk bigint NOT NULL, row_count bigint NOT NULL, details jsonb,"
      " done_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (part, chunk))",
      deadline);
}

namespace {

std::string details_of(const Ledger& ledger) {
  const auto& shape = ledger.shape;
  const nlohmann::json details = {{"form", kForm},
                                  {"seed", std::to_string(shape.seed)},
                                  {"products", shape.products},
                                  {"sales", shape.sales},
                                  {"users", shape.users},
                                  {"days", shape.days},
                                  {"as_of_day", shape.as_of_day},
                                  {"keys", to_string(shape.keys)},
                                  {"top_ups", shape.top_ups},
                                  {"products_per_chunk", ledger.products_per_chunk},
                                  {"sales_per_chunk", ledger.sales_per_chunk}};
  return details.dump();
}

}  // namespace

void begin_ledger(pg::Connection& connection, const Ledger& ledger, Deadline deadline) {
  connection.exec("DELETE FROM pantryd.seed_ledger WHERE part <> 'rebuild'", deadline);
  connection.exec("INSERT INTO pantryd.seed_ledger VALUES ('dataset', 0, 0, $1::jsonb)",
                  pg::Params::of(details_of(ledger)), deadline);
}

void grow_ledger(pg::Connection& connection, const Ledger& ledger, Deadline deadline) {
  connection.exec("DELETE FROM pantryd.seed_ledger WHERE part = 'complete'", deadline);
  connection.exec("UPDATE pantryd.seed_ledger SET details = $1::jsonb WHERE part = 'dataset'",
                  pg::Params::of(details_of(ledger)), deadline);
}

void add_chunk(pg::Connection& connection, const std::string& part, std::int64_t chunk,
               std::int64_t rows, Deadline deadline) {
  connection.exec("INSERT INTO pantryd.seed_ledger (part, chunk, row_count) VALUES ($1, $2, $3)",
                  pg::Params::of(part, chunk, rows), deadline);
}

void complete_ledger(pg::Connection& connection, Deadline deadline) {
  connection.exec(
      "INSERT INTO pantryd.seed_ledger (part, chunk, row_count) VALUES ('complete', 0, 0) "
      "ON CONFLICT DO NOTHING",
      deadline);
}

std::string_view to_string(Keys keys) {
  return keys == Keys::v7 ? "v7" : "v4";
}

std::optional<Keys> parse_keys(std::string_view text) {
  if (text == "v4") return Keys::v4;
  if (text == "v7") return Keys::v7;
  return std::nullopt;
}

std::string describe(const DatasetShape& shape) {
  return fmt::format("seed {}, {} products, {} sales over {} days{}", shape.seed,
                     format_count(shape.products), format_count(shape.sales), shape.days,
                     shape.keys == Keys::v7 ? ", v7 keys" : "");
}

}  // namespace pantryd::loadgen
