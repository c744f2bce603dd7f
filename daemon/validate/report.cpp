// Renders verdicts. Invariant: every text that came from outside goes through html::escaped().
#include "validate/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "html/escape.h"
#include "html/page.h"

namespace pantryd::validate {
namespace {

using Json = nlohmann::ordered_json;

std::string with_reason(const Judgement& judgement) {
  if (!judgement.reason) return std::string(to_string(judgement.verdict));
  return fmt::format("{} ({})", to_string(judgement.verdict), to_string(*judgement.reason));
}

Json number_json(const Number& number) {
  return {{"name", number.name},
          {"value", number.value ? Json(*number.value) : Json()},
          {"unit", number.unit},
          {number.bound == Number::Bound::at_least ? "at_least" : "at_most", number.limit},
          {"samples", number.samples}};
}

Json claim_json(const ClaimVerdict& each) {
  Json numbers = Json::array();
  for (const auto& number : each.numbers) numbers.push_back(number_json(number));
  return {{"id", each.claim.id},
          {"text", each.claim.text},
          {"verdict", to_string(each.verdict)},
          {"reason", each.reason ? Json(to_string(*each.reason)) : Json()},
          {"measured", each.measured},
          {"numbers", numbers},
          {"runs", each.runs},
          {"evidence", each.evidence}};
}

}  // namespace

Verdict Report::overall() const {
  auto out = Verdict::pass;
  for (const auto& each : verdicts) out = worst(out, each.verdict);
  return out;
}

std::string Report::to_text() const {
  std::size_t width = 8;
  for (const auto& each : verdicts) width = std::max(width, each.measured.size());
  std::string out =
      fmt::format("{:<16}  {:<12}  {:<{}}  {}\n", "claim", "verdict", "measured", width, "said");
  for (const auto& each : verdicts) {
    out += fmt::format("{:<16}  {:<12}  {:<{}}  {}\n", each.claim.id, to_string(each.verdict),
                       each.measured, width, each.claim.text);
  }
  for (const auto& each : verdicts) {
    out += fmt::format("\n{} {}\n", each.claim.id, with_reason(each));
    for (const auto& line : each.evidence) out += "  " + line + "\n";
  }
  if (!surroundings.empty()) out += "\nWho else was there\n";
  for (const auto& each : surroundings) {
    for (const auto& line : each.lines) out += fmt::format("  {}: {}\n", each.load, line);
  }
  return out;
}

std::string Report::to_json() const {
  Json list = Json::array();
  for (const auto& each : verdicts) list.push_back(claim_json(each));
  Json others = Json::array();
  for (const auto& each : surroundings) {
    others.push_back({{"load", each.load}, {"lines", each.lines}});
  }
  const Json json{{"format", "pantryd.validate"},
                  {"version", 1},
                  {"pantryd", tool_version},
                  {"target", target},
                  {"started_at", started_at},
                  {"verdict", to_string(overall())},
                  {"claims", list},
                  {"surroundings", others}};
  // A message from the server may hold bytes that are not UTF-8: they must not cost the report.
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string Report::to_html() const {
  html::Table table;
  table.head = "<th>Claim</th><th>Verdict</th><th>Measured, and the evidence</th>";
  for (const auto& each : verdicts) {
    std::string evidence;
    for (const auto& line : each.evidence) evidence += html::escaped(line) + "\n";
    table.rows += fmt::format(
        "<tr><td><b>{}</b><br>{}</td><td class=\"v\">{}{}</td><td>{}<pre>{}</pre></td></tr>\n",
        html::escaped(each.claim.id), html::escaped(each.claim.text), html::coloured(each.verdict),
        each.reason ? fmt::format("<br>{}", to_string(*each.reason)) : "",
        html::escaped(each.measured), evidence);
  }
  std::string others = surroundings.empty() ? "" : "<h2>Who else was there</h2>\n";
  for (const auto& each : surroundings) {
    others += "<h3>" + html::escaped(each.load) + "</h3>\n<ul>\n";
    for (const auto& line : each.lines) others += "<li>" + html::escaped(line) + "</li>\n";
    others += "</ul>\n";
  }
  const auto body =
      fmt::format("<h1>Claims: {}</h1>\n<p>{}, {}, pantryd {}</p>\n{}{}", html::coloured(overall()),
                  html::escaped(target), html::escaped(started_at), html::escaped(tool_version),
                  html::table(table), others);
  return html::page(fmt::format("pantryd: {}", to_string(overall())), body);
}

}  // namespace pantryd::validate
