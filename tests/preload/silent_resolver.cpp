// A resolver that hears and says nothing: whoever looks a name up waits for ten minutes. Addresses
// are answered as ever. Preloaded, since a resolver at port 53 and a resolv.conf of one's own need
// root. That it was asked is told by the file that SILENT_RESOLVER_ASKED names.
#include <dlfcn.h>
#include <fcntl.h>
#include <netdb.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <thread>

extern "C" int getaddrinfo(const char* node, const char* service, const addrinfo* hints,
                           addrinfo** found) {
  using Function = int (*)(const char*, const char*, const addrinfo*, addrinfo**);
  static const auto real = reinterpret_cast<Function>(::dlsym(RTLD_NEXT, "getaddrinfo"));
  const bool is_name = hints == nullptr || (hints->ai_flags & AI_NUMERICHOST) == 0;
  if (node != nullptr && is_name) {
    addrinfo numeric = hints != nullptr ? *hints : addrinfo{};
    numeric.ai_flags |= AI_NUMERICHOST;
    if (real(node, service, &numeric, found) == 0) return 0;
    const char* asked = std::getenv("SILENT_RESOLVER_ASKED");
    if (asked != nullptr) ::close(::open(asked, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    std::this_thread::sleep_for(std::chrono::minutes(10));
    return EAI_AGAIN;
  }
  return real(node, service, hints, found);
}
