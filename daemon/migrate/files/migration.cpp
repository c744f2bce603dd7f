// Invariants while a file is read: `open` holds for each section until its first statement, and
// header options are taken only where it holds; every line of the file is one line of each section.
#include "migrate/files/migration.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/embedded.h"
#include "base/error.h"
#include "base/file.h"
#include "base/sha256.h"
#include "base/units.h"
#include "base/utf8.h"
#include "migrate/sql/split.h"

namespace pantryd::migrate {
namespace {

constexpr std::size_t kFileLimitBytes = 16U << 20U;
constexpr std::size_t kFilesMax = 100'000;
constexpr std::string_view kSuffix = ".sql";
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr std::string_view kMark = "-- migrate:";
constexpr const char* kOptions =
    "Options are: no-transaction, lock-timeout 2s, statement-timeout 30m, allow RULE because "
    "REASON; sections are up and down.";

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

bool is_blank_line(std::string_view line) {
  const auto text = trimmed(line);
  return text.empty() || text.substr(0, 2) == "--";
}

bool is_blank_sql(std::string_view sql) {
  for (std::size_t at = 0; at < sql.size();) {
    const auto end = std::min(sql.find('\n', at), sql.size());
    if (!is_blank_line(sql.substr(at, end - at))) return false;
    at = end + 1;
  }
  return true;
}

/// Reads one file line by line.
class Reader {
 public:
  explicit Reader(const std::string& file_name) : file_name_(file_name) {}

  Migration read(std::string_view text) {
    for (std::size_t at = 0; at < text.size();) {
      const auto end = std::min(text.find('\n', at), text.size());
      take_line(text.substr(at, end - at));
      at = end + 1;
    }
    const auto above = split(preamble_);
    if (above.error || !above.statements.empty()) {
      fail(above.error ? above.error->line : above.statements.front().line,
           "there is SQL above the first section",
           "Write the statements below a line \"-- migrate:up\".");
    }
    return std::move(out_);
  }
  [[nodiscard]] bool has_up() const { return seen_[0]; }
  [[nodiscard]] bool has_down() const { return seen_[1]; }

 private:
  enum class Where { above, up, down };

  [[noreturn]] void fail(int line, const std::string& what, const std::string& hint) const {
    throw Error(ExitCode::usage, fmt::format("{}:{}: {}", file_name_, line, what), hint);
  }

  void take_line(std::string_view line) {
    ++line_;
    std::string_view kept;
    if (line.substr(0, kMark.size()) == kMark) {
      take_mark(trimmed(line.substr(kMark.size())));
    } else {
      kept = line;
      if (!is_blank_line(line)) open_ = false;
    }
    const auto put = [&](std::string& section, bool mine) {
      if (mine) section.append(kept);
      section.push_back('\n');
    };
    put(preamble_, where_ == Where::above);
    put(out_.up, where_ == Where::up);
    put(out_.down, where_ == Where::down);
  }

  void take_mark(std::string_view mark) {
    if (mark == "up" || mark == "down") {
      bool& seen = seen_[mark == "up" ? 0 : 1];
      if (seen) fail(line_, fmt::format("a second section {}{}", kMark, mark), kOptions);
      seen = true;
      where_ = mark == "up" ? Where::up : Where::down;
      open_ = true;
      return;
    }
    const auto space = std::min(mark.find_first_of(" \t"), mark.size());
    const auto name = mark.substr(0, space);
    const auto value = trimmed(mark.substr(space));
    if (!open_) fail(line_, "options stand above the statements of their section", kOptions);
    if (name == "no-transaction" && value.empty()) {
      each([](SectionOptions& options) { options.transaction = false; });
    } else if (name == "lock-timeout") {
      const auto limit = duration(name, value);
      each([&](SectionOptions& options) { options.lock_timeout = limit; });
    } else if (name == "statement-timeout") {
      const auto limit = duration(name, value);
      each([&](SectionOptions& options) { options.statement_timeout = limit; });
    } else if (name == "allow") {
      take_allowance(value);
    } else {
      fail(line_, fmt::format("unknown option {}{}", kMark, mark), kOptions);
    }
  }

