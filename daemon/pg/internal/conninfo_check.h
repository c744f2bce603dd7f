// Private to pg/: what libpq only notices when it connects, said when the configuration is read.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "pg/conninfo.h"

namespace pantryd::pg {

/// Throws Error(usage) for what libpq refuses at every connect (counts of hosts, addresses and
/// ports that do not fit together, ports out of range, words it does not know), and for an empty
/// entry among several hosts, which would silently mean the local socket. The message says which
/// entry is wrong and never what it holds: a password with an @ or a / in it may end up anywhere.
void check_conninfo(const Conninfo& where);

/// "a,,b" is {"a", "", "b"}; an empty text is one empty entry.
[[nodiscard]] std::vector<std::string> split_list(std::string_view text);

}  // namespace pantryd::pg
