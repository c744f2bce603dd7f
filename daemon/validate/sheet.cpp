// Reads sheets and asks each claim's check. Invariant: PASS and FAIL have no reason, INCONCLUSIVE
// and INVALID have one.
#include "validate/sheet.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/assert.h"
#include "base/embedded.h"
#include "base/error.h"
#include "base/file.h"
#include "base/yaml.h"
#include "validate/check.h"

namespace pantryd::validate {
namespace {

constexpr std::size_t kFileLimitBytes = 1U << 20U;

const Check* check_of(const YamlValue& value) {
  const auto name = value.as_text();
  if (const auto* found = find_check(name)) return found;
  std::string all;
  for (const auto* each : checks()) all += fmt::format("{}{}", all.empty() ? "" : ", ", each->name);
  throw value.error(fmt::format("\"{}\" is not one of: {}", name, all));
}

Claim parse_claim(const YamlValue& item) {
  auto map = item.as_map();
  Claim out;
  out.id = map.require("id").as_text();
  out.text = map.require("text").as_text();
  out.check = check_of(map.require("check"));
  out.keys = out.check->parse(map);
  map.done();
  return out;
}

template <typename Item>
void add_new(std::vector<Item>& all, const std::vector<Item>& more) {
  for (const auto& each : more) {
    if (std::find(all.begin(), all.end(), each) == all.end()) all.push_back(each);
  }
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
      throw item.error(fmt::format("the claim {} appears twice", out.back().id));
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

Needs needs_of(const std::vector<Claim>& claims) {
  Needs out;
  for (const auto& claim : claims) {
    const auto needs = claim.check->needs(claim.keys);
    add_new(out.loads, needs.loads);
    add_new(out.queries, needs.queries);
  }
  return out;
}

std::vector<ClaimVerdict> judge_claims(const std::vector<Claim>& claims, const Evidence& evidence) {
  std::vector<ClaimVerdict> out;
  for (const auto& claim : claims) {
    ClaimVerdict verdict{claim.check->judge(claim.keys, evidence), claim, {}};
    for (const auto& need : claim.check->needs(claim.keys).loads) {
      const auto* run = evidence.load(need);
      if (run != nullptr && run->result) verdict.runs.push_back(run->file);
    }
    const bool decided = verdict.verdict == Verdict::pass || verdict.verdict == Verdict::fail;
    PANTRYD_ASSERT(decided != verdict.reason.has_value());
    if (verdict.measured.empty()) verdict.measured = "not measured";
    out.push_back(std::move(verdict));
  }
  return out;
}

}  // namespace pantryd::validate
