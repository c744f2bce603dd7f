// SQLSTATE codes that pantryd decides by (PostgreSQL manual, appendix A).
#pragma once

#include <string_view>

namespace pantryd::pg::sqlstate {

inline constexpr std::string_view kConnectionFailure = "08006";
inline constexpr std::string_view kProtocolViolation = "08P01";
inline constexpr std::string_view kFeatureNotSupported = "0A000";
inline constexpr std::string_view kInvalidAuthorization = "28000";
inline constexpr std::string_view kInvalidPassword = "28P01";
inline constexpr std::string_view kInvalidCatalogName = "3D000";
inline constexpr std::string_view kUniqueViolation = "23505";
inline constexpr std::string_view kSerializationFailure = "40001";
inline constexpr std::string_view kDeadlockDetected = "40P01";
inline constexpr std::string_view kInsufficientPrivilege = "42501";
inline constexpr std::string_view kUndefinedTable = "42P01";
inline constexpr std::string_view kTooManyConnections = "53300";
inline constexpr std::string_view kDiskFull = "53100";
inline constexpr std::string_view kProgramLimit = "54000";
inline constexpr std::string_view kLockNotAvailable = "55P03";
inline constexpr std::string_view kQueryCanceled = "57014";
inline constexpr std::string_view kAdminShutdown = "57P01";
inline constexpr std::string_view kCrashShutdown = "57P02";
inline constexpr std::string_view kCannotConnectNow = "57P03";
inline constexpr std::string_view kInvalidStatementName = "26000";
inline constexpr std::string_view kDuplicateStatement = "42P05";
inline constexpr std::string_view kReadOnlyTransaction = "25006";

/// True for an error after which the same transaction may succeed when tried again.
[[nodiscard]] constexpr bool is_retryable(std::string_view code) {
  return code == kSerializationFailure || code == kDeadlockDetected;
}

/// True when the error says that the server ended the session.
[[nodiscard]] constexpr bool ends_session(std::string_view code) {
  return code == kAdminShutdown || code == kCrashShutdown || code == kCannotConnectNow ||
         code.substr(0, 2) == "08";
}

}  // namespace pantryd::pg::sqlstate
