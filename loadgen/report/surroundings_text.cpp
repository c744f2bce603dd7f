// What nobody looked at is said to be unknown, and never counted as none.
#include "loadgen/report/surroundings_text.h"

#include <fmt/format.h>

#include <algorithm>

namespace pantryd::loadgen {
namespace {

constexpr std::size_t kNamesShown = 6;
constexpr std::size_t kEventsShown = 12;

std::string sessions_text(const std::vector<SeenSessions>& sessions) {
  std::string out;
  for (std::size_t i = 0; i < std::min(kNamesShown, sessions.size()); ++i) {
    const auto& each = sessions[i];
    out += fmt::format("{}{} {} in {} looks", i > 0 ? ", " : "",
                       each.name.empty() ? "(no name)" : each.name, each.most, each.looks);
  }
  if (sessions.size() > kNamesShown) {
    out += fmt::format(", and {} more names", sessions.size() - kNamesShown);
  }
  return out;
}

std::string others_line(const Surroundings& seen) {
  if (seen.others_most == 0) {
    return fmt::format("other sessions in the database: none in {} looks", seen.looks);
  }
  auto out = fmt::format(
      "other sessions in the database: at most {}, at work in {:.0f} % of {} "
      "looks: {}",
      seen.others_most, 100 * seen.work_share(), seen.looks, sessions_text(seen.others));
  if (seen.hidden_most > 0) {
    out += fmt::format("; the state of {} is hidden from this role", seen.hidden_most);
  }
  return out;
}

void add_events(const Surroundings& seen, std::vector<std::string>& out) {
  for (std::size_t i = 0; i < std::min(kEventsShown, seen.events.size()); ++i) {
    const auto& each = seen.events[i];
    const auto what = each.kind == "settings" ? "settings changed: " + each.text : each.text;
    out.push_back(
        fmt::format("at {:.0f} s{} {}", each.at_s, each.at_s < 0 ? " (warm-up)" : "", what));
  }
  if (seen.events.size() > kEventsShown) {
    out.push_back(fmt::format("and {} events more", seen.events.size() - kEventsShown));
  }
  if (seen.events.empty()) {
    out.emplace_back("no restart, no reload and no change of a setting was seen");
  }
}

}  // namespace

std::string warm_up_text(const LoadResult& result) {
  const auto& warm_up = result.warm_up;
  if (!warm_up.until_steady) return fmt::format("{:.1f} s, as given", warm_up.lasted_s);
  if (!warm_up.limit_reached) {
    return fmt::format("{:.1f} s, until steady. {}", warm_up.lasted_s, warm_up.text);
  }
  return fmt::format("{:.1f} s, which is its limit. {}", warm_up.lasted_s, warm_up.text);
}

std::vector<std::string> surroundings_lines(const LoadResult& result) {
  const auto& seen = result.evidence.surroundings;
  if (seen.looks == 0) {
    return {"nobody looked at the server meanwhile, so what else happened there is unknown"};
  }
  std::vector<std::string> out{others_line(seen)};
  add_events(seen, out);
  if (seen.checkpoints_timed && seen.checkpoints_requested) {
    out.push_back(fmt::format("checkpoints: {:.0f} timed, {:.0f} requested",
                              *seen.checkpoints_timed, *seen.checkpoints_requested));
  } else {
    out.emplace_back("checkpoints: could not be read");
  }
  out.push_back(seen.vacuums.empty() ? fmt::format("autovacuum: no worker in {} looks", seen.looks)
                                     : fmt::format("autovacuum: {}", sessions_text(seen.vacuums)));
  return out;
}

}  // namespace pantryd::loadgen
