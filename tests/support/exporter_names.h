// The names of postgres_exporter, an API that dashboards and rules of others lean on.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace pantryd::testing_support {

/// The current one, 0.20, is not packaged: its families, by its documentation and source,
/// under the labels that they carry. Statements have tests of their own.
extern const std::map<std::string, std::vector<std::string>> kExporterNames;

}  // namespace pantryd::testing_support
