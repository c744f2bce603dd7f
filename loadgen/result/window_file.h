// Seconds as JSON lines, written while the run goes on. The first line says what it is, each
// further one is a second, and the last one is {"end":true,...}: a file without it was cut off.
//
//   {"format":"pantryd.load.windows","version":2,"workload":...,"operations":[names],...}
//   {"second":0,"warmup":false,"drain":false,"offered":..,"completed":..,"refused":..,"empty":..,
//    "errors":..,"queued":..,"running":..,"connections":..,"operations":{"sale":{"offered":..,
//    "completed":..,"refused":..,"empty":..,"errors":..,"p99_us":..,"max_us":..,"overflow":..,
//    "response_us":[[us,count],...]}}}
//   {"end":true,"seconds":30}
//
// Counts are by end, see totals.h; a line with "drain":true is no part of the measured window.
// response_us holds the buckets that are not empty, `us` being the highest value of the bucket:
// files of several machines are added up by adding the counts of equal `us`.
#pragma once

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "loadgen/result/options.h"
#include "loadgen/result/windows.h"

namespace pantryd::loadgen {

class WindowFile {
 public:
  /// Does nothing when options.windows_file is empty. Throws Error(usage) when it cannot be made.
  explicit WindowFile(const LoadOptions& options);
  ~WindowFile() = default;
  /// By one thread. An error ends the writing, not the run.
  void write(const WindowPart& second);
  /// Writes the end. Why the file is not whole, or empty.
  [[nodiscard]] std::string close();

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  void put(const std::string& line);

  std::string path_;
  std::unique_ptr<std::FILE, Close> file_;
  std::vector<std::string> names_;
  std::string line_;
  std::string error_;
  std::int64_t seconds_ = 0;
};

}  // namespace pantryd::loadgen
