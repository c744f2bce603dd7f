#include "loadgen/report/claim_sheet.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "html/escape.h"

namespace pantryd::loadgen {
namespace {

constexpr const char* kStyle =
    "body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:64rem;padding:0 1rem;"
    "color:#1b1f24;background:#fff}table{border-collapse:collapse;width:100%}"
    "td,th{text-align:left;vertical-align:top;padding:.5rem;border-bottom:1px solid #d0d7de}"
    "pre{margin:.25rem 0 0;white-space:pre-wrap;font-size:13px;color:#57606a}"
    ".v{font-weight:700}.PASS{color:#116329}.FAIL{color:#a40e26}"
    ".INCONCLUSIVE,.INVALID{color:#7d4e00}"
    "@media(prefers-color-scheme:dark){body{color:#e6edf3;background:#0d1117}"
    "td,th{border-color:#30363d}pre{color:#9da7b3}.PASS{color:#3fb950}.FAIL{color:#ff7b72}"
    ".INCONCLUSIVE,.INVALID{color:#d29922}}";

}  // namespace

Verdict ClaimSheet::overall() const {
  auto out = Verdict::pass;
  for (const auto& each : verdicts) out = worst(out, each.verdict);
  return out;
}

std::string ClaimSheet::to_text() const {
  std::size_t width = 8;
  for (const auto& each : verdicts) width = std::max(width, each.measured.size());
  std::string out =
      fmt::format("{:<16}  {:<12}  {:<{}}  {}\n", "claim", "verdict", "measured", width, "said");
  for (const auto& each : verdicts) {
    out += fmt::format("{:<16}  {:<12}  {:<{}}  {}\n", each.claim.id, to_string(each.verdict),
                       each.measured, width, each.claim.text);
  }
  for (const auto& each : verdicts) {
    out += fmt::format("\n{} {}\n", each.claim.id, to_string(each.verdict));
    for (const auto& line : each.evidence) out += "  " + line + "\n";
  }
  return out;
}

std::string ClaimSheet::to_json() const {
  nlohmann::json list = nlohmann::json::array();
  for (const auto& each : verdicts) {
    list.push_back({{"id", each.claim.id},
                    {"text", each.claim.text},
                    {"verdict", to_string(each.verdict)},
                    {"measured", each.measured},
                    {"evidence", each.evidence}});
  }
  const nlohmann::json json{{"format", "pantryd.validate"},
                            {"version", 1},
                            {"pantryd", tool_version},
                            {"target", target},
                            {"started_at", started_at},
                            {"verdict", to_string(overall())},
                            {"claims", list}};
  return json.dump(2) + "\n";
}

std::string ClaimSheet::to_html() const {
  std::string rows;
  for (const auto& each : verdicts) {
    std::string evidence;
    for (const auto& line : each.evidence) evidence += html::escaped(line) + "\n";
    const auto verdict = std::string(to_string(each.verdict));
    rows += fmt::format(
        "<tr><td><b>{}</b><br>{}</td><td class=\"v {}\">{}</td><td>{}<pre>{}</pre></td></tr>\n",
        html::escaped(each.claim.id), html::escaped(each.claim.text), verdict, verdict,
        html::escaped(each.measured), evidence);
  }
  const auto whole = std::string(to_string(overall()));
  return fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width\"><title>pantryd: {0}</title><style>{1}</style></head><body>\n"
      "<h1>Claims: <span class=\"{0}\">{0}</span></h1>\n<p>{2}, {3}, pantryd {4}</p>\n"
      "<table><thead><tr><th>Claim</th><th>Verdict</th><th>Measured, and the evidence</th></tr>"
      "</thead><tbody>\n{5}</tbody></table>\n</body></html>\n",
      whole, kStyle, html::escaped(target), html::escaped(started_at), html::escaped(tool_version),
      rows);
}

}  // namespace pantryd::loadgen
