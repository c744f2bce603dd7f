// Reads the certificate from the SSL object that libpq owns; nothing of it is kept.
#include "pg/tls.h"

#include <libpq-fe.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <ctime>
#include <memory>

namespace pantryd::pg {

std::optional<std::chrono::system_clock::time_point> server_certificate_expiry(
    const Connection& connection) {
  // libpq hands out its own SSL object, which stays its own; null where it was built without
  // OpenSSL or the connection has no TLS.
  auto* session = static_cast<SSL*>(PQsslStruct(connection.native(), "OpenSSL"));
  if (session == nullptr) return std::nullopt;
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(SSL_get_peer_certificate(session),
                                                                &X509_free);
  std::tm parts{};
  if (!certificate || ASN1_TIME_to_tm(X509_get0_notAfter(certificate.get()), &parts) != 1) {
    return std::nullopt;
  }
  return std::chrono::system_clock::from_time_t(::timegm(&parts));
}

}  // namespace pantryd::pg
