// Both formats of a page name the same series; OpenMetrics differs in heads, types and its end.
#include "probes/engine/openmetrics.h"

#include <gmock/gmock.h>

#include <set>

#include "tests/support/big_page.h"

namespace pantryd::probes {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string page_in(PageFormat format) {
  SnapshotStore store;
  testing_support::publish_series(store, "a\"b", 3);
  PageInputs inputs;
  inputs.targets = store.all();
  inputs.version = "1.2\"3";
  inputs.now = WallClock::time_point{std::chrono::seconds(1'000'000)};
  inputs.format = format;
  return render_page(inputs);
}

/// The series of a page, without their values.
std::set<std::string> series_of(const std::string& page) {
  std::set<std::string> out;
  for (std::size_t at = 0; at < page.size();) {
    const auto line = page.substr(at, page.find('\n', at) - at);
    at += line.size() + 1;
    if (line[0] != '#') out.insert(line.substr(0, line.rfind(' ')));
  }
  return out;
}

TEST(OpenMetricsTest, BothFormatsHoldTheSameSeries) {
  const auto text = series_of(page_in(PageFormat::text));
  EXPECT_EQ(series_of(page_in(PageFormat::openmetrics)), text);
  EXPECT_GE(text.size(), 10U);
  EXPECT_TRUE(text.count("pantryd_build_info{version=\"1.2\\\"3\"}") == 1);
  EXPECT_TRUE(text.count("process_resident_memory_bytes") == 1);
}

TEST(OpenMetricsTest, ACounterWithoutTotalIsUnknown) {
  const auto page = page_in(PageFormat::openmetrics);
  EXPECT_THAT(page, HasSubstr("# TYPE pantryd_test_calls counter\npantryd_test_calls_total{"));
  EXPECT_THAT(page, HasSubstr("# TYPE pg_stat_test_commits unknown\npg_stat_test_commits{"));
  EXPECT_THAT(page, HasSubstr("# TYPE pantryd_test_rows gauge\n"));
  EXPECT_THAT(page, HasSubstr("# TYPE process_cpu_seconds counter\nprocess_cpu_seconds_total "));
  EXPECT_THAT(page, HasSubstr("# TYPE pantryd_probe_runs counter\npantryd_probe_runs_total{"));
  EXPECT_THAT(page, Not(HasSubstr("untyped")));
  const auto text = page_in(PageFormat::text);
  EXPECT_THAT(text, HasSubstr("# TYPE pantryd_test_calls_total counter\n"));
  EXPECT_THAT(text, Not(HasSubstr("unknown")));
}

TEST(OpenMetricsTest, ItEscapesQuotesInHelpAndEndsWithEof) {
  const auto page = page_in(PageFormat::openmetrics);
  EXPECT_THAT(page, HasSubstr("Say \\\"it\\\" with \\\\ and breaks.\n"));
  EXPECT_TRUE(page.ends_with("\n# EOF\n"));
  EXPECT_EQ(page.find("# EOF"), page.size() - 6);
  const auto text = page_in(PageFormat::text);
  EXPECT_THAT(text, HasSubstr("Say \"it\" with \\\\ and breaks.\n"));
  EXPECT_THAT(text, Not(HasSubstr("# EOF")));
}

TEST(OpenMetricsTest, AHistogramHasItsBuckets) {
  prometheus::MetricFamily family;
  family.name = "h_seconds";
  family.help = "H.";
  family.type = prometheus::MetricType::Histogram;
  prometheus::ClientMetric metric;
  metric.label = {{"pool", "p"}};
  metric.histogram.sample_count = 3;
  metric.histogram.sample_sum = 1.5;
  metric.histogram.bucket = {{1, 0.5}, {3, std::numeric_limits<double>::infinity()}};
  family.metric = {metric};
  std::string out;
  append_openmetrics(out, family);
  EXPECT_EQ(out,
            "# HELP h_seconds H.\n# TYPE h_seconds histogram\n"
            "h_seconds_bucket{pool=\"p\",le=\"0.5\"} 1\nh_seconds_bucket{pool=\"p\",le=\"+Inf\"} "
            "3\nh_seconds_sum{pool=\"p\"} 1.5\nh_seconds_count{pool=\"p\"} 3\n");
}

}  // namespace
}  // namespace pantryd::probes
