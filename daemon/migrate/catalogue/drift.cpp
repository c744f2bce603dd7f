// Invariant of the table: `objects` is what the migrations made, as far as they were recorded;
// `objects_before_run` is set exactly while a run is open, that is, from before its first change
// until its end was recorded, however often it was cut off in between.
#include "migrate/catalogue/drift.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <optional>

#include "base/sha256.h"
#include "migrate/catalogue/query.h"
#include "pg/plain_table.h"

namespace pantryd::migrate {
namespace {

using Lines = std::vector<std::string>;

std::string as_text(const Lines& lines) {
  std::string out;
  for (const auto& line : lines) out += line + "\n";
  return out;
}

Lines split_lines(std::string_view text) {
  Lines out;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    out.emplace_back(text.substr(at, end - at));
    at = end + 1;
  }
  // Written by whatever collation: ours is the order of bytes.
  std::sort(out.begin(), out.end());
  return out;
}

struct Recorded {
  std::string algorithm;
  std::string fingerprint;
  std::optional<Lines> objects;
  std::optional<Lines> before_run;
  std::string recorded_at;
};

std::optional<Recorded> read_recorded(pg::Connection& connection, Deadline deadline) {
  // The daemon reads it too, in databases of others.
  const auto rows = pg::read_plain_table(
      connection, "pantryd", "catalogue_fingerprint",
      {"algorithm", "fingerprint", "objects", "objects_before_run", "recorded_at"}, 1, deadline);
  if (!rows || rows->empty()) return std::nullopt;
  const auto& row = rows->front();
  Recorded out;
  out.algorithm = row[0].value_or("");
  out.fingerprint = row[1].value_or("");
  if (row[2]) out.objects = split_lines(*row[2]);
  if (row[3]) out.before_run = split_lines(*row[3]);
  out.recorded_at = row[4].value_or("");
  return out;
}

/// Drops the parts between `skip` and the mark after it, and the other marks (catalogue/query.h).
std::string without(std::string_view marked, char skip) {
  std::string out;
  bool skipping = false;
  for (const char c : marked) {
    if (c < '\x01' || c > '\x04') {
      if (!skipping) out.push_back(c);
    } else if (c == skip) {
      skipping = true;
    } else if (c == skip + 1) {
      skipping = false;
    }
  }
  return out;
}

}  // namespace

Lines only_in_first(const Lines& first, const Lines& second) {
  Lines out;
  std::set_difference(first.begin(), first.end(), second.begin(), second.end(),
                      std::back_inserter(out));
  return out;
}

Catalogue read_both(pg::Connection& connection, const std::string& schema, Deadline deadline) {
  const bool own = connection.idle();
  if (own) connection.exec("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", deadline);
  connection.exec("SELECT set_config('search_path', '', true)", deadline);
  const auto rows = connection.exec(kCatalogueQuery, pg::Params::of(schema), deadline);
  if (own) connection.exec("COMMIT", deadline);
  Catalogue out;
  for (int i = 0; i < rows.rows(); ++i) {
    out.objects.push_back(without(rows.text(i, 0), '\x03'));
    out.made.push_back(without(rows.text(i, 0), '\x01'));
  }
  std::sort(out.objects.begin(), out.objects.end());
  std::sort(out.made.begin(), out.made.end());
  return out;
}

std::vector<std::string> read_catalogue(pg::Connection& connection, Deadline deadline) {
  return read_both(connection, "public", deadline).objects;
}

std::string fingerprint_algorithm(const pg::Connection& connection) {
  return fmt::format("sha256-v1/pg{}", connection.server_version() / 10000);
}

std::string fingerprint(const std::vector<std::string>& catalogue) {
  return sha256_hex(as_text(catalogue));
}

CatalogueDrift compare_catalogue(pg::Connection& connection, Deadline deadline) {
  CatalogueDrift out;
  const auto found = read_catalogue(connection, deadline);
  out.found = fingerprint(found);
  const auto recorded = read_recorded(connection, deadline);
  if (!recorded) return out;
  out.recorded = recorded->fingerprint;
  out.recorded_at = recorded->recorded_at;
  if (recorded->before_run) {
    out.state = CatalogueDrift::State::run_open;
  } else if (!recorded->objects) {
    out.state = CatalogueDrift::State::unrecorded;
  } else if (recorded->algorithm != fingerprint_algorithm(connection)) {
    out.state = CatalogueDrift::State::incomparable;
  } else if (out.found == out.recorded) {
    out.state = CatalogueDrift::State::same;
  } else {
    out.state = CatalogueDrift::State::drifted;
    out.added = only_in_first(found, *recorded->objects);
    out.removed = only_in_first(*recorded->objects, found);
  }
  return out;
}

void open_run(pg::Connection& connection, Deadline deadline) {
  const auto now = as_text(read_catalogue(connection, deadline));
  connection.exec(
      "INSERT INTO pantryd.catalogue_fingerprint AS c (objects_before_run) VALUES ($1) "
      "ON CONFLICT (only_row) DO UPDATE SET objects_before_run = "
      "coalesce(c.objects_before_run, excluded.objects_before_run)",
      pg::Params::of(now), deadline);
}

void close_run(pg::Connection& connection, Deadline deadline) {
  const auto recorded = read_recorded(connection, deadline);
  if (recorded && recorded->objects && !recorded->before_run) return;
  const auto after = read_catalogue(connection, deadline);
  if (!recorded || !recorded->objects || recorded->algorithm != fingerprint_algorithm(connection)) {
    record_catalogue(connection, after, deadline);
    return;
  }
  auto objects = only_in_first(*recorded->objects, only_in_first(*recorded->before_run, after));
  const auto made = only_in_first(after, *recorded->before_run);
  objects.insert(objects.end(), made.begin(), made.end());
  std::sort(objects.begin(), objects.end());
  objects.erase(std::unique(objects.begin(), objects.end()), objects.end());
  record_catalogue(connection, objects, deadline);
}

void record_catalogue(pg::Connection& connection, const Lines& objects, Deadline deadline) {
  connection.exec(
      "INSERT INTO pantryd.catalogue_fingerprint AS c (algorithm, fingerprint, objects) "
      "VALUES ($1, $2, $3) ON CONFLICT (only_row) DO UPDATE SET algorithm = excluded.algorithm, "
      "fingerprint = excluded.fingerprint, objects = excluded.objects, objects_before_run = NULL, "
      "recorded_at = clock_timestamp(), recorded_by = session_user",
      pg::Params::of(fingerprint_algorithm(connection), fingerprint(objects), as_text(objects)),
      deadline);
}

void accept_catalogue(pg::Connection& connection, Deadline deadline) {
  record_catalogue(connection, read_catalogue(connection, deadline), deadline);
}

}  // namespace pantryd::migrate
