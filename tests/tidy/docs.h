// What documents, help and messages name must exist: commands and their options, files of the
// repository, configuration keys, metrics.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "tests/tidy/tree.h"

namespace pantryd::tidy {

/// A text that a person reads: a span or block of code in a document, or a message of the product.
struct Mention {
  std::string path;
  int line = 0;
  std::string text;
};

/// The spans between backticks and the lines of code blocks of the documents. CHANGELOG.md is left
/// out: it names what existed once.
[[nodiscard]] std::vector<Mention> code_in_documents(const Tree& tree);
/// The string literals of the product.
[[nodiscard]] std::vector<Mention> messages(const Tree& tree);

/// What the binary can do, from its own help.
struct Commands {
  std::set<std::string> names;   ///< "serve", "migrate up"
  std::set<std::string> groups;  ///< "migrate"
  std::string global_help;       ///< with the options that every command takes
  std::function<std::string(const std::string&)> help_of;  ///< of one of `names`
};

/// Reads the lines "  NAME  summary" of `pantryd --help`, below "Commands:".
[[nodiscard]] Commands read_commands(std::string_view help);

/// Every `pantryd COMMAND` exists, and so does every --option behind it.
[[nodiscard]] Findings check_commands(const std::vector<Mention>& mentions,
                                      const Commands& commands);
/// Every path below a top-level folder exists; * and {a,b} are patterns, capitals a placeholder.
[[nodiscard]] Findings check_paths(const std::vector<Mention>& mentions, const Tree& tree);
/// Links of documents to files of the repository.
[[nodiscard]] Findings check_links(const Tree& tree);

/// The keys that a configuration file with comments shows, "pool.max" and the like; a key that is
/// commented out counts.
[[nodiscard]] std::set<std::string> keys_of(std::string_view config);
/// Every dotted name that begins with a top-level key is a key.
[[nodiscard]] Findings check_keys(const std::vector<Mention>& mentions,
                                  const std::set<std::string>& keys);

/// Every pantryd_NAME is in `metrics`, the text of docs/metrics.md.
[[nodiscard]] Findings check_metrics(const std::vector<Mention>& mentions,
                                     std::string_view metrics);

}  // namespace pantryd::tidy
