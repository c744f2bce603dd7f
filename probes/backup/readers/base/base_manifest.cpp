// Invariant: depth_ is the number of open objects and arrays; a file is an object at depth 3 in
// "Files", a range one in "WAL-Ranges".
#include "probes/backup/readers/base/base_manifest.h"

#include <ctime>
#include <nlohmann/json.hpp>

namespace pantryd::backup {
namespace {

constexpr std::size_t kWalRangesMax = 1000;
constexpr int kDepthMax = 8;
constexpr std::size_t kTextBytesMax = 64U << 10U;

class ManifestSax : public nlohmann::json_sax<nlohmann::json> {
 public:
  ManifestSax(Manifest& manifest, const std::function<bool(const ManifestFile&)>& each)
      : manifest_(manifest), each_(each) {}

  bool null() override { return true; }
  bool boolean(bool /*value*/) override { return true; }
  bool number_float(double /*value*/, const std::string& /*text*/) override { return true; }
  bool binary(binary_t& /*value*/) override { return false; }
  bool number_integer(number_integer_t value) override { return value >= 0 && number(value); }
  bool number_unsigned(number_unsigned_t value) override {
    // A 64-bit identifier; a double would lose its last digits.
    if (depth_ == 1 && key_ == "System-Identifier") manifest_.system_identifier = value;
    return number(static_cast<std::int64_t>(value));
  }
  bool string(string_t& value) override {
    if (value.size() > kTextBytesMax) return false;
    if (depth_ == 1 && key_ == "Manifest-Checksum") manifest_.closed = true;
    if (in_files()) {
      if (key_ == "Path") file_.path = value;
      if (key_ == "Last-Modified") file_.last_modified = value;
    } else if (in_ranges() && (key_ == "Start-LSN" || key_ == "End-LSN")) {
      const auto lsn = pg::Lsn::parse(value);
      if (!lsn) return false;
      (key_ == "Start-LSN" ? range_.start : range_.end) = *lsn;
    }
    return true;
  }
  bool start_object(std::size_t /*elements*/) override {
    file_ = {};
    range_ = {};
    return ++depth_ <= kDepthMax;
  }
  bool end_object() override {
    bool go_on = true;
    if (in_files()) {
      ++manifest_.files;
      manifest_.size_bytes += file_.size_bytes;
      go_on = each_(file_);
    } else if (in_ranges() && manifest_.wal_ranges.size() < kWalRangesMax) {
      manifest_.wal_ranges.push_back(range_);
    }
    --depth_;
    return go_on;
  }
  bool key(string_t& value) override {
    key_ = value;
    if (depth_ == 1) section_ = value;
    return true;
  }
  bool start_array(std::size_t /*elements*/) override { return ++depth_ <= kDepthMax; }
  bool end_array() override {
    --depth_;
    return true;
  }
  bool parse_error(std::size_t /*position*/, const std::string& /*token*/,
                   const nlohmann::detail::exception& /*error*/) override {
    return false;
  }

 private:
  [[nodiscard]] bool in_files() const { return depth_ == 3 && section_ == "Files"; }
  [[nodiscard]] bool in_ranges() const { return depth_ == 3 && section_ == "WAL-Ranges"; }
  bool number(std::int64_t value) {
    if (depth_ == 1 && key_ == "PostgreSQL-Backup-Manifest-Version") manifest_.version = value;
    if (in_files() && key_ == "Size") file_.size_bytes = value;
    if (in_ranges() && key_ == "Timeline") range_.timeline = static_cast<std::uint32_t>(value);
    return true;
  }

  Manifest& manifest_;
  const std::function<bool(const ManifestFile&)>& each_;
  int depth_ = 0;
  std::string section_;
  std::string key_;
  ManifestFile file_;
  WalRange range_;
};

}  // namespace

bool parse_manifest(std::istream& text, Manifest& manifest,
                    const std::function<bool(const ManifestFile&)>& each) {
  ManifestSax handler(manifest, each);
  return nlohmann::json::sax_parse(text, &handler) && manifest.version > 0 && manifest.closed;
}

std::optional<WallClock::time_point> parse_gmt(const std::string& text) {
  std::tm fields{};
  const char* rest = ::strptime(text.c_str(), "%Y-%m-%d %H:%M:%S", &fields);
  if (rest == nullptr) return std::nullopt;
  const std::string zone(rest);
  if (zone != " GMT" && zone != " UTC") return std::nullopt;
  return WallClock::from_time_t(::timegm(&fields));
}

}  // namespace pantryd::backup
