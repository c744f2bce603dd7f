// Users at once over their connections, without an error.
#include <fmt/format.h>

#include <algorithm>

#include "validate/check.h"
#include "validate/load_facts.h"

namespace pantryd::validate {
namespace {

struct Keys {
  std::int64_t at_least = 0;  ///< users, each with a connection
  double offered = 100;       ///< arrivals a second
};

Keys parse(YamlMap& map) {
  Keys out;
  out.at_least = map.require("at_least").as_integer(1, 1000);
  if (const auto offered = map.find("offered")) out.offered = offered->as_number(0.01, 1e6);
  return out;
}

LoadNeed load_of(const Keys& keys) {
  LoadNeed out;
  out.rate_per_s = keys.offered;
  out.users = out.connections = keys.at_least;
  return out;
}

Needs needs(const Keys& keys) {
  return {{load_of(keys)}, {}};
}

Judgement judge(const Keys& keys, const Evidence& evidence) {
  Judgement out;
  const auto* load = result_of(evidence, load_of(keys), out);
  if (load == nullptr) return out;
  const auto users = std::max(load->options.users, load->options.connections);
  const double share = error_share(*load);
  out.measured = fmt::format("{} users, {:.2f} % errors", users, share * 100);
  out.evidence.push_back(
      fmt::format("{} users over {} connections that stayed open; at most {} operations at a time",
                  users, load->options.connections, load->totals.users_peak));
  for (const auto& [code, error] : load->totals.errors) {
    out.evidence.push_back(fmt::format("{} x {}: {}", error.count, code, error.first_message));
  }
  add_outages(*load, out);
  if (load->stopped) {
    (void)excused(*load, out);
    return out;
  }
  const bool enough = users >= keys.at_least && load->options.connections >= keys.at_least;
  if (load->completed() == 0 || share > kErrorShareMax) {
    out.fail();
  } else if (enough) {
    out.pass();
  } else {
    out.inconclusive(Reason::not_tested);
  }
  return out;
}

}  // namespace

const Check* users_check() {
  static constexpr auto check = make_check<Keys, parse, needs, judge>("users");
  return &check;
}

}  // namespace pantryd::validate
