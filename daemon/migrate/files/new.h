// A new, empty migration file with the next free number.
#pragma once

#include <filesystem>
#include <string>

namespace pantryd::migrate {

struct NewMigration {
  std::string name;         ///< what it does, in words: "add stock level"
  bool transaction = true;  ///< false: the file gets the option no-transaction
};

/// "Add stock-level" to "add_stock_level". Throws Error(usage) for anything but letters, digits,
/// blanks, '-' and '_' of ASCII, for a name without a letter, and for one over 100 characters.
[[nodiscard]] std::string slug_of(const std::string& name);

/// Writes the file NNN_slug.sql: one above the highest number of the folder, with as many digits.
/// Whole or not at all; what exists is never written over, and two calls at one time, of any
/// processes of one machine, get two numbers. Returns the path.
/// Throws Error(usage): no such folder, a bad name, no number left; Error(lock): another writer
/// held the folder for 10 s; Error(failed): the file cannot be written.
[[nodiscard]] std::filesystem::path write_new(const std::filesystem::path& folder,
                                              const NewMigration& wanted);

}  // namespace pantryd::migrate
