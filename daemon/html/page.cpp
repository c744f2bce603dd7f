// Puts pages together from parts that are HTML already; only titles are text, and are escaped here.
#include "html/page.h"

#include <fmt/format.h>

#include "base/assert.h"
#include "base/embedded.h"
#include "html/escape.h"

namespace pantryd::html {
namespace {

std::string_view style() {
  for (const auto& file : embedded::html()) {
    if (file.name == "style.css") return file.content;
  }
  return {};
}

}  // namespace

std::string page(std::string_view title, std::string_view body) {
  PANTRYD_ASSERT(!style().empty());
  return fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width,initial-scale=1\"><title>{}</title><style>\n{}</style></head>"
      "<body>\n<main>\n{}</main>\n</body></html>\n",
      escaped(title), style(), body);
}

std::string coloured(Verdict verdict) {
  return fmt::format("<span class=\"{0}\">{0}</span>", to_string(verdict));
}

std::string table(const Table& parts) {
  return fmt::format(
      "<div class=\"wide\"><table{}><thead><tr>{}</tr></thead><tbody>\n{}</tbody></table></div>\n",
      parts.css_class.empty() ? "" : fmt::format(" class=\"{}\"", parts.css_class), parts.head,
      parts.rows);
}

}  // namespace pantryd::html
