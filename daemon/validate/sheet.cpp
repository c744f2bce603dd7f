#include <fmt/format.h>

#include <set>

#include "base/embedded.h"
#include "base/error.h"
#include "base/file.h"
#include "base/units.h"
#include "base/yaml.h"
#include "validate/claim.h"

namespace pantryd::loadgen {
namespace {

constexpr std::size_t kFileLimitBytes = 1U << 20U;

Check check_of(const YamlValue& value) {
  static const std::map<std::string, Check> names{
      {"throughput", Check::throughput},   {"users", Check::users},
      {"latency", Check::latency},         {"backups", Check::backups},
      {"replication", Check::replication}, {"archive", Check::archive},
      {"durability", Check::durability}};
  return names.at(value.as_choice(
      {"throughput", "users", "latency", "backups", "replication", "archive", "durability"}));
}

double positive(const YamlValue& value) {
  const double number = value.as_number();
  if (!(number > 0) || number > 1e9) throw value.error("a number above zero is wanted here");
  return number;
}

std::int64_t size_of(const YamlValue& value) {
  const auto bytes = parse_size_bytes(value.as_text());
  if (!bytes) throw value.error("a size is wanted here", "Such as 64MB.");
  return *bytes;
}

Claim parse_claim(const YamlValue& item) {
  auto map = item.as_map();
  Claim out;
  out.id = map.require("id").as_text();
  out.text = map.require("text").as_text();
  out.check = check_of(map.require("check"));
  switch (out.check) {
    case Check::throughput:
      out.at_least = positive(map.require("at_least"));
      out.offered = positive(map.require("offered"));
      if (out.offered < out.at_least) {
        throw item.error("offered is below at_least: the claim could not come out true");
      }
      break;
    case Check::users:
      out.at_least = positive(map.require("at_least"));
      break;
    case Check::latency:
      out.limit = map.require("limit").as_duration();
      if (const auto users = map.find("users")) {
        out.users = static_cast<double>(users->as_integer(1, 1000));
      }
      break;
    case Check::replication:
      if (const auto value = map.find("lag_limit")) out.lag_limit_bytes = size_of(*value);
      break;
    case Check::archive:
      if (const auto value = map.find("wait_limit")) out.wait_limit = value->as_duration();
      break;
    case Check::backups:
    case Check::durability:
      break;
  }
  map.done();
  return out;
}

}  // namespace

std::vector<Claim> parse_claims(const std::string& text, const std::string& source_name) {
  auto map = YamlValue::parse(text, source_name).as_map();
  (void)map.require("version").as_integer(1, 1);
  std::vector<Claim> out;
  std::set<std::string> ids;
  const auto claims = map.require("claims");
  for (const auto& item : claims.as_list()) {
    out.push_back(parse_claim(item));
    if (!ids.insert(out.back().id).second) {
      throw item.error(fmt::format("the claim {} is there twice", out.back().id));
    }
  }
  if (out.empty()) throw claims.error("no claim is listed");
  map.done();
  return out;
}

std::vector<Claim> load_claims(const std::string& path) {
  if (!path.empty()) return parse_claims(read_file(path, kFileLimitBytes), path);
  for (const auto& file : embedded::config()) {
    if (file.name == "claims.yaml") return parse_claims(std::string(file.content), "claims.yaml");
  }
  throw Error(ExitCode::failed, "this binary holds no claims");
}

}  // namespace pantryd::loadgen
