// One load run as a page; escaping, charts and the frame are in daemon/html.
#include "loadgen/report/html.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "html/chart.h"
#include "html/escape.h"
#include "html/page.h"
#include "loadgen/report/evidence_text.h"
#include "loadgen/report/load_forms.h"
#include "loadgen/report/surroundings_text.h"

namespace pantryd::loadgen {
namespace {

using html::ChartAxis;
using html::ChartBar;
using html::ChartPoints;

constexpr std::size_t kChartedMax = 7;  // and one for the rest: as many colours as there are
constexpr std::size_t kBarsMax = 600;

std::string ms(const Histogram& histogram, double quantile) {
  if (histogram.count() == 0) return "-";
  return fmt::format("{:.2f}", static_cast<double>(histogram.quantile_us(quantile)) / 1000);
}

std::string operations_table(const LoadResult& result) {
  html::Table table{"numbers",
                    "<th>response, ms</th><th>done</th><th>failed</th><th>attempts</th>"
                    "<th>retries</th><th>p50</th><th>p95</th>"
                    "<th>p99</th><th>p99.9</th><th>max</th><th>service p99</th><th>SLO p99</th>"
                    "<th>verdict</th>",
                    {}};
  for (const auto& each : result.operations) {
    const auto& totals = each.totals;
    const auto slo =
        each.slo_p99 ? fmt::format("{:g}", static_cast<double>(each.slo_p99->count()) / 1000) : "-";
    table.rows += fmt::format(
        "<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td>"
        "<td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
        html::escaped(each.name), totals.completed, totals.errors + totals.not_started,
        totals.attempts, totals.retries, ms(totals.response, 0.5), ms(totals.response, 0.95),
        ms(totals.response, 0.99), ms(totals.response, 0.999), ms(totals.response, 1),
        ms(totals.service, 0.99), slo, html::coloured(each.verdict));
  }
  return "<h2>Operations</h2>\n" + html::table(table);
}

std::string invariants_table(const LoadResult& result) {
  if (result.invariants.empty()) return {};
  html::Table table{
      "numbers", "<th>invariant</th><th>before</th><th>after</th><th>outcome</th>", {}};
  const auto shown = [](const InvariantReading& reading) {
    return html::escaped(reading.error.empty() ? reading.shown : reading.error);
  };
  for (const auto& each : result.invariants) {
    table.rows += fmt::format("<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
                              html::escaped(each.name), shown(each.before), shown(each.after),
                              to_string(each.outcome()));
  }
  return "<h2>Invariants</h2>\n" + html::table(table);
}

ChartAxis axis_of(const LoadResult& result) {
  ChartAxis axis;
  axis.to_s = std::max(1.0, result.totals.client.measured_s);
  for (const auto& window : result.totals.windows) {
    axis.from_s = std::min(axis.from_s, static_cast<double>(window.second));
    axis.to_s = std::max(axis.to_s, static_cast<double>(window.second + 1));
  }
  if (axis.from_s < 0) axis.marks.push_back({axis.from_s, 0, "warmup", "warm-up"});
  for (const auto& second : result.evidence.seconds) {
    const auto found = second.per_s.find("checkpoints");
    if (found == second.per_s.end() || found->second <= 0) continue;
    axis.marks.push_back({second.from_s, second.to_s, "checkpoint",
                          fmt::format("checkpoint at {:.0f} s", second.to_s)});
  }
  for (const auto& outage : result.totals.outages) {
    axis.marks.push_back({outage.from_s, outage.to_s.value_or(axis.to_s), "outage",
                          fmt::format("outage, {} connections lost: {}", outage.connections_lost,
                                      outage.first_error)});
  }
  return axis;
}

std::string load_charts(const LoadResult& result, const ChartAxis& axis) {
  ChartPoints done;
  ChartPoints p99;
  for (const auto& window : result.totals.windows) {
    const double middle = static_cast<double>(window.second) + 0.5;
    if (window.phase == Phase::drain) continue;  // no throughput, and no second of the load
    done.emplace_back(middle, static_cast<double>(window.completed));
    p99.emplace_back(middle, static_cast<double>(window.p99_us) / 1000);
  }
  return html::line_chart(axis, done, "Operations done a second", "1/s") +
         html::line_chart(axis, p99, "Response p99", "ms");
}

/// The most frequent events by name, and the rest as one.
std::vector<std::string> events_of(const std::vector<EvidenceSecond>& seconds) {
  std::map<std::string, std::int64_t> sums;
  for (const auto& second : seconds) {
    for (const auto& [event, count] : second.waits) sums[event] += count;
  }
  std::vector<std::pair<std::int64_t, std::string>> sorted;
  for (const auto& [event, count] : sums) sorted.emplace_back(count, event);
  std::sort(sorted.rbegin(), sorted.rend());
  std::vector<std::string> out;
  for (std::size_t i = 0; i < std::min(kChartedMax, sorted.size()); ++i) {
    out.push_back(sorted[i].second);
  }
  if (sorted.size() > kChartedMax) out.emplace_back("other");
  return out;
}

std::string waits_chart(const LoadResult& result, const ChartAxis& axis) {
  const auto& seconds = result.evidence.seconds;
  const auto names = events_of(seconds);
  if (names.empty()) return {};
  std::vector<ChartBar> bars;
  const auto stride = std::max<std::size_t>(1, (seconds.size() + kBarsMax - 1) / kBarsMax);
  for (std::size_t i = 0; i < seconds.size(); i += stride) {
    const auto last = std::min(seconds.size() - 1, i + stride - 1);
    ChartBar bar{seconds[i].from_s, seconds[last].to_s, std::vector<double>(names.size())};
    for (const auto& [event, count] : seconds[i].waits) {
      const auto found = std::find(names.begin(), names.end(), event);
      const auto at =
          found == names.end() ? names.size() - 1 : static_cast<std::size_t>(found - names.begin());
      bar.parts[at] += static_cast<double>(count);
    }
    bars.push_back(std::move(bar));
  }
  return html::stacked_chart(axis, bars, names, "Sessions at work, by what they wait for",
                             "sessions");
}

std::string reasons_list(const LoadResult& result) {
  std::string out;
  for (const auto& reason : result.reasons) out += "<li>" + html::escaped(reason) + "</li>\n";
  for (const auto& warning : result.self_check.warnings) {
    out += "<li>" + html::escaped(warning) + "</li>\n";
  }
  return out.empty() ? out : "<ul>\n" + out + "</ul>\n";
}

std::string surroundings_list(const LoadResult& result) {
  std::string out = "<h2>Who else was there</h2>\n<ul>\n";
  for (const auto& line : surroundings_lines(result)) {
    out += "<li>" + html::escaped(line) + "</li>\n";
  }
  return out + "<li>warm-up: " + html::escaped(warm_up_text(result)) + "</li>\n</ul>\n";
}

}  // namespace

std::string load_html(const LoadResult& result) {
  const auto axis = axis_of(result);
  std::string out =
      fmt::format("<h1>{}: {}</h1>\n<p>{}, PostgreSQL {}, {}</p>\n",
                  html::escaped(result.options.workload.name), html::coloured(result.verdict),
                  html::escaped(result.target), html::escaped(result.server_version),
                  html::escaped(result.started_at));
  out += reasons_list(result);
  out += fmt::format("<p><b>Next limit.</b> {}</p>\n", html::escaped(result.bottleneck.text));
  out += operations_table(result);
  out += invariants_table(result);
  out += load_charts(result, axis);
  out += waits_chart(result, axis);
  out += surroundings_list(result);
  out += "<h2>In words</h2>\n<pre>" + html::escaped(to_text(result)) + "</pre>\n";
  out += "<h2>Environment</h2>\n<pre>" + html::escaped(result.environment.to_text()) + "</pre>\n";
  return html::page(fmt::format("pantryd load: {}", to_string(result.verdict)), out);
}

}  // namespace pantryd::loadgen
