// The HTML report and its charts: what is on the page, and that no text from outside is markup.
#include <gmock/gmock.h>

#include <algorithm>

#include "html/chart.h"
#include "loadgen/judge/verdict.h"
#include "loadgen/report/html.h"

namespace pantryd::loadgen {
namespace {

using html::ChartAxis;
using html::ChartPoints;
using html::kPointsMax;
using html::line_chart;
using testing::HasSubstr;
using testing::Not;

std::size_t count(const std::string& text, const std::string& what) {
  std::size_t out = 0;
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++out;
  return out;
}

LoadResult some_result() {
  LoadResult result;
  result.options.workload.name = "<script>alert(1)</script>";
  result.options.rate_per_s = 100;
  result.target = "host=db \"one\"";
  result.totals.client.measured_s = 3;
  OperationResult operation;
  operation.name = "sale & cancel";
  operation.slo_p99 = std::chrono::milliseconds(10);
  for (int i = 0; i < 300; ++i) {
    operation.totals.response.record(4'000);
    operation.totals.service.record(2'000);
  }
  operation.totals.offered = operation.totals.completed = 300;
  result.operations.push_back(std::move(operation));
  for (std::int64_t second = -1; second < 3; ++second) {
    result.totals.windows.push_back({second, 100, 100, 0, 4'000, 0});
  }
  result.totals.outages.push_back({1.2, 1.8, 3, 2, "57P01: <bye>\x01"});
  EvidenceSecond evidence{.from_s = 1, .to_s = 2};
  evidence.per_s = {{"checkpoints", 1}};
  evidence.waits = {{"CPU", 3}, {"Lock:tuple", 1}};
  result.evidence.seconds.push_back(evidence);
  judge(result);
  return result;
}

TEST(LoadHtmlTest, ThePageHasVerdictTableChartsAndMarks) {
  const auto page = load_html(some_result());
  EXPECT_THAT(page, HasSubstr("<title>pantryd load: "));
  EXPECT_THAT(page, HasSubstr("<td>4.00</td>"));
  EXPECT_EQ(count(page, "class=\"line\""), 2U);
  EXPECT_THAT(page, HasSubstr("checkpoint at 2 s"));
  EXPECT_THAT(page, HasSubstr("class=\"outage\""));
  EXPECT_THAT(page, HasSubstr("class=\"warmup\""));
  EXPECT_THAT(page, HasSubstr("Lock:tuple: 1</title>"));
  EXPECT_THAT(page, HasSubstr("</html>"));
}

TEST(LoadHtmlTest, NothingThatCameFromOutsideIsMarkup) {
  const auto page = load_html(some_result());
  EXPECT_THAT(page, Not(HasSubstr("<script")));
  EXPECT_THAT(page, Not(HasSubstr("<bye>")));
  EXPECT_THAT(page, HasSubstr("&lt;script&gt;alert(1)"));
  EXPECT_THAT(page, HasSubstr("sale &amp; cancel"));
  EXPECT_THAT(page, HasSubstr("host=db &quot;one&quot;"));
  EXPECT_THAT(page, Not(HasSubstr("\x01")));
  EXPECT_THAT(page, Not(HasSubstr("http")));  // nothing is fetched
  for (const char* tag : {"svg", "table", "pre", "h2", "ul", "title", "p"}) {
    EXPECT_EQ(count(page, std::string("<") + tag + " ") + count(page, std::string("<") + tag + ">"),
              count(page, std::string("</") + tag + ">"))
        << tag;
  }
}

TEST(LoadHtmlTest, ARunWithoutAnythingInItIsStillAPage) {
  LoadResult result;
  judge(result);
  const auto page = load_html(result);
  EXPECT_THAT(page, HasSubstr("</html>"));
  EXPECT_THAT(page, Not(HasSubstr("nan")));
  EXPECT_THAT(page, Not(HasSubstr("inf")));
}

TEST(ChartTest, ALongRunIsDrawnWithFewPointsAndKeepsItsPeak) {
  ChartPoints points;
  for (int i = 0; i < 100'000; ++i) points.emplace_back(i, i == 77'777 ? 5'000 : 1);
  ChartAxis axis;
  axis.to_s = 100'000;
  const auto drawing = line_chart(axis, points, "t", "u");
  const auto from = drawing.find("points=\"");
  EXPECT_LE(count(drawing.substr(from), ","), kPointsMax + 1);
  EXPECT_THAT(drawing, HasSubstr(",10.0 "));  // the peak touches the top of the plot
}

}  // namespace
}  // namespace pantryd::loadgen