  void take_allowance(std::string_view value) {
    constexpr std::string_view kBecause = " because ";
    const auto because = value.find(kBecause);
    const auto rule = trimmed(value.substr(0, because));
    if (because == std::string_view::npos || rule.empty() ||
        rule.find(' ') != std::string_view::npos) {
      fail(line_, "an allowance needs a rule and a reason",
           "Write: -- migrate:allow RULE because REASON");
    }
    out_.allowances.push_back(
        {std::string(rule), std::string(trimmed(value.substr(because + kBecause.size()))), line_});
  }

  [[nodiscard]] std::chrono::milliseconds duration(std::string_view name,
                                                   std::string_view value) const {
    // "30min" is how PostgreSQL itself writes it.
    std::string text(value);
    if (text.size() > 3 && text.substr(text.size() - 3) == "min") text.resize(text.size() - 2);
    const auto parsed = parse_duration(text);
    if (!parsed || parsed->count() == 0) {
      fail(line_, fmt::format("{} \"{}\" is not a duration", name, value),
           "Write a number and a unit: 250ms, 30s, 5m, 2h.");
    }
    return *parsed;
  }

  template <typename Set>
  void each(Set set) {
    if (where_ != Where::down) set(out_.up_options);
    if (where_ != Where::up) set(out_.down_options);
  }

  std::string file_name_;
  Migration out_;
  std::string preamble_;
  Where where_ = Where::above;
  bool open_ = true;
  bool seen_[2] = {false, false};
  int line_ = 0;
};

/// The text that is run: what `normalise` does but for blanks at the ends of lines, which may be
/// part of a string.
std::string with_unix_lines(std::string_view text) {
  if (text.substr(0, kByteOrderMark.size()) == kByteOrderMark) {
    text.remove_prefix(kByteOrderMark.size());
  }
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\r') {
      out.push_back(text[i]);
    } else if (i + 1 == text.size() || text[i + 1] != '\n') {
      out.push_back('\n');
    }
  }
  return out;
}

void require_text(const std::string& file_name, std::string_view raw) {
  const auto bad = find_not_text(raw);
  if (!bad) return;
  const auto line = 1 + std::count(raw.begin(), raw.begin() + static_cast<long>(*bad), '\n');
  throw Error(
      ExitCode::usage,
      fmt::format("{}:{}: byte {} of the file is not UTF-8 text", file_name, line, *bad + 1),
      "Save it as UTF-8.");
}

void read_name(const std::string& file_name, Migration& out) {
  const auto bad = [&]() -> Error {
    return {ExitCode::usage, fmt::format("{} is not named like a migration", file_name),
            "Name it NNN_what_it_does.sql, or R_what_it_makes.sql when it shall run again whenever "
            "it changes."};
  };
  if (file_name.size() <= kSuffix.size() ||
      file_name.substr(file_name.size() - kSuffix.size()) != kSuffix) {
    throw bad();
  }
  const bool odd = std::any_of(file_name.begin(), file_name.end(), [](char c) {
    return static_cast<unsigned char>(c) < ' ' || c == '\x7F';
  });
  if (odd || find_not_text(file_name)) throw bad();
  out.name = file_name.substr(0, file_name.size() - kSuffix.size());
  if (out.name.size() > 2 && out.name.substr(0, 2) == "R_") {
    out.kind = Kind::repeatable;
    return;
  }
  const char* end = out.name.data() + out.name.size();
  const auto [digits_end, failure] = std::from_chars(out.name.data(), end, out.version);
  if (failure == std::errc::result_out_of_range) {
    throw Error(ExitCode::usage, fmt::format("the number of {} is too large", file_name),
                "The largest is 9223372036854775807; a date and time such as 20261122093000 fits.");
  }
  if (failure != std::errc{} || out.version < 0 || digits_end == end || *digits_end != '_' ||
      out.name.front() == '-') {
    throw bad();
  }
}

