// The pool's containers: a queue that keeps its memory, a table by connection, and what they
// assert.
#include <gmock/gmock.h>

#include <deque>

#include "base/random.h"
#include "pool/internal/by_id.h"
#include "pool/internal/lent.h"
#include "pool/internal/ring.h"

namespace pantryd::pool {
namespace {

TEST(RingTest, ItHoldsWhatADequeHolds) {
  Random random(7);
  Ring<int> ring;
  std::deque<int> model;
  for (int step = 0; step < 20'000; ++step) {
    const auto size = static_cast<std::int64_t>(model.size());
    if (model.empty() || random.between(0, 9) < 5) {
      const auto at = random.between(0, size);
      ring.insert(static_cast<std::size_t>(at), step);
      model.insert(model.begin() + at, step);
    } else {
      const auto at = random.between(0, size - 1);
      ring.erase(static_cast<std::size_t>(at));
      model.erase(model.begin() + at);
    }
    ASSERT_EQ(ring.size(), model.size());
  }
  for (std::size_t i = 0; i < model.size(); ++i) ASSERT_EQ(ring[i], model[i]);
}

TEST(RingDeathTest, APlaceBeyondItsEndIsABug) {
  Ring<int> ring;
  ring.insert(0, 1);
  ring.erase(0);
  EXPECT_DEATH(ring.erase(0), "at < size_");
  EXPECT_DEATH(ring.insert(1, 2), "at <= size_");
}

TEST(ByIdTest, AnOldNumberFindsNothing) {
  Ids ids;
  ById<int> table;
  const auto first = ids.next();
  table.put(first, 1);
  EXPECT_EQ(table.take(first), 1);
  ids.free(first);
  const auto second = ids.next();
  table.put(second, 2);
  EXPECT_EQ(table.find(first), nullptr);
  EXPECT_EQ(*table.find(second), 2);
  EXPECT_EQ(table.size(), 1U);
}

TEST(ByIdDeathTest, TwoConnectionsInOnePlaceAreABug) {
  Ids ids;
  ById<int> table;
  const auto first = ids.next();
  table.put(first, 1);
  ids.free(first);
  const auto second = ids.next();
  EXPECT_DEATH(table.put(second, 2), "entry.id == 0");
  EXPECT_DEATH(ids.free(ids.next() + 1), "place < places_");
}

TEST(LentDeathTest, AConnectionThatIsLentTwiceIsABug) {
  Lent lent;
  lent.put(1, {});
  EXPECT_TRUE(lent.take(1));
  lent.put(1, {});
  EXPECT_DEATH(lent.put(1, {}), "find\\(id\\) == nullptr");
}

}  // namespace
}  // namespace pantryd::pool
