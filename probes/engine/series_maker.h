// What the answers of a probe's queries become: series, bounded and with the rules of the probe's
// file for rows whose labels are equal. Private to run.cpp.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "pg/result.h"
#include "probes/engine/exposition.h"
#include "probes/engine/run.h"

namespace pantryd::probes {

class SeriesMaker {
 public:
  /// All of them must outlive it. `run` gets rows, errors and samples at once, the families at the
  /// end.
  SeriesMaker(const ProbeSpec& spec, const TargetFacts& facts, const RunOptions& options,
              ProbeRun& run);

  /// The answer of one of the probe's queries. Throws Error when a label has no column.
  void add(std::size_t query, const pg::Result& result, Bounder* bounder);
  void finish() { run_.families = page_.take(); }

 private:
  /// Where in the answer a query's columns are; -1: it has no such column.
  struct Columns {
    std::vector<int> labels;
    std::vector<int> metrics;
    std::vector<int> by;
    std::vector<int> entries;
    int skipped = -1;
    std::string missing;  ///< names, for the error
  };
  struct Answer {
    const QuerySpec& query;
    const Columns& columns;
    const pg::Result& result;
    int rows = 0;
  };

  [[nodiscard]] Columns find_columns(const QuerySpec& query, const pg::Result& result) const;
  [[nodiscard]] Labels labels_of(const Answer& answer, int row) const;
  void add_all(const Answer& answer);
  void add_row(const Answer& answer, int row, const std::string& rendered,
               const std::vector<int>& twins);
  void add_value(const std::shared_ptr<const MetricInfo>& metric, const Labels& labels,
                 const std::string& rendered, double value);
  void add_histogram(const MetricColumn& metric, int column, const pg::Result& result, int row,
                     const std::string& rendered);
  void add_bounded(const Answer& answer, Bounder& bounder, const std::string& name);
  [[nodiscard]] std::vector<BoundRow> bound_rows(const Answer& answer) const;
  [[nodiscard]] std::int32_t limit_of(const QuerySpec& query, const std::string& name,
                                      std::size_t rows) const;

  const ProbeSpec& spec_;
  const TargetFacts& facts_;
  const RunOptions& options_;
  const std::string database_;  ///< of a probe of scope database, as the target's own spells it
  ProbeRun& run_;
  Exposition page_;
};

}  // namespace pantryd::probes
