// Chooses the form of a line by where standard error goes: priorities for the journal, times and
// colours for a terminal.
#include "base/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "base/error.h"

namespace pantryd::log {
namespace {

bool is_journal() {
  const char* stream = std::getenv("JOURNAL_STREAM");
  if (stream == nullptr) return false;
  struct stat about {};
  if (::fstat(STDERR_FILENO, &about) != 0) return false;
  return fmt::format("{}:{}", about.st_dev, about.st_ino) == stream;
}

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::debug:
      return spdlog::level::debug;
    case Level::info:
      return spdlog::level::info;
    case Level::warn:
      return spdlog::level::warn;
    case Level::error:
      return spdlog::level::err;
    case Level::off:
      break;
  }
  return spdlog::level::off;
}

constexpr int journal_priority(Level level) {
  switch (level) {
    case Level::debug:
      return 7;
    case Level::info:
      return 6;
    case Level::warn:
      return 4;
    default:
      return 3;
  }
}

bool journal = false;  // written by init() before any thread starts

}  // namespace

Level parse_level(std::string_view name) {
  if (name == "debug") return Level::debug;
  if (name == "info") return Level::info;
  if (name == "warn") return Level::warn;
  if (name == "error") return Level::error;
  if (name == "off") return Level::off;
  throw Error(ExitCode::usage, fmt::format("unknown log level \"{}\"", name),
              "Use debug, info, warn, error or off.");
}

void init(Level level) {
  journal = is_journal();
  auto logger = std::make_shared<spdlog::logger>(
      "pantryd", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
  logger->set_pattern(journal ? "%v" : "%Y-%m-%dT%H:%M:%S.%e%z %^%-5l%$ %v");
  logger->set_level(to_spdlog(level));
  spdlog::set_default_logger(std::move(logger));
}

void write(Level level, std::string_view line) {
  const auto folded = one_line(line);
  if (journal) {
    spdlog::log(to_spdlog(level), "<{}>{}", journal_priority(level), folded);
  } else {
    spdlog::log(to_spdlog(level), "{}", folded);
  }
}

}  // namespace pantryd::log
