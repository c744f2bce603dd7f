#include "migrate/files.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/embedded.h"
#include "base/error.h"
#include "base/file.h"
#include "base/sha256.h"

namespace pantryd::migrate {
namespace {

constexpr std::size_t kFileLimitBytes = 16U << 20U;
constexpr std::size_t kFilesMax = 100'000;
constexpr std::string_view kUpMark = "-- migrate:up";
constexpr std::string_view kDownMark = "-- migrate:down";

bool is_mark(std::string_view line, std::string_view mark) {
  return line.substr(0, mark.size()) == mark &&
         line.find_first_not_of(" \t", mark.size()) == std::string_view::npos;
}

bool is_blank_sql(std::string_view sql) {
  for (std::size_t at = 0; at < sql.size();) {
    const auto end = std::min(sql.find('\n', at), sql.size());
    const auto line = sql.substr(at, end - at);
    const auto first = line.find_first_not_of(" \t");
    if (first != std::string_view::npos && line.substr(first, 2) != "--") return false;
    at = end + 1;
  }
  return true;
}

std::vector<Migration> sorted(std::vector<Migration> all) {
  std::sort(all.begin(), all.end(),
            [](const auto& a, const auto& b) { return a.version < b.version; });
  for (std::size_t i = 1; i < all.size(); ++i) {
    if (all[i - 1].version != all[i].version) continue;
    throw Error(ExitCode::usage,
                fmt::format("{}.sql and {}.sql have the same number", all[i - 1].name, all[i].name),
                "Give one of them a number that is free.");
  }
  return all;
}

}  // namespace

std::string normalise(std::string_view text) {
  if (text.substr(0, 3) == "\xEF\xBB\xBF") text.remove_prefix(3);
  std::string out;
  out.reserve(text.size() + 1);
  const auto trim_line = [&] {
    while (!out.empty() && (out.back() == ' ' || out.back() == '\t')) out.pop_back();
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '\r') {
      if (i + 1 < text.size() && text[i + 1] == '\n') continue;
      c = '\n';
    }
    if (c == '\n') trim_line();
    out.push_back(c);
  }
  trim_line();
  while (!out.empty() && out.back() == '\n') out.pop_back();
  out.push_back('\n');
  return out;
}

Migration parse_file(const std::string& file_name, std::string_view raw) {
  Migration out;
  const auto stem_end = file_name.rfind(".sql");
  const auto [digits_end, failure] =
      std::from_chars(file_name.data(), file_name.data() + file_name.size(), out.version);
  if (failure != std::errc{} || *digits_end != '_' || stem_end == std::string::npos ||
      stem_end + 4 != file_name.size()) {
    throw Error(ExitCode::usage, fmt::format("{} is not named like a migration", file_name),
                "Name it NNN_what_it_does.sql.");
  }
  out.name = file_name.substr(0, stem_end);
  const auto text = normalise(raw);
  std::string* section = nullptr;
  bool has_up = false;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    const auto line = std::string_view(text).substr(at, end - at);
    at = end + 1;
    if (is_mark(line, kUpMark)) {
      section = &out.up;
      has_up = true;
    } else if (is_mark(line, kDownMark)) {
      section = &out.down;
    }
    // Every line stays where it was, so that the server's line numbers are the file's.
    for (std::string* each : {&out.up, &out.down}) {
      if (each == section) each->append(line);
      each->push_back('\n');
    }
  }
  if (!has_up || is_blank_sql(out.up)) {
    throw Error(ExitCode::usage, fmt::format("{} has nothing to run", file_name),
                "Write the statements below a line \"-- migrate:up\".");
  }
  if (is_blank_sql(out.down)) out.down.clear();
  out.checksum = "sha256-v1:" + sha256_hex(text);
  return out;
}

std::vector<Migration> embedded_migrations() {
  std::vector<Migration> out;
  for (const auto& file : embedded::migrations()) {
    out.push_back(parse_file(std::string(file.name), file.content));
  }
  return sorted(std::move(out));
}

std::vector<Migration> load_folder(const std::filesystem::path& folder) {
  std::vector<Migration> out;
  std::error_code error;
  for (std::filesystem::directory_iterator at(folder, error), end; !error && at != end;
       at.increment(error)) {
    if (at->path().extension() != ".sql") continue;
    if (out.size() >= kFilesMax) throw Error(ExitCode::usage, "too many migrations");
    out.push_back(
        parse_file(at->path().filename().string(), read_file(at->path(), kFileLimitBytes)));
  }
  if (error) {
    throw Error(ExitCode::usage,
                fmt::format("cannot read the folder {}: {}", folder.string(), error.message()),
                "Name the folder of the migrations with --dir.");
  }
  return sorted(std::move(out));
}

}  // namespace pantryd::migrate
