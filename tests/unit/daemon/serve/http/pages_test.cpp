// Pages are shared while they are new, each form on its own, and let go of afterwards.
#include "serve/http/pages.h"

#include <gtest/gtest.h>

#include <thread>

#include "tests/support/big_page.h"

namespace pantryd {
namespace {

Request get(const std::string& path, const std::string& query = {}) {
  Request out;
  out.method = Request::Method::get;
  out.path = path;
  out.query = query;
  return out;
}

class PagesTest : public testing::Test {
 protected:
  PagesTest() { testing_support::publish_series(store, "main", 100); }
  probes::SnapshotStore store;
  Pages pages{store, "1"};
};

TEST_F(PagesTest, APageIsMadeAndPackedOnceForAll) {
  auto packed = get("/metrics");
  packed.accept_encoding = "gzip";
  const auto first = pages.answer(packed);
  EXPECT_TRUE(first.gzip);
  EXPECT_EQ(pages.answer(packed).body, first.body);
  const auto plain = pages.answer(get("/metrics"));
  EXPECT_FALSE(plain.gzip);
  EXPECT_NE(plain.body, first.body);
  EXPECT_EQ(pages.answer(get("/metrics")).body, plain.body);
}

TEST_F(PagesTest, WhatDiffersInFormOrTargetIsAnotherPage) {
  auto open = get("/metrics");
  open.accept = "application/openmetrics-text";
  const auto plain = pages.answer(get("/metrics")).body;
  EXPECT_NE(*pages.answer(open).body, *plain);
  EXPECT_NE(pages.answer(get("/metrics", "types=postgres_exporter")).body, plain);
  EXPECT_NE(pages.answer(get("/probe", "target=main")).body, plain);
  EXPECT_EQ(pages.answer(get("/metrics", "anything=else")).body, plain);
}

TEST_F(PagesTest, APageIsLetGoOfWhenItIsOldAndNobodyReadsIt) {
  auto reader = pages.answer(get("/metrics")).body;
  EXPECT_TRUE(pages.forget_old());
  std::this_thread::sleep_for(kPageLifeLeast + std::chrono::milliseconds(50));
  EXPECT_FALSE(pages.forget_old());
  EXPECT_EQ(pages.held_bytes(), reader->size());
  EXPECT_EQ(pages.largest_bytes(), reader->size());
  reader.reset();
  EXPECT_EQ(pages.held_bytes(), 0U);
}

TEST_F(PagesTest, NoNumberOfTargetsMakesItKeepMoreThanSixteen) {
  for (int i = 0; i < 40; ++i) {
    const auto name = fmt::format("t{}", i);
    testing_support::publish_series(store, name, 1);
    EXPECT_EQ(pages.answer(get("/probe", "target=" + name)).status, 200);
  }
  const auto one = pages.answer(get("/probe", "target=t39")).body->size();
  EXPECT_LT(pages.held_bytes(), 17 * (one + 100));
}

}  // namespace
}  // namespace pantryd
