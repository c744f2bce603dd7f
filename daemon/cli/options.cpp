// The parser of command lines: Boost.Program_options splits the words into options, and the rows
// give each value its type. Whatever Boost throws leaves here as an Error that names the option.
#include "cli/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/program_options/options_description.hpp>
#include <boost/program_options/parsers.hpp>
#include <charconv>
#include <cmath>
#include <set>

#include "base/error.h"
#include "base/nearest.h"
#include "base/units.h"
#include "cli/option_bounds.h"

namespace pantryd::cli {
namespace {

namespace po = boost::program_options;
using Kind = Option::Kind;
using ValueMap = std::map<std::string, Values::Value, std::less<>>;

bool is_argument(const Option& option) {
  return option.kind == Kind::argument || option.kind == Kind::arguments;
}

bool takes_many(const Option& option) {
  return option.kind == Kind::texts || option.kind == Kind::arguments;
}

/// "--users", or "FILE" for an argument.
std::string shown(const Option& option) {
  return is_argument(option) ? std::string(option.value) : "--" + std::string(option.name);
}

[[noreturn]] void refuse(const Option& option, const std::string& word, const std::string& what,
                         const std::string& hint) {
  throw Error(ExitCode::usage, fmt::format("{} {} {}", shown(option), word, what), hint);
}

template <typename Number>
Number whole_text_as(const Option& option, const std::string& word, const char* what) {
  Number out{};
  const auto* end = word.data() + word.size();
  const auto [stop, error] = std::from_chars(word.data(), end, out);
  if (error == std::errc::result_out_of_range) {
    refuse(option, word, "is out of bounds", bounds_hint(option));
  }
  if (error != std::errc() || stop != end) refuse(option, word, what, bounds_hint(option));
  return out;
}

/// For a choice: the nearest word if there is one, else all of them.
std::string choice_hint(const Option& option, const std::string& word) {
  std::set<std::string> known;
  for (const auto each : choices(option)) known.emplace(each);
  const auto close = nearest(word, known);
  if (!close.empty()) return fmt::format("Did you mean {}?", close);
  return fmt::format("Choose one of: {}.", fmt::join(choices(option), ", "));
}

void take_word(const Option& option, const std::string& word, Values::Value& out) {
  if (option.kind == Kind::choice) {
    const auto words = choices(option);
    if (std::find(words.begin(), words.end(), word) == words.end()) {
      refuse(option, word, "is unknown", choice_hint(option, word));
    }
  } else if (option.kind == Kind::count) {
    out.integer = whole_text_as<std::int64_t>(option, word, "is not a whole number");
    out.real = static_cast<double>(out.integer);
  } else if (option.kind == Kind::number) {
    out.real = whole_text_as<double>(option, word, "is not a number");
  } else if (option.kind == Kind::duration) {
    const auto value = parse_duration(word);
    if (!value) {
      refuse(option, word, "is not a duration", "Write a number and a unit: 250ms, 30s, 5m, 2h.");
    }
    out.integer = value->count();
    out.real = static_cast<double>(out.integer);
  } else if (option.kind == Kind::size) {
    const auto value = parse_size_bytes(word);
    if (!value) {
      refuse(option, word, "is not a size", "Write a number and a unit: 512kB, 10MB, 1GB.");
    }
    out.integer = *value;
    out.real = static_cast<double>(out.integer);
  }
  if (has_bounds(option) && !(out.real >= option.bounds.least && out.real <= option.bounds.most)) {
    refuse(option, word, "is out of bounds", bounds_hint(option));
  }
  out.words.push_back(word);
}

const Option* find_option(const std::vector<Option>& options, std::string_view name) {
  const auto found = std::find_if(options.begin(), options.end(), [&](const Option& option) {
    return option.name == name && option.kind != Kind::command;
  });
  return found == options.end() ? nullptr : &*found;
}

[[noreturn]] void refuse_unknown(const std::vector<Option>& options, const std::string& name,
                                 const std::string& usage) {
  std::set<std::string> known{"--help"};
  for (const auto& option : options) {
    if (option.kind != Kind::command) known.insert("--" + std::string(option.name));
  }
  const auto close = nearest(name, known);
  throw Error(ExitCode::usage, fmt::format("unknown option {}", name),
              close.empty() ? usage : fmt::format("Did you mean {}?", close));
}

[[noreturn]] void refuse_without_value(const Option& option) {
  throw Error(ExitCode::usage, fmt::format("--{} needs a value", option.name),
              fmt::format("Write --{0} {1}, or --{0}={1} if the value begins with a dash.",
                          option.name, option.value));
}

/// Where Boost sees an option without its value, or with one that it does not take.
[[noreturn]] void refuse_syntax(const std::vector<Option>& options,
                                const po::error_with_option_name& error, const std::string& usage) {
  const auto name = error.get_option_name();
  const auto bare = name.substr(std::min(name.find_first_not_of('-'), name.size()));
  const auto* option = find_option(options, bare);
  if (option == nullptr) throw Error(ExitCode::usage, error.what(), usage);
  if (option->kind == Kind::flag) {
    throw Error(ExitCode::usage, fmt::format("{} takes no value", name),
                fmt::format("Write {} alone.", name));
  }
  refuse_without_value(*option);
}

/// The words before "--" as Boost splits them; those after it go to `rest`.
std::vector<po::option> split(const std::vector<Option>& options, std::vector<std::string> words,
                              const std::string& usage) {
  po::options_description described;
  for (const auto& option : options) {
    const std::string name(option.name);
    if (option.kind == Kind::flag) {
      described.add_options()(name.c_str(), "");
    } else if (takes_many(option)) {
      described.add_options()(name.c_str(), po::value<std::vector<std::string>>()->multitoken(),
                              "");
    } else if (option.kind != Kind::command) {
      described.add_options()(name.c_str(), po::value<std::string>(), "");
    }
  }
  const int style = po::command_line_style::unix_style & ~po::command_line_style::allow_guessing;
  try {
    return po::command_line_parser(std::move(words)).options(described).style(style).run().options;
  } catch (const po::unknown_option& error) {
    refuse_unknown(options, error.get_option_name(), usage);
  } catch (const po::error_with_option_name& error) {
    refuse_syntax(options, error, usage);
  } catch (const po::error& error) {
    throw Error(ExitCode::usage, error.what(), usage);
  }
}

/// True for "--NAME" and "--NAME=VALUE" of a row.
bool names_an_option(const std::vector<Option>& options, std::string_view word) {
  if (word.substr(0, 2) != "--") return false;
  return find_option(options, word.substr(2, word.find('=') - 2)) != nullptr;
}

/// The next argument row that has room for a word.
const Option* next_argument(const std::vector<Option>& options, const ValueMap& values) {
  for (const auto& option : options) {
    if (!is_argument(option)) continue;
    if (takes_many(option) || !values.at(std::string(option.name)).given) return &option;
  }
  return nullptr;
}

void take_all(const std::vector<Option>& options, const po::option& found, const std::string& usage,
              ValueMap& values) {
  const bool bare = found.position_key != -1;
  const auto* option =
      bare ? next_argument(options, values) : find_option(options, found.string_key);
  if (option == nullptr) {
    const auto word = found.value.empty() ? found.string_key : found.value.front();
    throw Error(ExitCode::usage, fmt::format("unexpected argument \"{}\"", word), usage);
  }
  auto& value = values.at(std::string(option->name));
  if (value.given && !takes_many(*option) && option->kind != Kind::flag) {
    throw Error(ExitCode::usage, fmt::format("{} is given twice", shown(*option)), "Give it once.");
  }
  value.given = true;
  // Boost takes the next word as the value even if it is an option.
  if (!bare && !takes_many(*option) && found.original_tokens.size() > 1 &&
      names_an_option(options, found.original_tokens[1])) {
    refuse_without_value(*option);
  }
  for (const auto& word : found.value) take_word(*option, word, value);
}

void take_defaults(const Option& option, const std::string& usage, Values::Value& value) {
  if (value.given) return;
  if (option.required) {
    throw Error(ExitCode::usage, fmt::format("{} is missing", shown(option)), usage);
  }
  if (!option.fallback.empty()) take_word(option, std::string(option.fallback), value);
}

}  // namespace

Values parse(const std::vector<Option>& options, const std::vector<std::string>& words,
             const std::string& usage) {
  ValueMap values;
  auto end = words.end();
  for (const auto& option : options) {
    auto& value = values[std::string(option.name)];
    value.kind = option.kind;
    if (option.kind != Kind::command) continue;
    end = std::find(words.begin(), words.end(), "--");
    value.given = end != words.end();
    if (value.given) value.words.assign(end + 1, words.end());
  }
  for (const auto& found : split(options, {words.begin(), end}, usage)) {
    take_all(options, found, usage, values);
  }
  for (const auto& option : options) {
    take_defaults(option, usage, values.at(std::string(option.name)));
  }
  return Values(std::move(values));
}

}  // namespace pantryd::cli
