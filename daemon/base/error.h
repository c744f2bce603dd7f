// What every failure that crosses a module edge looks like: one line for a person, one hint that
// says what to do next, and the exit code a script may rely on.
#pragma once

#include <stdexcept>
#include <string>

namespace pantryd {

/// Exit codes of the command line. Scripts rely on them: values never change meaning.
enum class ExitCode : int {
  ok = 0,            ///< done, or every claim PASS
  failed = 1,        ///< failed, or a claim FAIL
  usage = 2,         ///< usage or configuration
  pending = 3,       ///< migrations are pending (`migrate status --check`)
  drift = 4,         ///< the catalogue or the files drifted
  lock = 5,          ///< a lock could not be obtained in time
  lint = 6,          ///< lint refused
  inconclusive = 7,  ///< no FAIL, but something INCONCLUSIVE or INVALID
  unreachable = 8,   ///< the server cannot be reached or refuses us
  unwritten = 9,     ///< the result was printed, but could not be written to its file
};

class Error : public std::runtime_error {
 public:
  /// `message` is one sentence without a full stop; line breaks in it are folded to spaces.
  /// `hint` is a whole sentence, and may be empty. Neither may hold a password.
  Error(ExitCode code, const std::string& message, std::string hint = {});

  [[nodiscard]] ExitCode code() const noexcept { return code_; }
  [[nodiscard]] const std::string& hint() const noexcept { return hint_; }

  /// "pantryd: MESSAGE\nHINT: HINT\n", what the command line prints on standard error.
  [[nodiscard]] std::string render() const;
  /// "MESSAGE HINT: HINT", or the message alone: what a line of the log holds.
  [[nodiscard]] std::string in_one_line() const;

 private:
  ExitCode code_;
  std::string hint_;
};

/// Folds every run of white space (line breaks too) into one space and trims both ends.
[[nodiscard]] std::string one_line(std::string_view text);

}  // namespace pantryd
