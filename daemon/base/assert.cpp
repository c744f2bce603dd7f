// Writes straight to the file descriptor, because the logger may be what is broken.
#include "base/assert.h"

#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>

namespace pantryd {

void assertion_failed(const char* condition, const char* file, int line) noexcept {
  std::array<char, 1024> text{};
  const int length =
      std::snprintf(text.data(), text.size(), "pantryd: %s:%d: the invariant %s does not hold\n",
                    file, line, condition);
  if (length > 0) {
    const auto wanted = static_cast<std::size_t>(length);
    const auto size = wanted < text.size() ? wanted : text.size() - 1;
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text.data(), size);
  }
  std::abort();
}

}  // namespace pantryd
