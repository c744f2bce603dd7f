// Invariant while a file is read: every line of the file is one line of each section, empty in all
// but its own, so that line N of a section is line N of the file.
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
constexpr std::string_view kSuffix = ".sql";
constexpr const char* kOptions =
    "Options are: no-transaction, lock-timeout 2s, statement-timeout 30m, allow RULE because "
    "REASON; sections are up and down.";

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
    each_line(text, [this](const FileLine& line) { take_line(line); });
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
  [[noreturn]] void fail(int line, const std::string& what, const std::string& hint) const {
    throw Error(ExitCode::usage, fmt::format("{}:{}: {}", file_name_, line, what), hint);
  }

  void take_line(const FileLine& line) {
    if (line.header) take_header(line, *line.header);
    const auto put = [&](std::string& section, Section which) {
      if (line.section == which && !line.header) section.append(line.text);
      section.push_back('\n');
    };
    put(preamble_, Section::above);
    put(out_.up, Section::up);
    put(out_.down, Section::down);
  }

  void take_header(const FileLine& line, const Header& header) {
    if (header.kind == HeaderKind::up || header.kind == HeaderKind::down) {
      bool& seen = seen_[header.kind == HeaderKind::up ? 0 : 1];
      if (seen) {
        fail(line.number, fmt::format("a second section {}{}", kHeaderMark, header.text), kOptions);
      }
      seen = true;
      return;
    }
    if (!line.open) {
      fail(line.number, "options stand above the statements of their section", kOptions);
    }
    if (header.kind == HeaderKind::no_transaction && header.value.empty()) {
      each(line, [](SectionOptions& options) { options.transaction = false; });
    } else if (header.kind == HeaderKind::lock_timeout) {
      const auto limit = duration(line, header);
      each(line, [&](SectionOptions& options) { options.lock_timeout = limit; });
    } else if (header.kind == HeaderKind::statement_timeout) {
      const auto limit = duration(line, header);
      each(line, [&](SectionOptions& options) { options.statement_timeout = limit; });
    } else if (header.kind == HeaderKind::allow) {
      auto allowance = read_allowance(header.value, line.number);
      if (allowance.rule.empty() || allowance.reason.empty()) {
        fail(line.number, "an allowance needs a rule and a reason",
             "Write: -- migrate:allow RULE because REASON");
      }
      out_.allowances.push_back(std::move(allowance));
    } else {
      fail(line.number, fmt::format("unknown option {}{}", kHeaderMark, header.text), kOptions);
    }
  }

  [[nodiscard]] std::chrono::milliseconds duration(const FileLine& line,
                                                   const Header& header) const {
    // "30min" is how PostgreSQL itself writes it.
    std::string text(header.value);
    if (text.size() > 3 && text.substr(text.size() - 3) == "min") text.resize(text.size() - 2);
    const auto parsed = parse_duration(text);
    if (!parsed || parsed->count() == 0) {
      const auto name = header.text.substr(0, header.text.find_first_of(" \t"));
      fail(line.number, fmt::format("{} \"{}\" is not a duration", name, header.value),
           "Write a number and a unit: 250ms, 30s, 5m, 2h.");
    }
    return *parsed;
  }

  template <typename Set>
  void each(const FileLine& line, Set set) {
    if (line.section != Section::down) set(out_.up_options);
    if (line.section != Section::up) set(out_.down_options);
  }

  std::string file_name_;
  Migration out_;
  std::string preamble_;
  bool seen_[2] = {false, false};
};

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
    return {
        ExitCode::usage, fmt::format("{} is not named like a migration", file_name),
        "Name it NNN_what_it_does.sql, or R_what_it_makes.sql when it has to run again whenever "
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
  for (const char c : unix_lines(text)) {
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
  auto out = reader.read(unix_lines(raw));
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
    if (out.size() >= kMigrationFilesMax) {
      throw Error(
          ExitCode::usage,
          fmt::format("{} holds more than {} migrations", folder.string(), kMigrationFilesMax),
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
