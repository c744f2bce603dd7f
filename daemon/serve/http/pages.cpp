// Invariants: a page that is kept is in lent_; kept_ has kKeptMax pages at most.
#include "serve/http/pages.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>

#include "base/assert.h"
#include "base/error.h"
#include "serve/http/negotiate.h"

namespace pantryd {
namespace {

constexpr const char* kTextPage = "text/plain; version=0.0.4; charset=utf-8";
constexpr const char* kOpenMetricsPage =
    "application/openmetrics-text; version=1.0.0; charset=utf-8";
constexpr std::size_t kKeptMax = 16;
constexpr int kLifeInTimesOfMaking = 10;
/// 1 costs a third of the time of 6 and makes a page a fifth larger.
constexpr int kGzipLevel = 1;
constexpr int kGzipWindow = 15 + 16;  // 16: gzip's header instead of zlib's
constexpr int kGzipMemory = 8;

constexpr const char* kIndex =
    "pantryd\n\n/metrics              all targets, for Prometheus\n"
    "/probe?target=NAME    one target\n/healthz              the process answers\n"
    "/readyz               every target was checked\n";

}  // namespace

std::string gzipped(const std::string& text) {
  z_stream stream{};
  if (::deflateInit2(&stream, kGzipLevel, Z_DEFLATED, kGzipWindow, kGzipMemory,
                     Z_DEFAULT_STRATEGY) != Z_OK) {
    throw Error(ExitCode::failed, "zlib cannot begin a page");
  }
  std::string out(::deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const int end = ::deflate(&stream, Z_FINISH);
  const auto size = stream.total_out;
  ::deflateEnd(&stream);
  if (end != Z_STREAM_END) throw Error(ExitCode::failed, "zlib cannot end a page");
  return out.substr(0, size);  // a copy: what was reserved for the worst case is given back
}

Pages::Pages(const probes::SnapshotStore& store, std::string version)
    : store_(store), version_(std::move(version)) {}

PageAnswer Pages::text(int status, std::string_view sentence) {
  PageAnswer out;
  out.status = status;
  out.body = std::make_shared<const std::string>(fmt::format("{}\n", sentence));
  return out;
}

PageAnswer Pages::answer(const Request& request) {
  if (request.method == Request::Method::other) return text(405, "Only GET and HEAD are served.");
  if (request.path == "/metrics") return metrics(request, {});
  if (request.path == "/probe") return probe(request);
  if (request.path == "/healthz") return text(200, "ok");
  if (request.path == "/readyz") return ready();
  if (request.path == "/") {
    PageAnswer out;
    out.body = std::make_shared<const std::string>(kIndex);
    return out;
  }
  return text(404, "There is no such page.");
}

PageAnswer Pages::probe(const Request& request) {
  const auto wanted = request.parameter("target");
  if (!wanted) return text(400, "Name a target: /probe?target=NAME");
  if (wanted->empty() || !store_.find(*wanted)) return text(404, "There is no such target.");
  return metrics(request, *wanted);
}

/// Ready: every target was checked, whatever was seen there. A target that is down is for its
/// alert to tell; taking the daemon out of service for it would hide all the others.
PageAnswer Pages::ready() const {
  bool ready = store_.reload().has_value();  // else there may be targets that are not here yet
  std::string body;
  for (const auto& target : store_.all()) {
    bool looked = target->looked();
    for (const auto& probe : target->probes) looked = looked && probe->ran();
    ready = ready && looked;
    body += fmt::format("{}: {}\n", target->target,
                        !looked ? "not checked yet" : (target->up ? "up" : "down"));
  }
  PageAnswer out;
  out.status = ready ? 200 : 503;
  out.body = std::make_shared<const std::string>(std::move(body));
  return out;
}

/// `?types=postgres_exporter` asks for the types that postgres_exporter gives.
PageAnswer Pages::metrics(const Request& request, const std::string& target) {
  const bool as_declared = request.parameter("types") == "postgres_exporter";
  const auto types = as_declared ? probes::TypeStyle::as_declared : probes::TypeStyle::lint_clean;
  const auto form = prefers_openmetrics(request.accept) ? Form::openmetrics : Form::text;
  PageAnswer out;
  out.type = form == Form::openmetrics ? kOpenMetricsPage : kTextPage;
  out.negotiated = true;
  out.gzip = prefers_gzip(request.accept_encoding);
  const auto plain_key =
      fmt::format("{}{}{}", form == Form::text ? 't' : 'o', as_declared ? 'd' : 'l', target);
  const auto key = (out.gzip ? 'z' : 'p') + plain_key;
  const auto began = SteadyClock::now();
  if (const auto kept = kept_.find(key); kept != kept_.end() && began < kept->second.until) {
    out.body = kept->second.body;
    return out;
  }
  const auto plain = kept_.find('p' + plain_key);
  const bool has_plain = plain != kept_.end() && began < plain->second.until;
  out.body = has_plain ? plain->second.body : rendered(target, types, form);
  if (out.gzip) out.body = std::make_shared<const std::string>(gzipped(*out.body));
  const auto life = (SteadyClock::now() - began) * kLifeInTimesOfMaking;
  keep(key,
       {out.body, began + std::clamp<SteadyClock::duration>(life, kPageLifeLeast, kPageLifeMost)});
  return out;
}

Body Pages::rendered(const std::string& target, probes::TypeStyle types, Form form) const {
  probes::PageInputs inputs;
  if (target.empty()) {
    inputs.targets = store_.all();
  } else if (auto found = store_.find(target)) {
    inputs.targets = {std::move(found)};
  }
  inputs.version = version_;
  inputs.now = probes::WallClock::now();
  inputs.types = types;
  inputs.reload = store_.reload();
  inputs.format =
      form == Form::openmetrics ? probes::PageFormat::openmetrics : probes::PageFormat::text;
  return std::make_shared<const std::string>(probes::render_page(inputs));
}

void Pages::keep(const std::string& key, Kept page) {
  forget_old();
  if (kept_.size() >= kKeptMax) {
    kept_.erase(std::min_element(kept_.begin(), kept_.end(), [](const auto& a, const auto& b) {
      return a.second.until < b.second.until;
    }));
  }
  lent_.push_back(page.body);
  largest_ = std::max(largest_, page.body->size());
  kept_[key] = std::move(page);
  PANTRYD_ASSERT(kept_.size() <= kKeptMax);
}

bool Pages::forget_old() {
  const auto now = SteadyClock::now();
  std::erase_if(kept_, [&](const auto& each) { return each.second.until <= now; });
  return !kept_.empty();
}

std::size_t Pages::held_bytes() {
  std::erase_if(lent_, [](const auto& each) { return each.expired(); });
  std::size_t out = 0;
  for (const auto& each : lent_) {
    if (const auto body = each.lock()) out += body->size();
  }
  return out;
}

}  // namespace pantryd
