// A dump in the directory format (pg_dump -Fd): toc.dat is written BEFORE the data, so that only
// the files it names tell whether the dump came to its end.
#pragma once

#include <string>
#include <vector>

#include "probes/backup/folder.h"
#include "probes/backup/readers/pg_dump/dump_content.h"

namespace pantryd::backup {

/// Does the listing look like one, whole or not?
[[nodiscard]] bool is_dump_directory(const std::vector<Entry>& entries);

/// Presence of every file that toc.dat names, "\." at the end of each uncompressed table, and the
/// gzip files that were written last (a kill cuts those) read through as the budget allows.
[[nodiscard]] DumpContent judge_directory(int folder_fd, const std::vector<Entry>& entries,
                                          ReadBudget& budget);

/// Of the folder as a whole: sum of the sizes, newest modification in it.
[[nodiscard]] FileIdentity directory_identity(int folder_fd, const std::vector<Entry>& entries);

}  // namespace pantryd::backup
