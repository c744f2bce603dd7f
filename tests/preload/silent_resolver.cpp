// A resolver that hears and says nothing: whoever looks a name up waits for ten minutes. Addresses are
// answered as ever. Preloaded, since a resolver at port 53 and a resolv.conf of one's own need root.
#include <dlfcn.h>
#include <netdb.h>

#include <chrono>
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
    std::this_thread::sleep_for(std::chrono::minutes(10));
    return EAI_AGAIN;
  }
  return real(node, service, hints, found);
}
