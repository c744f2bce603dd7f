// A header is a list of items with parameters; an item that cannot be read weighs nothing.
#include "serve/http/negotiate.h"

#include <algorithm>
#include <cstdlib>
#include <string>

namespace pantryd {
namespace {

std::string_view trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (auto& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

/// The part of `rest` before the next `mark`, which is taken away with it.
std::string_view next(std::string_view& rest, char mark) {
  const auto end = std::min(rest.find(mark), rest.size());
  const auto out = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return trimmed(out);
}

double weight_of(std::string_view text) {
  const std::string number(text);
  char* end = nullptr;
  const double weight = std::strtod(number.c_str(), &end);
  const bool valid = !number.empty() && *end == '\0' && weight >= 0 && weight <= 1;
  return valid ? weight : 0;
}

struct Item {
  std::string name;     ///< in lower case
  std::string version;  ///< the parameter of that name
  double weight = 1;
};

template <typename Use>
void each_item(std::string_view list, const Use& use) {
  while (!list.empty()) {
    auto text = next(list, ',');
    if (text.empty()) continue;
    Item item;
    item.name = lower(next(text, ';'));
    while (!text.empty()) {
      auto parameter = next(text, ';');
      const auto key = lower(next(parameter, '='));
      auto value = trimmed(parameter);
      if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
        value = value.substr(1, value.size() - 2);
      }
      if (key == "q") item.weight = weight_of(value);
      if (key == "version") item.version = value;
    }
    use(item);
  }
}

}  // namespace

bool prefers_openmetrics(std::string_view accept) {
  double openmetrics = 0;
  double text = 0;
  each_item(accept, [&](const Item& item) {
    if (item.name == "application/openmetrics-text") {
      const bool ours = item.version.empty() || item.version == "1.0.0";
      if (ours) openmetrics = std::max(openmetrics, item.weight);
    } else if (item.name == "text/plain" || item.name == "text/*" || item.name == "*/*") {
      text = std::max(text, item.weight);
    }
  });
  return openmetrics > 0 && openmetrics >= text;
}

bool prefers_gzip(std::string_view accept_encoding) {
  constexpr double kUnnamed = -1;
  double gzip = kUnnamed;
  double identity = kUnnamed;
  double any = kUnnamed;
  each_item(accept_encoding, [&](const Item& item) {
    if (item.name == "gzip" || item.name == "x-gzip") gzip = item.weight;
    if (item.name == "identity") identity = item.weight;
    if (item.name == "*") any = item.weight;
  });
  const double wanted = gzip >= 0 ? gzip : any;
  return wanted > 0 && wanted >= identity;
}

}  // namespace pantryd
