// Lease and Pool hand every call to the PoolCore that they share; pool/internal/core.h has the
// invariants. A lease that outlives its pool keeps the core alive.
#include "pool/pool.h"

#include "pool/internal/core.h"

namespace pantryd {

Lease::Lease(std::shared_ptr<PoolCore> core, std::uint64_t id,
             std::unique_ptr<pg::Connection> connection)
    : core_(std::move(core)), id_(id), connection_(std::move(connection)) {}
Lease::Lease(Lease&&) noexcept = default;

Lease& Lease::operator=(Lease&& other) noexcept {
  if (this != &other) {
    reset();
    core_ = std::move(other.core_);
    id_ = other.id_;
    connection_ = std::move(other.connection_);
  }
  return *this;
}

Lease::~Lease() {
  reset();
}

void Lease::reset() {
  if (connection_) core_->give_back(id_, std::move(connection_));
  core_.reset();
}

Pool::Pool(Login login, PoolSettings settings)
    : core_(std::make_shared<PoolCore>(std::move(login), std::move(settings))) {
  core_->start();
}
Pool::Pool(const pg::Conninfo& where, PoolSettings settings)
    : Pool([where] { return where; }, std::move(settings)) {}
Pool::~Pool() {
  core_->end();
}
Lease Pool::acquire(Deadline deadline, const StopFlag* stop, std::source_location from) {
  return core_->acquire(deadline, stop, from);
}
Lease Pool::acquire(const StopFlag* stop, std::source_location from) {
  return core_->acquire(Deadline::in(core_->acquire_timeout()), stop, from);
}
PoolStatistics Pool::statistics() const {
  return core_->statistics();
}
std::vector<Leak> Pool::leaks() const {
  return core_->leaks();
}
void Pool::change(Login login, PoolSettings settings, bool new_login) {
  core_->change(std::move(login), std::move(settings), new_login);
}
void Pool::shut_down() {
  core_->shut_down();
}

}  // namespace pantryd
