// Which form of a page a client gets for its Accept and Accept-Encoding.
#include "serve/http/negotiate.h"

#include <gtest/gtest.h>

namespace pantryd {
namespace {

TEST(NegotiateTest, PrometheusGetsOpenMetricsAndCurlGetsText) {
  // Prometheus 2.42, of Debian 12, and 3.x.
  EXPECT_TRUE(prefers_openmetrics(
      "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;"
      "q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"));
  EXPECT_TRUE(prefers_openmetrics(
      "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/"
      "openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
      "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"));
  EXPECT_TRUE(prefers_openmetrics("Application/OpenMetrics-Text ; Version=\"1.0.0\""));
  for (const auto* text :
       {"", "*/*", "text/plain", "text/html, */*;q=0.8", "application/openmetrics-text;q=0",
        "text/plain, application/openmetrics-text;q=0.5", "application/openmetrics-textual",
        "application/openmetrics-text;version=0.0.1", "application/openmetrics-text;version=2.0.0",
        "application/openmetrics-text;q=nonsense", "application/*", ",;,;q=1"}) {
    EXPECT_FALSE(prefers_openmetrics(text)) << text;
  }
}

TEST(NegotiateTest, GzipIsSentOnlyWhereItIsWantedMost) {
  for (const auto* text : {"gzip", "GZip", "deflate, gzip;q=1.0, *;q=0.5", "x-gzip", "*",
                           "identity;q=0.5, gzip;q=0.8", "identity;q=0, gzip;q=0.1"}) {
    EXPECT_TRUE(prefers_gzip(text)) << text;
  }
  for (const auto* text :
       {"", "identity", "gzip;q=0", "gzip;q=0.000", "*;q=0", "deflate, br", "gzip;q=0, *;q=1",
        "identity;q=0.9, gzip;q=0.8", "gzip;q=2", "gzip;q=", "gzipped"}) {
    EXPECT_FALSE(prefers_gzip(text)) << text;
  }
}

}  // namespace
}  // namespace pantryd
