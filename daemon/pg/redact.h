// A statement's text without the values in it, for people who look for who holds a connection.
#pragma once

#include <string>
#include <string_view>

namespace pantryd::pg {

/// `sql` on one line, every string constant replaced by '***': '..', E'..', U&'..', B'..',
/// $tag$..$tag$, closed or cut off, and what stands in double quotes after the word PASSWORD by
/// mistake. Comments are left out, for they may hold what was a statement once; numbers and names
/// stay. Where it cannot be told for certain where a constant
/// ends (a backslash before a quote means two things, by standard_conforming_strings), everything
/// from there on is left out.
[[nodiscard]] std::string redact(std::string_view sql);

}  // namespace pantryd::pg
