// Reads the configuration file into settings and writes settings as a file; it keeps nothing.
#include "settings/settings.h"

#include <fmt/format.h>
#include <yaml-cpp/emitter.h>

#include <charconv>
#include <set>

#include "base/error.h"
#include "base/file.h"
#include "base/units.h"
#include "base/yaml.h"

namespace pantryd {
namespace {

constexpr std::size_t kConfigLimitBytes = 4U << 20U;

HttpSettings parse_http(YamlMap map) {
  HttpSettings out;
  if (const auto listen = map.find("listen")) {
    const auto text = listen->as_text();
    const auto colon = text.rfind(':');
    int port = 0;
    if (colon != std::string::npos) {
      const char* end = text.data() + text.size();
      const auto [stop, failure] = std::from_chars(text.data() + colon + 1, end, port);
      if (failure != std::errc{} || stop != end) port = 0;
    }
    if (port < 1 || port > 65'535 || colon == 0) {
      throw listen->error(fmt::format("\"{}\" is not ADDRESS:PORT", text),
                          "For example 127.0.0.1:9788.");
    }
    out.address = text.substr(0, colon);
    out.port = static_cast<std::uint16_t>(port);
  }
  map.done();
  return out;
}

DatabaseSettings parse_databases(YamlMap map) {
  DatabaseSettings out;
  if (const auto value = map.find("include")) out.include = value->as_texts();
  if (const auto value = map.find("exclude")) out.exclude = value->as_texts();
  map.done();
  return out;
}

std::vector<PlacedName> parse_names(const YamlValue& value) {
  std::vector<PlacedName> out;
  for (const auto& item : value.as_list()) out.emplace_back(item.as_text(), item.place());
  return out;
}

ProbeSettings parse_probes(YamlMap map) {
  ProbeSettings out;
  if (const auto value = map.find("connect_timeout")) out.connect_timeout = value->as_duration();
  if (const auto value = map.find("lock_timeout")) out.lock_timeout = value->as_duration();
  if (const auto value = map.find("statements_max")) {
    out.statements_max = static_cast<std::int32_t>(value->as_integer(1, 5000));
  }
  if (const auto value = map.find("statement_texts")) out.statement_texts = value->as_boolean();
  if (const auto value = map.find("relations_max")) {
    out.relations_max = static_cast<std::int32_t>(value->as_integer(1, 100'000));
  }
  if (const auto value = map.find("busy_share")) {
    out.busy_share = value->as_number();
    if (out.busy_share <= 0 || out.busy_share > 1) {
      throw value->error("the share is not between 0 and 1", "0.02 is two percent.");
    }
  }
  if (const auto value = map.find("cost_max")) {
    out.cost_max = value->as_choice({"low", "medium", "high"});
  }
  if (const auto value = map.find("folder")) out.folder = value->as_text();
  if (const auto value = map.find("enable")) out.enable = parse_names(*value);
  if (const auto value = map.find("disable")) out.disable = parse_names(*value);
  map.done();
  return out;
}

BackupSettings parse_backup(YamlMap map) {
  BackupSettings out;
  out.name = map.require("name").as_text();
  const auto kind = map.require("kind");
  out.kind = {kind.as_text(), kind.place()};
  out.path = map.require("path").as_text();
  if (const auto value = map.find("age_limit")) out.age_limit = value->as_duration();
  map.done();
  return out;
}

pg::Conninfo parse_dsn(const YamlValue& value) {
  try {
    return pg::Conninfo::parse(value.as_text());
  } catch (const Error& error) {
    throw value.error(error.what(), error.hint());
  }
}

PgBouncerSettings parse_pgbouncer(YamlMap map) {
  PgBouncerSettings out;
  out.dsn = parse_dsn(map.require("dsn"));
  if (const auto value = map.find("password_file")) out.password_file = value->as_text();
  map.done();
  return out;
}

DiskSettings parse_disks(YamlMap map) {
  DiskSettings out;
  if (const auto value = map.find("data")) out.data = value->as_text();
  if (const auto value = map.find("wal")) out.wal = value->as_text();
  map.done();
  return out;
}

pg::Conninfo with_password(const pg::Conninfo& dsn, const std::filesystem::path& password_file) {
  if (password_file.empty()) return dsn;
  return dsn.with("password", one_line(read_file(password_file, 64U << 10U)));
}

TargetSettings parse_target(YamlMap map, const PoolSection& pool,
                            std::vector<std::string>& warnings) {
  TargetSettings out;
  out.name = map.require("name").as_text();
  out.dsn = parse_dsn(map.require("dsn"));
  if (const auto value = map.find("password_file")) out.password_file = value->as_text();
  if (const auto value = map.find("databases")) out.databases = parse_databases(value->as_map());
  out.pool = pool.keys;
  if (const auto own = map.find("pool")) out.pool = read_pool(own->as_map(), pool, warnings).keys;
  if (const auto value = map.find("pgbouncer")) out.pgbouncer = parse_pgbouncer(value->as_map());
  if (const auto value = map.find("disks")) out.disks = parse_disks(value->as_map());
  if (const auto backups = map.find("backups")) {
    std::set<std::string> names;
    for (const auto& item : backups->as_list()) {
      out.backups.push_back(parse_backup(item.as_map()));
      if (!names.insert(out.backups.back().name).second) {
        throw item.error(fmt::format("two backups are called \"{}\"", out.backups.back().name));
      }
    }
  }
  map.done();
  return out;
}

}  // namespace

pg::Conninfo TargetSettings::login() const {
  return with_password(dsn, password_file);
}

pg::Conninfo PgBouncerSettings::login() const {
  return with_password(dsn, password_file);
}

Settings Settings::parse(const std::string& text, const std::string& source_name) {
  Settings out;
  auto map = YamlValue::parse(text, source_name).as_map();
  if (const auto http = map.find("http")) out.http = parse_http(http->as_map());
  if (const auto probes = map.find("probes")) out.probes = parse_probes(probes->as_map());
  PoolSection pool;
  if (const auto value = map.find("pool")) pool = read_pool(value->as_map(), {}, out.warnings);
  out.pool = pool.keys;
  const auto targets = map.require("targets");
  std::set<std::string> names;
  for (const auto& item : targets.as_list()) {
    out.targets.push_back(parse_target(item.as_map(), pool, out.warnings));
    if (!names.insert(out.targets.back().name).second) {
      throw item.error(fmt::format("two targets are called \"{}\"", out.targets.back().name));
    }
  }
  if (out.targets.empty()) throw targets.error("no target is listed");
  map.done();
  return out;
}

Settings Settings::load(const std::filesystem::path& file) {
  return parse(read_file(file, kConfigLimitBytes), file.string());
}

Settings Settings::for_single_target(pg::Conninfo dsn) {
  Settings out;
  TargetSettings target;
  target.name = "main";
  target.dsn = std::move(dsn);
  out.targets.push_back(std::move(target));
  return out;
}

namespace {

/// As YAML, whatever is in it.
std::string quoted(const std::string& text) {
  YAML::Emitter out;
  out << YAML::DoubleQuoted << text;
  return out.c_str();
}

std::string list_of(const char* indent, const char* key, const std::vector<std::string>& names) {
  std::string out = fmt::format("{}{}: [", indent, key);
  for (const auto& name : names) {
    out += fmt::format("{}{}", &name == &names.front() ? "" : ", ", quoted(name));
  }
  return out + "]\n";
}

std::string list_of(const char* indent, const char* key, const std::vector<PlacedName>& names) {
  std::vector<std::string> texts;
  for (const auto& name : names) texts.push_back(name.text);
  return texts.empty() ? "" : list_of(indent, key, texts);
}

std::string login_of(const std::string& indent, const pg::Conninfo& dsn,
                     const std::filesystem::path& password_file) {
  const auto masked = dsn.masked();
  auto out = fmt::format("dsn: {}\n", quoted(masked.empty() ? "postgresql://" : masked));
  if (!password_file.empty()) {
    out += fmt::format("{}password_file: {}\n", indent, quoted(password_file.string()));
  }
  return out;
}

std::string shown(const ProbeSettings& probes) {
  auto out =
      fmt::format("probes:\n  connect_timeout: {}\n  lock_timeout: {}\n",
                  exact_duration(probes.connect_timeout), exact_duration(probes.lock_timeout));
  out += fmt::format("  statements_max: {}\n  statement_texts: {}\n  relations_max: {}\n",
                     probes.statements_max, probes.statement_texts, probes.relations_max);
  out += fmt::format("  busy_share: {}\n  cost_max: {}\n", probes.busy_share, probes.cost_max);
  if (!probes.folder.empty()) out += fmt::format("  folder: {}\n", quoted(probes.folder.string()));
  return out + list_of("  ", "enable", probes.enable) + list_of("  ", "disable", probes.disable);
}

std::string shown(const TargetSettings& target, const PoolKeys& top) {
  auto out = fmt::format("  - name: {}\n    ", quoted(target.name)) +
             login_of("    ", target.dsn, target.password_file);
  if (!(target.databases == DatabaseSettings{})) {
    out += "    databases:\n" + list_of("      ", "include", target.databases.include) +
           list_of("      ", "exclude", target.databases.exclude);
  }
  if (target.pgbouncer) {
    out += "    pgbouncer:\n      " +
           login_of("      ", target.pgbouncer->dsn, target.pgbouncer->password_file);
  }
  if (!(target.disks == DiskSettings{})) out += "    disks:\n";
  for (const auto& [key, path] :
       {std::pair{"data", target.disks.data}, std::pair{"wal", target.disks.wal}}) {
    if (!path.empty()) out += fmt::format("      {}: {}\n", key, quoted(path.string()));
  }
  const auto own = target.pool.show("      ", &top);
  if (!own.empty()) {
    out += "    pool:\n" + own;
  } else if (target.pool.configured != top.configured) {
    out += "    pool: {}\n";
  }
  if (!target.backups.empty()) out += "    backups:\n";
  for (const auto& backup : target.backups) {
    out +=
        fmt::format("      - name: {}\n        kind: {}\n        path: {}\n        age_limit: {}\n",
                    quoted(backup.name), quoted(backup.kind.text), quoted(backup.path.string()),
                    exact_duration(backup.age_limit));
  }
  return out;
}

}  // namespace

std::string Settings::show() const {
  auto out =
      fmt::format("http:\n  listen: {}\n", quoted(fmt::format("{}:{}", http.address, http.port)));
  out += shown(probes);
  // Without a section pool: some commands choose their own sizes, and must do so again.
  const std::string comment = pool.configured ? "" : "# ";
  out += fmt::format("{}pool:\n{}", comment, pool.show(comment + "  "));
  out += "targets:\n";
  for (const auto& target : targets) out += shown(target, pool);
  return out;
}

}  // namespace pantryd
