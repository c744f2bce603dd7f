// The queries of a probe as data. probes/engine/spec.h has the grammar of the file.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "probes/engine/probe_run.h"
#include "probes/engine/server_facts.h"

namespace pantryd::probes {

/// Values of the configuration that a probe's statements take as parameters.
struct ProbeParameters {
  std::int32_t statements_max = 100;
  std::int32_t relations_max = 1000;
  /// Of a name, or of a number as it is written. Throws std::out_of_range for a name that is not of
  /// the grammar.
  [[nodiscard]] std::int32_t value(const std::string& name) const;
};

/// Both ends included.
struct VersionRange {
  static constexpr int kEnd = 999'999;
  int min = 0;
  int max = kEnd;
  [[nodiscard]] bool contains(int version) const { return version >= min && version <= max; }
};

struct VersionedSql {
  VersionRange server;     ///< major versions
  VersionRange extension;  ///< versions of the probe's extension: 1.10 is 1010
  std::string text;        ///< @extschema@ stands for the schema of the probe's extension
};

/// Null when none is for this server and its extension `needed` (empty: none).
[[nodiscard]] const VersionedSql* variant_for(const std::vector<VersionedSql>& variants,
                                              const TargetFacts& facts, const std::string& needed);
/// The statement to send; nullopt when no variant is for this server.
[[nodiscard]] std::optional<std::string> sql_for(const std::vector<VersionedSql>& variants,
                                                 const TargetFacts& facts,
                                                 const std::string& needed);

enum class Rest { sum, max, min, none };

/// What becomes of rows with equal labels. lost: the first is exported, the others are counted.
enum class SameLabels { lost, max, min, sum, number };

struct MetricColumn {
  std::shared_ptr<const MetricInfo> metric;
  std::string column;
  Rest rest = Rest::sum;
  std::shared_ptr<const MetricInfo> total;  ///< may be null
  std::optional<SameLabels> same_labels;    ///< empty: that of the query
};

struct BoundSpec {
  std::string limit;  ///< name of a ProbeParameter, or a number
  std::vector<std::string> by;
  std::vector<std::string> keep;
  std::vector<std::string> entries;
};

struct QuerySpec {
  std::vector<VersionedSql> sql;
  std::vector<std::string> parameters;  ///< names of ProbeParameters, bound as $1, $2, ...
  std::vector<std::string> labels;
  std::vector<MetricColumn> metrics;
  std::string skipped;  ///< empty: no such column
  std::optional<BoundSpec> bound;
  SameLabels same_labels = SameLabels::lost;

  /// Its metrics, then their totals, which have no labels.
  [[nodiscard]] std::vector<MetricInfo> told() const;
};

}  // namespace pantryd::probes
