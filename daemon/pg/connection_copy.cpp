// Rows in bulk, in and out. Between two calls of an open COPY the connection is busy, and nothing
// else may use it.
#include <fmt/format.h>
#include <libpq-fe.h>
#include <poll.h>

#include "base/wait.h"
#include "pg/internal/connection_state.h"
#include "pg/sqlstate.h"

namespace pantryd::pg {
namespace {

/// What stands for a byte after a backslash (COPY, "Text Format").
char unescaped(char code) {
  switch (code) {
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case 'v':
      return '\v';
    default:
      return code;
  }
}

}  // namespace

CopiedRow parse_copied_row(std::string_view line) {
  if (!line.empty() && line.back() == '\n') line.remove_suffix(1);
  CopiedRow out;
  for (bool more = true; more;) {
    const auto tab = line.find('\t');
    const auto field = line.substr(0, tab);
    more = tab != std::string_view::npos;
    if (more) line.remove_prefix(tab + 1);
    if (field == "\\N") {
      out.emplace_back();
      continue;
    }
    std::string text;
    for (std::size_t i = 0; i < field.size(); ++i) {
      const bool escapes = field[i] == '\\' && i + 1 < field.size();
      text += escapes ? unescaped(field[++i]) : field[i];
    }
    out.emplace_back(std::move(text));
  }
  return out;
}

void Connection::copy_begin(const std::string& sql, Deadline deadline) {
  if (broken()) fail_lost("a COPY");
  state_->note(sql);
  if (PQsendQuery(state_->session, sql.c_str()) == 0) fail_lost("a COPY");
  finish(deadline, "a COPY");
}

void Connection::copy_put(std::span<const char> data, Deadline deadline) {
  if (broken()) fail_lost("a COPY");
  for (;;) {
    const int queued = PQputCopyData(state_->session, data.data(), static_cast<int>(data.size()));
    if (queued < 0) fail_lost("a COPY");
    if (queued > 0) break;
    wait_until_flushed(deadline);
  }
  // Keeps libpq's buffer small: what it holds is memory of ours.
  wait_until_flushed(deadline);
}

std::int64_t Connection::copy_end(Deadline deadline) {
  if (broken()) fail_lost("a COPY");
  while (PQputCopyEnd(state_->session, nullptr) == 0) wait_until_flushed(deadline);
  return finish(deadline, "a COPY").affected();
}

void Connection::copy_abort(const std::string& reason, Deadline deadline) noexcept {
  if (broken()) return;
  try {
    PQputCopyEnd(state_->session, reason.c_str());
    finish(deadline, "a COPY");
  } catch (const PgError& error) {
    if (error.failure() != Failure::statement) state_->close();
  } catch (...) {
    state_->close();
  }
}

/// What is left of a COPY out. False: it did not end in time.
bool Connection::drop_copied(Deadline deadline) {
  for (;;) {
    char* line = nullptr;
    const int length = PQgetCopyData(state_->session, &line, 1);
    PQfreemem(line);
    if (length > 0) continue;
    if (length < 0) return true;  // what follows is its result
    if (wait_ready(PQsocket(state_->session), POLLIN, deadline, nullptr) != Ready::yes)
      return false;
    if (PQconsumeInput(state_->session) == 0) return false;
  }
}

std::vector<CopiedRow> Connection::copy_out(const std::string& sql, std::size_t rows_max,
                                            Deadline deadline) {
  copy_begin(sql, deadline);
  const auto give_up = [&](Failure failure, std::string_view code, const std::string& why) {
    if (!cancel_and_drain(Deadline::in(kCancelBudget))) state_->close();
    throw PgError(failure, std::string(code),
                  fmt::format("a COPY on {} {}", state_->where.display(), why));
  };
  std::vector<CopiedRow> out;
  for (;;) {
    char* line = nullptr;
    const int length = PQgetCopyData(state_->session, &line, 1);
    const std::unique_ptr<char, decltype(&PQfreemem)> owned(line, &PQfreemem);
    if (length > 0) {
      if (out.size() == rows_max) {
        give_up(Failure::statement, sqlstate::kProgramLimit,
                fmt::format("returned more than {} rows", rows_max));
      }
      out.push_back(parse_copied_row({line, static_cast<std::size_t>(length)}));
      continue;
    }
    if (length < 0) break;
    const auto ready = wait_ready(PQsocket(state_->session), POLLIN, deadline, state_->stop);
    if (ready == Ready::stopped)
      give_up(Failure::stopped, sqlstate::kQueryCanceled, "was interrupted");
    if (ready == Ready::deadline) {
      give_up(Failure::timeout, sqlstate::kQueryCanceled, "was not done within its time limit");
    }
    if (PQconsumeInput(state_->session) == 0) fail_lost("a COPY");
  }
  finish(deadline, "a COPY");
  return out;
}

}  // namespace pantryd::pg
