// Roles, grants and functions that run as somebody else. No finding repeats a password.
#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "migrate/lint/walk.h"

namespace pantryd::migrate {
namespace {

void password(LintWalk& walk, const std::string& role) {
  walk.report({"password-in-plain-text",
               "the password stays readable in this file, in its history and in the server's log "
               "(no lock is involved)",
               fmt::format("-- in psql, which sends a hash:\n\\password {}", quote_name(role))});
}

void role_options(LintWalk& walk, const Json& body) {
  auto role = text_of(body, "role");
  if (role.empty()) role = text_of(child(body, "role"), "rolename");
  const auto& options = child(body, "options");
  if (!options.is_array()) return;
  for (const auto& each : options) {
    const auto& option = child(each, "DefElem");
    if (text_of(option, "defname") != "password") continue;
    const auto value = text_of(child(child(option, "arg"), "String"), "sval");
    const bool hashed = value.rfind("SCRAM-SHA-256$", 0) == 0;
    if (!value.empty() && !hashed) password(walk, role);
  }
}

void connection_secret(LintWalk& walk, const Json& body) {
  bool found = text_of(body, "conninfo").find("password") != std::string::npos;
  visit(child(body, "options"), [&](const std::string& kind, const Json& node) {
    found = found || (kind == "DefElem" && text_of(node, "defname") == "password");
  });
  if (!found) return;
  walk.report({"password-in-plain-text",
               "the password stays readable in this file, in its history and in the catalogue "
               "(no lock is involved)",
               "-- Use a password file or a certificate on the server."});
}

void grant(LintWalk& walk, const Json& body) {
  const auto& grantees = child(body, "grantees");
  if (!flag(body, "is_grant") || !grantees.is_array()) return;
  for (const auto& each : grantees) {
    if (text_of(child(each, "RoleSpec"), "roletype") != "ROLESPEC_PUBLIC") continue;
    auto safe = walk.text();
    const auto& tokens = walk.sql.tokens();
    for (auto i = walk.sql.token_at(walk.current->begin); i < tokens.size(); ++i) {
      if (tokens[i].begin >= walk.current->end) break;
      if (walk.sql.is_word(i, "to") && walk.sql.is_word(i + 1, "public")) {
        safe = std::string(walk.sql.slice(walk.current->begin, tokens[i].end)) + " ROLE" +
               std::string(walk.sql.slice(tokens[i + 1].end, walk.current->end));
      }
    }
    walk.report({"grant-to-public",
                 "PUBLIC is every role there is and every role there will be (no lock is involved)",
                 "-- name the role that needs it:\n" + safe + ";"});
    return;
  }
}

void create_function(LintWalk& walk, const Json& body) {
  bool definer = false;
  bool has_path = false;
  const auto& options = child(body, "options");
  if (!options.is_array()) return;
  for (const auto& each : options) {
    const auto& option = child(each, "DefElem");
    const auto name = text_of(option, "defname");
    if (name == "security") {
      definer = flag(child(child(option, "arg"), "Boolean"), "boolval");
    } else if (name == "set") {
      const auto& set = child(child(option, "arg"), "VariableSetStmt");
      has_path = has_path || text_of(set, "name") == "search_path";
    }
  }
  if (!definer || has_path) return;
  walk.report({"security-definer-without-search-path",
               "its caller chooses the search_path, and so which functions run with the rights of "
               "its owner (no lock is involved)",
               fmt::format("ALTER FUNCTION {} SET search_path = pg_catalog, public, pg_temp;",
                           LintWalk::sql_name(names_of(child(body, "funcname"))))});
}

}  // namespace

void judge_security(LintWalk& walk) {
  const auto& kind = walk.current->kind;
  const auto& body = walk.current->body;
  if (kind == "CreateRoleStmt" || kind == "AlterRoleStmt") role_options(walk, body);
  if (kind == "CreateUserMappingStmt" || kind == "AlterUserMappingStmt" ||
      kind == "CreateSubscriptionStmt" || kind == "AlterSubscriptionStmt") {
    connection_secret(walk, body);
  }
  if (kind == "GrantStmt") grant(walk, body);
  if (kind == "AlterDefaultPrivilegesStmt") grant(walk, child(body, "action"));
  if (kind == "CreateFunctionStmt") create_function(walk, body);
}

}  // namespace pantryd::migrate