std::vector<Migration> sorted(std::vector<Migration> all) {
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) {
    return std::tie(a.kind, a.version, a.name) < std::tie(b.kind, b.version, b.name);
  });
  for (std::size_t i = 1; i < all.size(); ++i) {
    if (all[i - 1].id() != all[i].id()) continue;
    throw Error(ExitCode::usage,
                fmt::format("{}.sql and {}.sql have the same number", all[i - 1].name, all[i].name),
                "Give one of them a number that is free.");
  }
  return all;
}

/// A name in capitals would be skipped without a word if it were not looked at, and so is refused.
bool ends_like_a_migration(const std::string& file_name) {
  if (file_name.size() < kSuffix.size()) return false;
  auto ending = file_name.substr(file_name.size() - kSuffix.size());
  for (char& c : ending) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  return ending == kSuffix;
}

/// Read once: what is checked, hashed and run is one and the same text.
std::string read_migration(const std::filesystem::path& path) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  // Whoever opens a FIFO waits for its writer, and a device has no end.
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status)) {
    throw Error(ExitCode::usage, fmt::format("{} is not a regular file", path.string()),
                "Take it out of the folder of the migrations, or give it another ending.");
  }
  return read_file(path, kFileLimitBytes);
}

}  // namespace

std::string_view to_string(Kind kind) {
  return kind == Kind::versioned ? "versioned" : "repeatable";
}

std::string Migration::id() const {
  return kind == Kind::versioned ? std::to_string(version) : name;
}

std::string normalise(std::string_view text) {
  std::string out;
  out.reserve(text.size() + 1);
  const auto trim_line = [&] {
    while (!out.empty() && (out.back() == ' ' || out.back() == '\t')) out.pop_back();
  };
  for (const char c : with_unix_lines(text)) {
    if (c == '\n') trim_line();
    out.push_back(c);
  }
  trim_line();
  while (!out.empty() && out.back() == '\n') out.pop_back();
  out.push_back('\n');
  return out;
}

Migration parse_file(const std::string& file_name, std::string_view raw) {
  Migration named;
  read_name(file_name, named);
  require_text(file_name, raw);
  Reader reader(file_name);
  auto out = reader.read(with_unix_lines(raw));
  out.version = named.version;
  out.name = named.name;
  out.kind = named.kind;
  if (!reader.has_up() || is_blank_sql(out.up)) {
    throw Error(ExitCode::usage, fmt::format("{} has nothing to run", file_name),
                "Write the statements below a line \"-- migrate:up\".");
  }
  if (out.kind == Kind::repeatable && reader.has_down()) {
    throw Error(ExitCode::usage, fmt::format("{} is repeatable and has a down section", file_name),
                "A repeatable migration is changed by editing it; drop the section.");
  }
  if (is_blank_sql(out.down)) out.down.clear();
  out.checksum = "sha256-v1:" + sha256_hex(normalise(raw));
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
    const auto name = at->path().filename().string();
    if (!ends_like_a_migration(name)) continue;
    if (out.size() >= kFilesMax) {
      throw Error(ExitCode::usage,
                  fmt::format("{} holds more than {} migrations", folder.string(), kFilesMax),
                  "Name the folder of the migrations with --dir.");
    }
    out.push_back(parse_file(name, read_migration(at->path())));
  }
  if (error) {
    throw Error(ExitCode::usage,
                fmt::format("cannot read the folder {}: {}", folder.string(), error.message()),
                "Name the folder of the migrations with --dir.");
  }
  if (out.empty()) {
    throw Error(ExitCode::usage, fmt::format("there are no migrations in {}", folder.string()),
                "Name the folder of the migrations with --dir.");
  }
  return sorted(std::move(out));
}

}  // namespace pantryd::migrate
