// Converts the text form of values; a value of another type is an error that names its column.
#include "pg/result.h"

#include <fmt/format.h>
#include <libpq-fe.h>

#include <charconv>
#include <cmath>
#include <limits>

#include "base/error.h"

namespace pantryd::pg {

Params& Params::push_text(std::string text) {
  return push(std::move(text));
}

Params& Params::add(double value) {
  return push(fmt::format("{}", value));
}

Result::Result(pg_result* owned) : result_(owned, &PQclear) {}

int Result::rows() const {
  return PQntuples(result_.get());
}
int Result::columns() const {
  return PQnfields(result_.get());
}

std::string Result::column_name(int column) const {
  const char* name = PQfname(result_.get(), column);
  return name != nullptr ? name : "";
}

std::uint32_t Result::column_type(int column) const {
  return PQftype(result_.get(), column);
}

int Result::column(const std::string& name) const {
  for (int i = 0; i < columns(); ++i) {
    if (name == PQfname(result_.get(), i)) return i;
  }
  return -1;
}

bool Result::is_null(int row, int column) const {
  return row >= rows() || column < 0 || column >= columns() ||
         PQgetisnull(result_.get(), row, column) != 0;
}

std::string_view Result::text(int row, int column) const {
  if (is_null(row, column)) return {};
  return {PQgetvalue(result_.get(), row, column),
          static_cast<std::size_t>(PQgetlength(result_.get(), row, column))};
}

std::int64_t Result::i64(int row, int column) const {
  const auto value = text(row, column);
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (value.empty() || error != std::errc{} || end != value.data() + value.size()) {
    throw Error(ExitCode::failed,
                fmt::format("column {} of the answer is not an integer", column_name(column)));
  }
  return number;
}

double Result::f64(int row, int column) const {
  const auto value = text(row, column);
  if (value == "NaN") return std::nan("");
  if (value == "Infinity") return std::numeric_limits<double>::infinity();
  if (value == "-Infinity") return -std::numeric_limits<double>::infinity();
  if (value == "t") return 1;
  if (value == "f") return 0;
  double number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (value.empty() || error != std::errc{} || end != value.data() + value.size()) {
    throw Error(ExitCode::failed,
                fmt::format("column {} of the answer is not a number", column_name(column)));
  }
  return number;
}

bool Result::boolean(int row, int column) const {
  const auto value = text(row, column);
  if (value != "t" && value != "f") {
    throw Error(ExitCode::failed,
                fmt::format("column {} of the answer is not a boolean", column_name(column)));
  }
  return value == "t";
}

std::optional<std::string> Result::maybe_text(int row, int column) const {
  if (is_null(row, column)) return std::nullopt;
  return std::string(text(row, column));
}

std::optional<double> Result::maybe_f64(int row, int column) const {
  if (is_null(row, column)) return std::nullopt;
  return f64(row, column);
}

std::optional<std::int64_t> Result::maybe_i64(int row, int column) const {
  if (is_null(row, column)) return std::nullopt;
  return i64(row, column);
}

std::string Result::command() const {
  return PQcmdStatus(result_.get());
}

std::int64_t Result::affected() const {
  const std::string_view count = PQcmdTuples(result_.get());
  std::int64_t number = 0;
  std::from_chars(count.data(), count.data() + count.size(), number);
  return number;
}

bool Result::failed() const {
  if (!result_) return true;
  switch (PQresultStatus(result_.get())) {
    case PGRES_EMPTY_QUERY:
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
    case PGRES_SINGLE_TUPLE:
    case PGRES_COPY_IN:
    case PGRES_COPY_OUT:
    case PGRES_COPY_BOTH:
    case PGRES_PIPELINE_SYNC:
      return false;
    default:
      return true;
  }
}

std::string Result::sqlstate() const {
  const char* code = PQresultErrorField(result_.get(), PG_DIAG_SQLSTATE);
  return code != nullptr ? code : "";
}

std::string Result::error_message() const {
  const char* primary = PQresultErrorField(result_.get(), PG_DIAG_MESSAGE_PRIMARY);
  return one_line(primary != nullptr ? primary : PQresultErrorMessage(result_.get()));
}

std::string Result::error_hint() const {
  const char* hint = PQresultErrorField(result_.get(), PG_DIAG_MESSAGE_HINT);
  return hint != nullptr ? one_line(hint) : std::string();
}

bool Result::plan_is_stale() const {
  // The message is translated by lc_messages, the function's name is not (plancache.c).
  const char* function = PQresultErrorField(result_.get(), PG_DIAG_SOURCE_FUNCTION);
  return sqlstate() == "0A000" && function != nullptr &&
         std::string_view(function) == "RevalidateCachedQuery";
}

}  // namespace pantryd::pg
