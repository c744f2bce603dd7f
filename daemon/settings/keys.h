// Every key of the configuration file as data. One row a key, in keys/SECTION.def:
//
//   KEY(type, field, default, rules)
//
// The row makes the field of the section's struct, the parser, `config show`, config/pantryd.yaml,
// docs/configuration.md and equality; a default is written nowhere else. The rules are a chain of
// the functions below, such as between(1, 64).about("What it means, and why one would change it.").
//
// To add a key: 1. add its row; 2. read the field where it takes effect. Then write the two
// generated files again (`pantryd config show --template` and `--markdown`). A type that no row has
// yet needs a Codec in codec.h. To add a section: a file keys/SECTION.def, a struct in settings.h,
// a function rows_of() in rows.h and sections.cpp, and a row in the section above it. A section may
// be nested, optional, or an item of a list; a map of labels is a type of its own. A key comes
// together with what uses it: a key without effect must not be accepted.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace pantryd {

/// What a row says besides its type, field and default.
struct KeyRules {
  std::string help;       ///< sentences
  std::string example;    ///< a value for the generated file, where there is no default
  bool required = false;  ///< the file must have it
  std::string least;      ///< bounds as they are written; both or none
  std::string most;
  double least_value = 0;  ///< the same as numbers; of a duration: milliseconds
  double most_value = 0;
  std::vector<std::string> choices;  ///< all that are valid; empty: any
  std::string tarn;                  ///< name in tarn.js or Knex; there it is in milliseconds
  std::string yields_to;             ///< what replaces the default: "or max if that is less"
  std::string item;                  ///< what an item of a list is called: "target"

  [[nodiscard]] KeyRules about(std::string sentences) const;
  [[nodiscard]] KeyRules also(std::string tarn_name) const;
  [[nodiscard]] KeyRules yields(std::string words) const;
  [[nodiscard]] KeyRules items(std::string noun) const;
};

/// The words of a row.
namespace keys {
[[nodiscard]] KeyRules about(std::string sentences);
[[nodiscard]] KeyRules example(std::string value);
/// A key that the file must have; `value` is an example.
[[nodiscard]] KeyRules required(std::string value = {});
[[nodiscard]] KeyRules between(std::int32_t least, std::int32_t most);
[[nodiscard]] KeyRules between(double least, double most);
[[nodiscard]] KeyRules between(std::chrono::milliseconds least, std::chrono::milliseconds most);
[[nodiscard]] KeyRules one_of(std::vector<std::string> choices);
}  // namespace keys

enum class KeyShape { value, section, list };

struct KeyInfo : KeyRules {
  std::string name;
  std::string type;       ///< "duration", "whole number", ...
  std::string otherwise;  ///< the default as it is written; empty: none
  KeyShape shape = KeyShape::value;
  bool single = true;         ///< of a value: not a list and not a map
  bool optional = false;      ///< a section that may be missing as a whole
  std::vector<KeyInfo> keys;  ///< of a section, or of an item of a list of sections
  std::string like;           ///< a section with the same keys, which are not repeated here
};

/// The sections of the file, in its order.
[[nodiscard]] std::vector<KeyInfo> key_list();

/// config/pantryd.yaml: every key with its meaning and default, as a valid file.
[[nodiscard]] std::string settings_template();
/// docs/configuration.md.
[[nodiscard]] std::string settings_reference();

}  // namespace pantryd
