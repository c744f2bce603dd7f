// Replaces the five characters that HTML gives a meaning to, and what HTML does not allow.
#include "html/escape.h"

namespace pantryd::html {

std::string escaped(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '&':
        out += "&amp;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        // Control characters are no part of HTML, whatever made them come here.
        out.push_back(static_cast<unsigned char>(c) < ' ' && c != '\n' && c != '\t' ? ' ' : c);
    }
  }
  return out;
}

}  // namespace pantryd::html
