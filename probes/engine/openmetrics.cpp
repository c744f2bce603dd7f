// It keeps nothing.
#include "probes/engine/openmetrics.h"

#include "base/error.h"
#include "probes/engine/exposition.h"

namespace pantryd::probes {
namespace {

constexpr std::string_view kTotal = "_total";

/// A backslash or a newline would end the line, or worse; OpenMetrics escapes quotes as well.
void append_help(std::string& out, std::string_view help, PageFormat format) {
  for (const char c : one_line(help)) {
    if (c == '\\' || (c == '"' && format == PageFormat::openmetrics)) out.push_back('\\');
    out.push_back(c);
  }
}

std::string_view type_name(prometheus::MetricType type) {
  switch (type) {
    case prometheus::MetricType::Counter:
      return "counter";
    case prometheus::MetricType::Gauge:
      return "gauge";
    case prometheus::MetricType::Histogram:
      return "histogram";
    default:
      return "untyped";
  }
}

class Series {
 public:
  Series(std::string& out, const prometheus::MetricFamily& family,
         const prometheus::ClientMetric& metric)
      : out_(out), family_(family), metric_(metric) {}

  void add(std::string_view suffix, double value, std::string_view le = {}) {
    out_ += family_.name;
    out_ += suffix;
    std::string_view mark = "{";
    for (const auto& label : metric_.label) {
      add_label(mark, label.name, label.value);
      mark = ",";
    }
    if (!le.empty()) {
      add_label(mark, "le", le);
      mark = ",";
    }
    if (mark == ",") out_ += '}';
    out_ += ' ';
    append_value(out_, value);
    out_ += '\n';
  }

 private:
  void add_label(std::string_view mark, std::string_view name, std::string_view value) {
    out_ += mark;
    out_ += name;
    out_ += "=\"";
    append_label_value(out_, value);
    out_ += '"';
  }

  std::string& out_;
  const prometheus::MetricFamily& family_;
  const prometheus::ClientMetric& metric_;
};

void append_histogram(Series& series, const prometheus::ClientMetric::Histogram& histogram) {
  for (const auto& bucket : histogram.bucket) {
    std::string le;
    append_value(le, bucket.upper_bound);
    series.add("_bucket", static_cast<double>(bucket.cumulative_count), le);
  }
  series.add("_sum", histogram.sample_sum);
  series.add("_count", static_cast<double>(histogram.sample_count));
}

}  // namespace

void append_head(std::string& out, const FamilyHead& head, PageFormat format) {
  auto name = head.name;
  auto type = head.type;
  if (format == PageFormat::openmetrics) {
    const bool total = name.ends_with(kTotal);
    if (type == "untyped" || (type == "counter" && !total)) type = "unknown";
    if (type == "counter") name.remove_suffix(kTotal.size());
  }
  out += "# HELP ";
  out += name;
  out += ' ';
  append_help(out, head.help, format);
  out += "\n# TYPE ";
  out += name;
  out += ' ';
  out += type;
  out += '\n';
}

void append_openmetrics(std::string& out, const prometheus::MetricFamily& family) {
  append_head(out, {family.name, family.help, type_name(family.type)}, PageFormat::openmetrics);
  for (const auto& metric : family.metric) {
    Series series(out, family, metric);
    switch (family.type) {
      case prometheus::MetricType::Counter:
        series.add({}, metric.counter.value);
        break;
      case prometheus::MetricType::Gauge:
        series.add({}, metric.gauge.value);
        break;
      case prometheus::MetricType::Histogram:
        append_histogram(series, metric.histogram);
        break;
      default:
        series.add({}, metric.untyped.value);
        break;
    }
  }
}

}  // namespace pantryd::probes
