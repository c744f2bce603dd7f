// Reads the expiry of the certificate from the TLS session of our own connection.
#include "probes/posture/certificate.h"

#include "pg/tls.h"

namespace pantryd::probes {

const ProbeDescription& certificate_description() {
  static const ProbeDescription out{
      "certificate",
      "The certificate that the server presents on pantryd's own connection; only if that "
      "connection uses TLS.",
      std::chrono::seconds(60),
      std::chrono::seconds(5),
      CostClass::low,
      {{{"pantryd_tls_certificate_expiry_timestamp_seconds", MetricType::gauge,
         "When the server's certificate expires, as Unix time."},
        {}}}};
  return out;
}

ServerProbe certificate_probe() {
  const auto& description = certificate_description();
  return server_probe(description, [](pg::Connection& connection, const TargetFacts&, Deadline) {
    ProbeRun run;
    const auto expiry = pg::server_certificate_expiry(connection);
    if (!expiry) {
      run.outcome = Outcome::not_applicable;
      return run;
    }
    SampleList samples(certificate_description());
    samples.add("pantryd_tls_certificate_expiry_timestamp_seconds",
                std::chrono::duration<double>(expiry->time_since_epoch()).count());
    run.rows = 1;
    run.samples = samples.take();
    return run;
  });
}

}  // namespace pantryd::probes
