// Rows are compared by their values and not by how they are shown.
#include "loadgen/result/invariants.h"

#include <fmt/format.h>

#include <utility>

namespace pantryd::loadgen {
namespace {

bool is_null_boolean(const InvariantReading& reading) {
  return reading.is_boolean && !reading.values.front();
}

std::string why_unread(const InvariantReading& reading) {
  if (!reading.error.empty()) return reading.error;
  return is_null_boolean(reading) ? "it is NULL, which is neither true nor false" : "";
}

}  // namespace

bool InvariantReading::is_false() const {
  return is_boolean && values.front() == "f";
}

InvariantReading unread_invariant(std::string error) {
  InvariantReading out;
  out.error = std::move(error);
  return out;
}

InvariantResult::Outcome InvariantResult::outcome() const {
  if (before.is_false() || after.is_false()) return Outcome::broken;
  if (!why_unread(before).empty() || !why_unread(after).empty()) return Outcome::unread;
  return before.values == after.values ? Outcome::held : Outcome::broken;
}

std::string InvariantResult::sentence() const {
  switch (outcome()) {
    case Outcome::held:
      return fmt::format("The invariant \"{}\" held: {} before and after the load.", name,
                         before.shown);
    case Outcome::broken: {
      const auto shown = [](const InvariantReading& reading) {
        return reading.error.empty() ? reading.shown : "not read";
      };
      return fmt::format("The invariant \"{}\" is broken: {} before the load, {} after it.", name,
                         shown(before), shown(after));
    }
    case Outcome::unread:
      break;
  }
  const bool first = !why_unread(before).empty();
  return fmt::format("{}: the invariant \"{}\" could not be read {} the load: {}.", place, name,
                     first ? "before" : "after", why_unread(first ? before : after));
}

std::string_view to_string(InvariantResult::Outcome outcome) {
  switch (outcome) {
    case InvariantResult::Outcome::held:
      return "held";
    case InvariantResult::Outcome::broken:
      return "broken";
    case InvariantResult::Outcome::unread:
      return "unread";
  }
  return {};
}

}  // namespace pantryd::loadgen
