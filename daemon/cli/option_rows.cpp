// The rows of options, the text of their bounds, and the typed values that commands read.
#include <fmt/format.h>

#include <cmath>

#include "base/assert.h"
#include "base/units.h"
#include "cli/option_bounds.h"
#include "cli/options.h"

namespace pantryd::cli {
namespace {

using Kind = Option::Kind;
using std::chrono::milliseconds;

std::string bound_text(Kind kind, double bound) {
  switch (kind) {
    case Kind::duration:
      return format_duration(milliseconds(static_cast<std::int64_t>(bound)));
    case Kind::size:
      return format_bytes(static_cast<std::int64_t>(bound));
    case Kind::count:
      return fmt::format("{:.0f}", bound);
    default:
      return fmt::format("{}", bound);
  }
}

}  // namespace

Option flag(std::string_view name, std::string_view help) {
  return {.kind = Kind::flag, .name = name, .help = help};
}

Option text(std::string_view name, std::string_view value, std::string_view fallback,
            std::string_view help) {
  return {.kind = Kind::text, .name = name, .value = value, .fallback = fallback, .help = help};
}

Option texts(std::string_view name, std::string_view value, std::string_view help) {
  return {.kind = Kind::texts, .name = name, .value = value, .help = help};
}

Option choice(std::string_view name, std::string_view words, std::string_view fallback,
              std::string_view help) {
  return {.kind = Kind::choice, .name = name, .value = words, .fallback = fallback, .help = help};
}

Option count(std::string_view name, std::string_view value, std::string_view fallback,
             Bounds bounds, std::string_view help) {
  return {.kind = Kind::count,
          .name = name,
          .value = value,
          .fallback = fallback,
          .help = help,
          .bounds = bounds};
}

Option number(std::string_view name, std::string_view value, std::string_view fallback,
              Bounds bounds, std::string_view help) {
  auto out = count(name, value, fallback, bounds, help);
  out.kind = Kind::number;
  return out;
}

Option duration(std::string_view name, std::string_view fallback, milliseconds least,
                milliseconds most, std::string_view help) {
  Bounds bounds{.least = static_cast<double>(least.count())};
  if (most != kNoLimit) bounds.most = static_cast<double>(most.count());
  auto out = count(name, "TIME", fallback, bounds, help);
  out.kind = Kind::duration;
  return out;
}

Option size(std::string_view name, std::string_view fallback, Bounds bytes, std::string_view help) {
  auto out = count(name, "SIZE", fallback, bytes, help);
  out.kind = Kind::size;
  return out;
}

Option argument(std::string_view name, std::string_view value, std::string_view help) {
  return {.kind = Kind::argument, .name = name, .value = value, .help = help};
}

Option arguments(std::string_view name, std::string_view value, std::string_view help) {
  return {.kind = Kind::arguments, .name = name, .value = value, .help = help};
}

Option pass_through(std::string_view value, std::string_view help) {
  return {.kind = Kind::command, .name = "--", .value = value, .help = help};
}

Option required(Option option) {
  option.required = true;
  return option;
}

std::vector<Option> concat(std::initializer_list<std::vector<Option>> lists) {
  std::vector<Option> out;
  for (const auto& list : lists) out.insert(out.end(), list.begin(), list.end());
  return out;
}

std::vector<std::string_view> choices(const Option& option) {
  std::vector<std::string_view> out;
  for (std::size_t at = 0; at <= option.value.size();) {
    const auto end = std::min(option.value.find('|', at), option.value.size());
    out.push_back(option.value.substr(at, end - at));
    at = end + 1;
  }
  return out;
}

bool has_bounds(const Option& option) {
  return option.kind == Kind::count || option.kind == Kind::number ||
         option.kind == Kind::duration || option.kind == Kind::size;
}

std::string bounds_text(const Option& option) {
  if (!has_bounds(option)) return "";
  const auto least = bound_text(option.kind, option.bounds.least);
  if (std::isinf(option.bounds.most)) return least + " or more";
  return fmt::format("from {} to {}", least, bound_text(option.kind, option.bounds.most));
}

std::string bounds_hint(const Option& option) {
  const char* what = option.kind == Kind::count      ? "a whole number"
                     : option.kind == Kind::number   ? "a number"
                     : option.kind == Kind::duration ? "a duration"
                                                     : "a size";
  return fmt::format("Write {}{} {}.", what, std::isinf(option.bounds.most) ? "," : "",
                     bounds_text(option));
}

const Values::Value& Values::at(std::string_view name) const {
  const auto found = values_.find(name);
  PANTRYD_ASSERT(found != values_.end());
  return found->second;
}

bool Values::given(std::string_view name) const {
  return at(name).given;
}

bool Values::flag(std::string_view name) const {
  const auto& value = at(name);
  PANTRYD_ASSERT(value.kind == Kind::flag);
  return value.given;
}

const std::string& Values::text(std::string_view name) const {
  static const std::string absent;
  const auto& value = at(name);
  PANTRYD_ASSERT(value.kind == Kind::text || value.kind == Kind::choice ||
                 value.kind == Kind::argument);
  return value.words.empty() ? absent : value.words.front();
}

const std::vector<std::string>& Values::texts(std::string_view name) const {
  const auto& value = at(name);
  PANTRYD_ASSERT(value.kind == Kind::texts || value.kind == Kind::arguments ||
                 value.kind == Kind::command);
  return value.words;
}

std::int64_t Values::count(std::string_view name) const {
  const auto& value = at(name);
  PANTRYD_ASSERT(value.kind == Kind::count && !value.words.empty());
  return value.integer;
}

double Values::number(std::string_view name) const {
  const auto& value = at(name);
  PANTRYD_ASSERT(value.kind == Kind::number && !value.words.empty());
  return value.real;
}

milliseconds Values::duration(std::string_view name) const {
  const auto& value = at(name);
  PANTRYD_ASSERT(value.kind == Kind::duration && !value.words.empty());
  return milliseconds(value.integer);
}

std::int64_t Values::bytes(std::string_view name) const {
  const auto& value = at(name);
  PANTRYD_ASSERT(value.kind == Kind::size && !value.words.empty());
  return value.integer;
}

}  // namespace pantryd::cli
