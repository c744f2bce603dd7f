// Invariants:
//   a borrower is in Borrowers or has been answered, never both, never twice;
//   it is answered_ only after `answer` and `connection` were written; its own mutex makes that
//   order visible to it, and keeps it from being destroyed while wake() runs.
#include "pool/internal/borrowers.h"

#include "base/assert.h"

namespace pantryd::pool {
namespace {

constexpr auto kStopLook = std::chrono::milliseconds(100);

}  // namespace

bool Borrower::wait(Deadline deadline, const StopFlag* stop) {
  std::unique_lock lock(mutex_);
  while (!answered_ && !deadline.expired() && (stop == nullptr || !stop->requested())) {
    const auto until = stop == nullptr ? deadline : deadline.within(kStopLook);
    changed_.wait_until(lock, until.when());
  }
  return answered_;
}

void Borrower::wait_for_answer_under_way() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return answered_; });
}

void Borrower::wake() {
  const std::lock_guard lock(mutex_);
  PANTRYD_ASSERT(!answered_);
  answered_ = true;
  changed_.notify_one();
}

void Borrowers::add(Borrower& borrower) {
  auto place = waiting_.size();
  // Only a borrower whose connection was dead has an older ticket than the last one.
  while (place > 0 && waiting_[place - 1]->ticket > borrower.ticket) --place;
  PANTRYD_ASSERT(place == 0 || waiting_[place - 1]->ticket != borrower.ticket);
  waiting_.insert(place, &borrower);
}

Borrower* Borrowers::take(Ticket ticket) {
  // A search reads from the stacks of a dozen threads, none of them in any cache.
  const auto place =
      !waiting_.empty() && waiting_[0]->ticket == ticket
          ? 0
          : waiting_.first_not([ticket](const Borrower* each) { return each->ticket < ticket; });
  if (place == waiting_.size() || waiting_[place]->ticket != ticket) return nullptr;
  auto* const borrower = waiting_[place];
  waiting_.erase(place);
  return borrower;
}

Answers::~Answers() {
  for (auto* each = first_; each != nullptr;) {
    auto* const borrower = each;
    each = each->next_answered_;  // the borrower may be gone as soon as it is awake
    borrower->wake();
  }
}

void Answers::add(Borrower& borrower) {
  PANTRYD_ASSERT(&borrower != last_);
  borrower.next_answered_ = nullptr;
  (last_ == nullptr ? first_ : last_->next_answered_) = &borrower;
  last_ = &borrower;
}

}  // namespace pantryd::pool
