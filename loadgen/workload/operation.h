// One kind of operation of a workload, compiled: its variables, its steps and what it may do.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "loadgen/workload/retry_policy.h"
#include "loadgen/workload/statement_kind.h"

namespace pantryd::loadgen {

/// A variable holds text as PostgreSQL reads it, or NULL.
using VariableId = int;

/// `$name` (it holds a value) or `$name = text`.
struct Condition {
  VariableId variable = -1;
  std::optional<std::string> equals;
};

struct Generator {
  enum class Kind {
    literal,         ///< texts[0]
    choice,          ///< one of texts, with `weights`
    integer,         ///< low..high
    money,           ///< low..high in cents
    exponential,     ///< a number, by an exponential distribution whose mean is `share`
    uuid,            ///< a fresh one
    product_id,      ///< of the dataset, by popularity with `skew`
    product_ids,     ///< low..high different ones as a uuid[], sorted; or a basket of `share` on
                     ///< average, log-normal, when high is 0
    barcode,         ///< of the dataset, as product_id
    category,        ///< of the dataset
    search_pattern,  ///< '%milk%'; a share `misses` finds nothing
    customer_phone,  ///< of the dataset, regular customers first, with `skew`
    customer_name,
    user_id,
    sale_id,  ///< of the dataset, the newest share `recent` most
    debt_id,  ///< likewise
    mpesa_code,
    days_ago,  ///< a date, low..high days before the dataset's end
  };
  Kind kind = Kind::literal;
  std::vector<std::string> texts;
  std::vector<double> weights;
  std::int64_t low = 0;
  std::int64_t high = 0;
  double skew = 0;
  double share = 0;               ///< misses, recent, or a mean
  std::optional<Condition> when;  ///< else NULL

  /// True for what is drawn from the seeded rows.
  [[nodiscard]] bool needs_dataset() const;
};

struct Variable {
  std::string name;                    ///< empty for a value written in place
  std::optional<Generator> generator;  ///< none: a step captures it, or it counts repetitions
};

struct Capture {
  VariableId variable = -1;
  std::string column;
  std::string place;  ///< FILE:LINE:COLUMN
};

struct Step {
  std::string sql;
  int number = 0;      ///< in the file, from 1; 0: BEGIN and COMMIT of a transaction
  int statement = -1;  ///< index into Workload::statements
  StatementKind kind = StatementKind::plain;
  std::vector<VariableId> params;
  std::vector<Capture> captures;  ///< from the first row; NULL when there is none
  std::optional<Condition> when;
  std::optional<std::pair<std::int64_t, std::int64_t>> expect_rows;  ///< inclusive
  std::string expect_place;                                          ///< FILE:LINE:COLUMN
  /// In pipelined mode: this step needs a value that an earlier one of the same batch captures,
  /// so a new round trip begins before it.
  bool starts_batch = false;
  bool starts_batch_again = false;  ///< the same in every repetition but the first
  /// BEGIN or COMMIT. An operation that sends nothing else has done nothing.
  bool only_frames = false;
};

/// Steps that run several times in an operation. They are in the list of all steps once.
struct Repeat {
  std::size_t first = 0, end = 0;  ///< of Operation::steps, `end` excluded
  std::int64_t least = 1, most = 1;
  VariableId from = 0, to = 0;  ///< variables that are its own, `to` excluded: each repetition
                                ///< draws them again
  VariableId number = -1;       ///< of them: 1 in the first repetition, then 2; -1: not asked for
  bool captures = false;        ///< one of its steps does
};

struct Operation {
  std::string name;
  double weight = 0;
  std::optional<std::chrono::microseconds> slo_p99;
  bool transaction = false;
  /// SQLSTATEs by which the database turns an operation down as it should (the last piece is gone):
  /// rolled back and done, and counted as refused.
  std::vector<std::string> refusals;
  RetryPolicy retries;
  std::vector<Variable> variables;
  std::vector<Step> steps;      ///< with BEGIN and COMMIT, when it is a transaction
  std::vector<Repeat> repeats;  ///< in the order of their steps; none inside of another
};

}  // namespace pantryd::loadgen
