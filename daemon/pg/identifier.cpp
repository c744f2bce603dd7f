// Quotes names for SQL by doubling the quotation marks in them.
#include "pg/identifier.h"

namespace pantryd::pg {

std::string quote_identifier(std::string_view name) {
  std::string out = "\"";
  for (const char c : name) out.append(c == '"' ? 2 : 1, c);
  return out + "\"";
}

}  // namespace pantryd::pg
