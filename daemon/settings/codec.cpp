// Reads and writes the values of single keys. Bounds and choices come from the key's row.
#include "settings/codec.h"

#include <fmt/format.h>
#include <yaml-cpp/emitter.h>
#include <yaml-cpp/emittermanip.h>
#include <yaml-cpp/stlemitter.h>

#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/units.h"

namespace pantryd {
namespace {

constexpr std::size_t kLabelsMax = 32;
constexpr std::size_t kListensMax = 16;

template <typename Choice>
struct Word {
  const char* text;
  Choice choice;
};
constexpr std::array kResets{Word<pg::Reset>{"tracked", pg::Reset::tracked},
                             Word<pg::Reset>{"always", pg::Reset::always},
                             Word<pg::Reset>{"never", pg::Reset::never}};
constexpr std::array kPrepared{Word<pg::Prepared>{"automatic", pg::Prepared::automatic},
                               Word<pg::Prepared>{"named", pg::Prepared::named},
                               Word<pg::Prepared>{"unnamed", pg::Prepared::unnamed}};

template <typename Choice, std::size_t size>
std::vector<std::string> texts_of(const std::array<Word<Choice>, size>& words) {
  std::vector<std::string> out;
  for (const auto& word : words) out.emplace_back(word.text);
  return out;
}

template <typename Choice, std::size_t size>
Choice choice_of(const std::array<Word<Choice>, size>& words, const YamlValue& value) {
  const auto text = value.as_choice(texts_of(words));
  for (const auto& word : words) {
    if (text == word.text) return word.choice;
  }
  return words.front().choice;
}

template <typename Choice, std::size_t size>
std::string word_of(const std::array<Word<Choice>, size>& words, Choice choice) {
  for (const auto& word : words) {
    if (word.choice == choice) return word.text;
  }
  return {};
}

std::string list_text(const std::vector<std::string>& texts) {
  std::string out;
  for (const auto& text : texts) out += (out.empty() ? "" : ", ") + quoted(text);
  return "[" + out + "]";
}

}  // namespace

std::vector<std::string> words_of(pg::Reset) {
  return texts_of(kResets);
}
std::vector<std::string> words_of(pg::Prepared) {
  return texts_of(kPrepared);
}

std::string quoted(const std::string& text) {
  YAML::Emitter out;
  out << YAML::DoubleQuoted << text;
  return out.c_str();
}

void Codec<bool>::read(bool& out, const YamlValue& value, const KeyInfo&) {
  out = value.as_boolean();
}
std::string Codec<bool>::text(const bool& value) {
  return value ? "true" : "false";
}

void Codec<std::int32_t>::read(std::int32_t& out, const YamlValue& value, const KeyInfo& key) {
  out = static_cast<std::int32_t>(value.as_integer(static_cast<std::int64_t>(key.least_value),
                                                   static_cast<std::int64_t>(key.most_value)));
}
std::string Codec<std::int32_t>::text(const std::int32_t& value) {
  return std::to_string(value);
}

void Codec<double>::read(double& out, const YamlValue& value, const KeyInfo& key) {
  out = value.as_number(key.least_value, key.most_value);
}
std::string Codec<double>::text(const double& value) {
  return fmt::format("{}", value);
}

void Codec<Milliseconds>::read(Milliseconds& out, const YamlValue& value, const KeyInfo& key) {
  const auto time = value.as_duration();
  const auto ms = static_cast<double>(time.count());
  if (ms < key.least_value || ms > key.most_value) {
    throw value.error(fmt::format("{} must be from {} to {}, and is {}", key.name, key.least,
                                  key.most, value.as_text()));
  }
  out = time;
}
std::string Codec<Milliseconds>::text(const Milliseconds& value) {
  return exact_duration(value);
}

void read_tarn(Milliseconds& out, const YamlValue& value, const KeyInfo& key) {
  try {
    out = Milliseconds(value.as_integer(static_cast<std::int64_t>(key.least_value),
                                        static_cast<std::int64_t>(key.most_value)));
  } catch (const Error& error) {
    throw Error(error.code(), error.what(),
                fmt::format("{} is in milliseconds. The key {} takes a unit: {}: 30s.", key.tarn,
                            key.name, key.name));
  }
}

void Codec<std::string>::read(std::string& out, const YamlValue& value, const KeyInfo& key) {
  out = key.choices.empty() ? value.as_text() : value.as_choice(key.choices);
}
std::string Codec<std::string>::text(const std::string& value) {
  return quoted(value);
}

void Codec<std::filesystem::path>::read(std::filesystem::path& out, const YamlValue& value,
                                        const KeyInfo&) {
  out = value.as_text();
}
std::string Codec<std::filesystem::path>::text(const std::filesystem::path& value) {
  return quoted(value.string());
}

void Codec<std::vector<std::string>>::read(std::vector<std::string>& out, const YamlValue& value,
                                           const KeyInfo&) {
  out = value.as_texts();
}
std::string Codec<std::vector<std::string>>::text(const std::vector<std::string>& value) {
  return list_text(value);
}

void Codec<PlacedName>::read(PlacedName& out, const YamlValue& value, const KeyInfo&) {
  out = {value.as_text(), value.place()};
}
std::string Codec<PlacedName>::text(const PlacedName& value) {
  return quoted(value.text);
}

void Codec<std::vector<PlacedName>>::read(std::vector<PlacedName>& out, const YamlValue& value,
                                          const KeyInfo&) {
  out.clear();
  for (const auto& item : value.as_list()) out.emplace_back(item.as_text(), item.place());
}
std::string Codec<std::vector<PlacedName>>::text(const std::vector<PlacedName>& value) {
  std::vector<std::string> texts;
  for (const auto& name : value) texts.push_back(name.text);
  return list_text(texts);
}

void Codec<LabelMap>::read(LabelMap& out, const YamlValue& value, const KeyInfo&) {
  auto map = value.as_map();
  out.clear();
  for (const auto& [name, label] : map.entries()) out[name] = label.as_any_text();
  map.done();
  if (out.size() > kLabelsMax) {
    throw value.error(fmt::format("more than {} entries", kLabelsMax));
  }
}
std::string Codec<LabelMap>::text(const LabelMap& value) {
  std::string out;
  for (const auto& [name, label] : value) {
    out += fmt::format("{}{}: {}", out.empty() ? "" : ", ", quoted(name), quoted(label));
  }
  return "{" + out + "}";
}

void Codec<ListenList>::read(ListenList& out, const YamlValue& value, const KeyInfo& key) {
  const auto items = value.is_list() ? value.as_list() : std::vector<YamlValue>{value};
  if (items.empty() || items.size() > kListensMax) {
    throw value.error(fmt::format("{} must have 1 to {} addresses", key.name, kListensMax));
  }
  out.all.clear();
  for (const auto& item : items) {
    try {
      const auto listen = Listen::parse(item.as_text());
      if (std::find(out.all.begin(), out.all.end(), listen) != out.all.end()) {
        throw Error(ExitCode::usage, fmt::format("{} is listed twice", listen.text()));
      }
      out.all.push_back(listen);
    } catch (const Error& error) {
      const bool placed = std::string_view(error.what()).starts_with(item.place());
      throw placed ? error : item.error(error.what(), error.hint());
    }
  }
}
std::string Codec<ListenList>::text(const ListenList& value) {
  std::vector<std::string> texts;
  for (const auto& listen : value.all) texts.push_back(listen.text());
  return texts.size() == 1 ? pantryd::quoted(texts.front()) : list_text(texts);
}

void Codec<pg::Conninfo>::read(pg::Conninfo& out, const YamlValue& value, const KeyInfo&) {
  try {
    out = pg::Conninfo::parse(value.as_text());
  } catch (const Error& error) {
    throw value.error(error.what(), error.hint());
  }
}
std::string Codec<pg::Conninfo>::text(const pg::Conninfo& value) {
  const auto masked = value.masked();
  return quoted(masked.empty() ? "postgresql://" : masked);
}

void Codec<pg::Reset>::read(pg::Reset& out, const YamlValue& value, const KeyInfo&) {
  out = choice_of(kResets, value);
}
std::string Codec<pg::Reset>::text(const pg::Reset& value) {
  return word_of(kResets, value);
}

void Codec<pg::Prepared>::read(pg::Prepared& out, const YamlValue& value, const KeyInfo&) {
  out = choice_of(kPrepared, value);
}
std::string Codec<pg::Prepared>::text(const pg::Prepared& value) {
  return word_of(kPrepared, value);
}

}  // namespace pantryd
