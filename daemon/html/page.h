// A page that is one file and fetches nothing: no script, no font, no network.
#pragma once

#include <string>
#include <string_view>

#include "base/verdict.h"

namespace pantryd::html {

/// The whole document around `body`, which is HTML. `title` is text. The style is style.css.
[[nodiscard]] std::string page(std::string_view title, std::string_view body);

/// The verdict as a word in its colour.
[[nodiscard]] std::string coloured(Verdict verdict);

/// A table that scrolls by itself where the page is narrower than it.
struct Table {
  std::string css_class;  ///< "numbers": all columns but the first align right; or empty
  std::string head;       ///< HTML: "<th>...</th>" of each column
  std::string rows;       ///< HTML: "<tr>...</tr>" of each row
};
[[nodiscard]] std::string table(const Table& parts);

}  // namespace pantryd::html
