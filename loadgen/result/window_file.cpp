// Invariant: after an error nothing more is written, so the end is missing too.
#include "loadgen/result/window_file.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <iterator>
#include <nlohmann/json.hpp>

#include "base/error.h"

namespace pantryd::loadgen {
namespace {

std::string json_string(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

WindowFile::WindowFile(const LoadOptions& options) : path_(options.windows_file) {
  if (path_.empty()) return;
  file_.reset(std::fopen(path_.c_str(), "we"));
  if (!file_) {
    throw Error(ExitCode::usage,
                fmt::format("cannot write the windows to {}: {}", path_, std::strerror(errno)));
  }
  nlohmann::ordered_json head = {{"format", "pantryd.load.windows"}, {"version", 2}};
  head["workload"] = options.workload.name;
  head["mode"] = to_string(options.mode);
  head["rate_per_s"] = options.rate_per_s ? nlohmann::ordered_json(*options.rate_per_s)
                                          : nlohmann::ordered_json("max");
  head["seed"] = options.seed;
  head["threads"] = options.threads;
  for (const auto& each : options.workload.operations) names_.push_back(each.name);
  head["operations"] = names_;
  put(head.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

void WindowFile::put(const std::string& line) {
  if (!file_ || !error_.empty()) return;
  if (std::fwrite(line.data(), 1, line.size(), file_.get()) != line.size() ||
      std::fflush(file_.get()) != 0) {
    error_ = fmt::format("the windows in {} are not whole: {}", path_, std::strerror(errno));
  }
}

void WindowFile::write(const WindowPart& second) {
  if (!file_ || !error_.empty()) return;
  ++seconds_;
  WindowPart::Operation all;
  for (const auto& each : second.operations) {
    all.offered += each.offered;
    all.completed += each.completed;
    all.refused += each.refused;
    all.empty += each.empty;
    all.errors += each.errors;
  }
  line_.clear();
  auto out = std::back_inserter(line_);
  fmt::format_to(out,
                 "{{\"second\":{},\"warmup\":{},\"drain\":{},\"offered\":{},\"completed\":{},"
                 "\"refused\":{},\"empty\":{},\"errors\":{},\"queued\":{},\"running\":{},"
                 "\"connections\":{},\"operations\":{{",
                 second.second, second.phase == Phase::warmup, second.phase == Phase::drain,
                 all.offered, all.completed, all.refused, all.empty, all.errors, second.queued,
                 second.running, second.connections);
  for (std::size_t i = 0; i < second.operations.size(); ++i) {
    const auto& each = second.operations[i];
    fmt::format_to(out,
                   "{}{}:{{\"offered\":{},\"completed\":{},\"refused\":{},\"empty\":{},"
                   "\"errors\":{},\"p99_us\":{},\"max_us\":{},\"overflow\":{},\"response_us\":[",
                   i > 0 ? "," : "", json_string(names_[i]), each.offered, each.completed,
                   each.refused, each.empty, each.errors, each.response.quantile_us(0.99),
                   each.response.max_us(), each.response.overflow());
    bool first = true;
    each.response.for_each([&](std::int64_t us, std::uint64_t count) {
      fmt::format_to(out, "{}[{},{}]", first ? "" : ",", us, count);
      first = false;
    });
    line_ += "]}";
  }
  line_ += "}}\n";
  put(line_);
}

std::string WindowFile::close() {
  put(fmt::format("{{\"end\":true,\"seconds\":{}}}\n", seconds_));
  if (file_ && std::fclose(file_.release()) != 0 && error_.empty()) {
    error_ = fmt::format("the windows in {} are not whole: {}", path_, std::strerror(errno));
  }
  return error_;
}

}  // namespace pantryd::loadgen
