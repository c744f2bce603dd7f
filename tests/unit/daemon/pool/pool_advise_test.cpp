// Cases small enough to be computed by hand; the comments do.
#include <gmock/gmock.h>

#include <limits>

#include "pool/advise.h"
#include "pool/demand.h"

namespace pantryd::pool {
namespace {

using testing::AnyOf;
using testing::Contains;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

/// 100 connections, 3 reserved, nobody else: 97 slots.
AdviceInputs server(std::optional<std::int32_t> cores, std::optional<Demand> demand) {
  AdviceInputs out;
  out.cores = cores;
  out.demand = demand;
  return out;
}

TEST(PoolAdviseTest, ALoadThatFitsGetsLittlesLawAndTwoRootsOfHeadroom) {
  // L = 100 x 0.02 = 2; 2 + 2 x 1.414 = 4.83. Erlang's B of 5 at 2: 0.0367; C: 0.0597.
  const auto advice = advise(server(4, Demand{100, 0.020, 0.020}));
  EXPECT_EQ(advice.min, 2);
  EXPECT_EQ(advice.max, 5);
  EXPECT_EQ(advice.knee, 9);
  EXPECT_EQ(advice.slots, 97);
  EXPECT_DOUBLE_EQ(advice.concurrency.value(), 2);
  EXPECT_EQ(advice.binds, Binding::demand);
  EXPECT_THAT(advice.warnings, IsEmpty());
  EXPECT_THAT(advice.reasons, Contains(HasSubstr("100 transactions a second x 20.0 ms held = 2.0 "
                                                 "connections in use on average")));
  EXPECT_THAT(advice.reasons,
              Contains(HasSubstr("2.0 + 2 x sqrt(2.0) = 5 connections, with which 6 % of "
                                 "borrowers wait")));
  EXPECT_THAT(advice.reasons, Contains(HasSubstr("100 (max_connections) less 3 reserved less 0 of "
                                                 "others now = 97: 97 a pool")));
}

TEST(PoolAdviseTest, AWholeNumberIsNotRoundedUp) {
  // L = 400 x 0.01 = 4; 4 + 2 x 2 = 8.
  EXPECT_EQ(advise(server(16, Demand{400, 0.010, 0.010})).max, 8);
}

TEST(PoolAdviseTest, TheCoresBindWhenTheServerWorksAllTheTimeThatAConnectionIsHeld) {
  // L = 500 x 0.02 = 10, with headroom 17; 2 x 4 + 1 = 9. Ten work at a time on four cores.
  const auto advice = advise(server(4, Demand{500, 0.020, 0.020}));
  EXPECT_EQ(advice.binds, Binding::knee);
  EXPECT_EQ(advice.max, 9);
  EXPECT_EQ(advice.min, 9);
  EXPECT_THAT(advice.warnings, ElementsAre(HasSubstr("10.0 sessions work at a time on 4 cores")));
  EXPECT_THAT(advice.warnings, Contains(HasSubstr("only move the queue into the server")));
}

TEST(PoolAdviseTest, ConnectionsThatAreMostlyHeldIdleMayBeMoreThanTheCoresCarryAtWork) {
  // A quarter of the time at work: 9 / 0.25 = 36. 500 x 0.005 = 2.5 at work on four cores.
  const auto advice = advise(server(4, Demand{500, 0.020, 0.005}));
  EXPECT_EQ(advice.knee, 36);
  EXPECT_EQ(advice.max, 17);
  EXPECT_EQ(advice.min, 10);
  EXPECT_EQ(advice.binds, Binding::demand);
  EXPECT_THAT(advice.warnings, IsEmpty());
  EXPECT_THAT(advice.reasons, Contains(HasSubstr("works 25 % of the time")));
}

TEST(PoolAdviseTest, SeveralPoolsShareTheLoadTheCoresAndTheSlots) {
  AdviceInputs in = server(8, Demand{400, 0.050, 0.010});
  in.max_connections = 100;
  in.superuser_reserved_connections = 3;
  in.reserved_connections = 5;
  in.others_now = 12;
  in.pools = 4;
  // 100 - 8 - 12 = 80, 20 a pool. L = 20, 5 a pool, 5 + 2 x 2.236 = 9.47. 17 / 0.2 = 85, 21 a pool.
  const auto advice = advise(in);
  EXPECT_EQ(advice.slots, 20);
  EXPECT_EQ(advice.knee, 21);
  EXPECT_EQ(advice.max, 10);
  EXPECT_EQ(advice.min, 5);
  EXPECT_THAT(advice.reasons, Contains(HasSubstr("less 8 reserved less 12 of others now = 80, "
                                                 "shared by 4 pools: 20 a pool")));
}

TEST(PoolAdviseTest, TheSlotsBindWhenTheLoadWantsMoreThanTheServerLetsIn) {
  AdviceInputs in = server(std::nullopt, Demand{4000, 0.050, 0.010});
  in.others_now = 17;
  in.pools = 4;
  // L = 200, 50 a pool, with headroom 65; 80 slots, 20 a pool.
  const auto advice = advise(in);
  EXPECT_EQ(advice.binds, Binding::slots);
  EXPECT_EQ(advice.max, 20);
  EXPECT_EQ(advice.min, 20);
  EXPECT_THAT(advice.warnings, ElementsAre(HasSubstr("more connections than the server has left")));
}

TEST(PoolAdviseTest, UnknownCoresAreSaidToBeUnknownAndNotGuessed) {
  const auto advice = advise(server(std::nullopt, Demand{500, 0.020, 0.020}));
  EXPECT_EQ(advice.knee, std::nullopt);
  EXPECT_EQ(advice.max, 17);
  EXPECT_EQ(advice.binds, Binding::demand);
  EXPECT_THAT(advice.reasons, Contains(HasSubstr("unknown")));
  EXPECT_THAT(advice.reasons, Each(Not(HasSubstr("2 x cores"))));
  EXPECT_THAT(advice.warnings, IsEmpty());
}

TEST(PoolAdviseTest, WithoutALoadOnlyTheCeilingsAreTold) {
  for (const auto& none :
       {std::optional<Demand>{}, std::optional<Demand>{Demand{0, 0.02, 0.01}},
        std::optional<Demand>{Demand{100, 0, 0}}, std::optional<Demand>{Demand{-1, 0.02, 0.01}},
        std::optional<Demand>{Demand{std::numeric_limits<double>::quiet_NaN(), 0.02, 0.01}},
        std::optional<Demand>{Demand{std::numeric_limits<double>::infinity(), 0.02, 0.01}}}) {
    const auto advice = advise(server(4, none));
    EXPECT_EQ(advice.min, std::nullopt);
    EXPECT_EQ(advice.max, std::nullopt);
    EXPECT_EQ(advice.concurrency, std::nullopt);
    EXPECT_EQ(advice.binds, Binding::none);
    EXPECT_EQ(advice.knee, 9);
    EXPECT_EQ(advice.slots, 97);
    EXPECT_THAT(advice.reasons, Contains(HasSubstr("no load to measure")));
  }
}

TEST(PoolAdviseTest, PoolsThatCannotFitAreToldApartFromThoseThatOthersCrowdOut) {
  AdviceInputs in = server(4, Demand{100, 0.020, 0.020});
  in.configured_max = 97;
  EXPECT_THAT(advise(in).warnings, IsEmpty());
  in.others_now = 20;
  const auto crowded = advise(in);
  EXPECT_FALSE(crowded.cannot_fit);
  EXPECT_THAT(crowded.warnings, ElementsAre(HasSubstr("97 x 1 pool = 97 exceeds the 77 slots that "
                                                      "are left beside others now")));
  in.others_now = 0;
  in.pools = 2;
  const auto impossible = advise(in);
  EXPECT_TRUE(impossible.cannot_fit);
  EXPECT_THAT(impossible.warnings, ElementsAre(HasSubstr("97 x 2 pools = 194 exceeds the 97 slots "
                                                         "that are there at all")));
}

TEST(PoolAdviseTest, AFullServerHasNoSizeToAdvise) {
  AdviceInputs in = server(4, Demand{100, 0.020, 0.020});
  in.others_now = 97;
  const auto advice = advise(in);
  EXPECT_EQ(advice.slots, 0);
  EXPECT_EQ(advice.max, std::nullopt);
  EXPECT_EQ(advice.min, std::nullopt);
  EXPECT_EQ(advice.binds, Binding::slots);
  EXPECT_THAT(advice.warnings, Contains(HasSubstr("no slot left")));
}

TEST(PoolAdviseTest, ATrickleGetsOneConnection) {
  // L = 0.001; 0.001 + 2 x 0.032 = 0.064.
  const auto advice = advise(server(4, Demand{1, 0.001, 0.001}));
  EXPECT_EQ(advice.max, 1);
  EXPECT_EQ(advice.min, 1);
}

TEST(PoolAdviseTest, MorePoolsThanTheCoresCarryGetOneConnectionEach) {
  AdviceInputs in = server(1, Demand{1000, 0.050, 0.050});
  in.pools = 5;  // 3 for all
  const auto advice = advise(in);
  EXPECT_EQ(advice.knee, 1);
  EXPECT_EQ(advice.max, 1);
  EXPECT_EQ(advice.binds, Binding::knee);
}

TEST(PoolAdviseTest, AnAbsurdLoadIsComputedInNoTime) {
  const auto advice = advise(server(4, Demand{1e300, 1e8, 1e8}));
  EXPECT_EQ(advice.max, 9);
  EXPECT_EQ(advice.binds, Binding::knee);
}

TEST(PoolAdviseTest, MoreWorkThanTimeHeldCountsAsAllOfIt) {
  // Parallel workers may add up to more than the transaction lasts.
  EXPECT_EQ(advise(server(4, Demand{100, 0.020, 0.080})).knee, 9);
}

DemandLook look(double at_s, double transactions, double active_s, double idle_s,
                std::optional<double> since_s = std::nullopt) {
  return {at_s, transactions, active_s, idle_s, 0, since_s};
}

TEST(PoolDemandTest, TwoLooksTellRateHoldAndWork) {
  // 300 transactions in 3 s, 3 s at work and 6 s idle in them: 100 a second, 30 ms, 10 ms.
  const auto window = between(look(10, 1000, 50, 20), look(13, 1302, 53, 26), 2);
  ASSERT_TRUE(window.demand);
  EXPECT_DOUBLE_EQ(window.demand->arrivals_per_s, 100);
  EXPECT_DOUBLE_EQ(window.demand->hold_s, 0.030);
  EXPECT_DOUBLE_EQ(window.demand->busy_s, 0.010);
}

TEST(PoolDemandTest, FewTransactionsOrOnlyTheLookersOwnAreNoLoad) {
  const auto own = between(look(10, 1000, 50, 20), look(13, 1002, 50, 20), 2);
  EXPECT_FALSE(own.demand);
  EXPECT_EQ(own.why_not, "there is no load to measure");
  const auto fewer = between(look(10, 1000, 50, 20), look(13, 1000, 50, 20), 2);
  EXPECT_FALSE(fewer.demand);
  EXPECT_EQ(fewer.why_not, "there is no load to measure");
  const auto few = between(look(10, 1000, 50, 20), look(13, 1021, 51, 20), 2);
  EXPECT_FALSE(few.demand);
  EXPECT_THAT(few.why_not, HasSubstr("19 transactions are too few"));
}

TEST(PoolDemandTest, CountersThatFellWereReset) {
  const auto window = between(look(10, 1000, 50, 20), look(13, 400, 1, 1), 2);
  EXPECT_FALSE(window.demand);
  EXPECT_THAT(window.why_not, HasSubstr("reset"));
}

TEST(PoolDemandTest, AServerThatTellsNoTimesIsNotTakenForOneWithoutHolds) {
  const auto window = between(look(10, 1000, 0, 0), look(13, 1400, 0, 0), 2);
  EXPECT_FALSE(window.demand);
  EXPECT_THAT(window.why_not, HasSubstr("track_activities"));
}

TEST(PoolDemandTest, TheAverageCountsFromTheResetAndIsUnknownWithoutOne) {
  const auto average = since_reset(look(1000, 9000, 90, 180, 100.0));
  ASSERT_TRUE(average.demand);
  EXPECT_DOUBLE_EQ(average.demand->arrivals_per_s, 10);
  EXPECT_DOUBLE_EQ(average.demand->hold_s, 0.030);
  const auto unknown = since_reset(look(1000, 9000, 90, 180));
  EXPECT_FALSE(unknown.demand);
  EXPECT_THAT(unknown.why_not, HasSubstr("9000 transactions, each 30.0 ms"));
}

TEST(PoolDemandTest, TheBusierOfTwoWindowsIsFollowed) {
  const auto quiet = between(look(0, 0, 0, 0), look(10, 100, 1, 0), 0);
  const auto busy = between(look(0, 0, 0, 0), look(10, 50, 20, 0), 0);
  const auto none = between(look(0, 0, 0, 0), look(10, 0, 0, 0), 0);
  EXPECT_EQ(busier(quiet, busy), &busy);
  EXPECT_EQ(busier(busy, quiet), &busy);
  EXPECT_EQ(busier(none, quiet), &quiet);
  EXPECT_EQ(busier(none, none), nullptr);
}

}  // namespace
}  // namespace pantryd::pool
