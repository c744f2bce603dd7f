// The words of which the rows in keys/*.def are made, and the list of all keys.
#include "settings/keys.h"

#include <fmt/format.h>

#include "base/assert.h"
#include "base/units.h"
#include "settings/rows.h"

namespace pantryd {

KeyRules KeyRules::about(std::string sentences) const {
  auto out = *this;
  out.help = std::move(sentences);
  return out;
}

KeyRules KeyRules::also(std::string tarn_name) const {
  auto out = *this;
  out.tarn = std::move(tarn_name);
  return out;
}

KeyRules KeyRules::yields(std::string words) const {
  auto out = *this;
  out.yields_to = std::move(words);
  return out;
}

KeyRules KeyRules::items(std::string noun) const {
  auto out = *this;
  out.item = std::move(noun);
  return out;
}

namespace keys {
namespace {

KeyRules bounds(double least, double most, std::string least_text, std::string most_text) {
  PANTRYD_ASSERT(least <= most);
  KeyRules out;
  out.least_value = least;
  out.most_value = most;
  out.least = std::move(least_text);
  out.most = std::move(most_text);
  return out;
}

}  // namespace

KeyRules about(std::string sentences) {
  return KeyRules{}.about(std::move(sentences));
}

KeyRules example(std::string value) {
  KeyRules out;
  out.example = std::move(value);
  return out;
}

KeyRules required(std::string value) {
  auto out = example(std::move(value));
  out.required = true;
  return out;
}

KeyRules between(std::int32_t least, std::int32_t most) {
  return bounds(least, most, std::to_string(least), std::to_string(most));
}

KeyRules between(double least, double most) {
  return bounds(least, most, fmt::format("{}", least), fmt::format("{}", most));
}

KeyRules between(std::chrono::milliseconds least, std::chrono::milliseconds most) {
  return bounds(static_cast<double>(least.count()), static_cast<double>(most.count()),
                exact_duration(least), exact_duration(most));
}

KeyRules one_of(std::vector<std::string> choices) {
  KeyRules out;
  out.choices = std::move(choices);
  return out;
}

}  // namespace keys

std::vector<KeyInfo> key_list() {
  return infos<Settings>();
}

}  // namespace pantryd
