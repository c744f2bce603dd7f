// http.listen: what is an address and a port, and what is refused with a hint that fits it.
#include <gmock/gmock.h>

#include "base/error.h"
#include "settings/settings.h"

namespace pantryd {
namespace {

using testing::HasSubstr;

Settings with_listen(const std::string& yaml) {
  return Settings::parse(
      "http: {listen: " + yaml + "}\ntargets: [{name: main, dsn: \"postgresql://a@h/d\"}]\n",
      "p.yaml");
}

std::string refusal(const std::string& yaml) {
  try {
    (void)with_listen(yaml);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::usage);
    EXPECT_NE(error.hint(), "") << yaml;
    return error.render();
  }
  return "accepted";
}

TEST(ListenTest, AddressesNamesAndListsAreRead) {
  EXPECT_EQ(with_listen("\"127.0.0.1:9788\"").http.listen.all, (std::vector<Listen>{Listen{}}));
  EXPECT_EQ(with_listen("\"[::1]:9788\"").http.listen.all.front().address, "::1");
  EXPECT_EQ(with_listen("\"[fe80::1%eth0]:1\"").http.listen.all.front().address, "fe80::1%eth0");
  EXPECT_EQ(with_listen("db0x1.3com:1").http.listen.all.front().address, "db0x1.3com");
  EXPECT_EQ(with_listen("localhost:65535").http.listen.all.front().port, 65535);
  const auto list = with_listen("[\"0.0.0.0:9788\", \"[::]:9788\"]").http.listen;
  EXPECT_EQ(list.text(), "0.0.0.0:9788, [::]:9788");
  EXPECT_EQ(Listen::parse(list.all.at(1).text()), list.all.at(1));
  EXPECT_THAT(with_listen("[\"127.0.0.1:1\", \"[::1]:1\"]").show(),
              HasSubstr("listen: [\"127.0.0.1:1\", \"[::1]:1\"]"));
}

// "127.0.0.1:29797,0.0.0.0:29798" was valid, and the second half listened on all interfaces.
TEST(ListenTest, ACommaDoesNotHideASecondAddress) {
  EXPECT_THAT(refusal("\"127.0.0.1:29797,0.0.0.0:29798\""),
              testing::AllOf(HasSubstr("p.yaml:1:16: "), HasSubstr("more than one"),
                             HasSubstr("are a list: ")));
  EXPECT_THAT(refusal("\"127.0.0.1:1 0.0.0.0:2\""), HasSubstr("more than one"));
}

TEST(ListenTest, WhatIsNoAddressAndPortIsRefusedAtItsPlace) {
  for (const auto* text : {"/tmp/x:1",        ":9788",
                           "*:9788",          "127.0.0.1:0",
                           "127.0.0.1:65536", "127.0.0.1",
                           "127.0.0.1:",      "127.0.0.1:+80",
                           "127.0.0.1:0x50",  "127.0.0.1:080",
                           "127.0.0.1:80s",   "300.0.0.1:80",
                           "127.1:80",        "::1:9788",
                           "0x7f.1:80",       "0x0:80",
                           "a.0x7F:80",       "0.:80",
                           "[::1:9788",       "[127.0.0.1]:80",
                           "[]:80",           "[::1%]:80",
                           "-x:80",           "a b:80",
                           "http://x:80",     "1234567890123:99999"}) {
    EXPECT_THAT(refusal("\"" + std::string(text) + "\""), HasSubstr("p.yaml:1:16: ")) << text;
  }
  EXPECT_THAT(refusal("\":9788\""), HasSubstr("0.0.0.0 stands for all of IPv4"));
  EXPECT_THAT(refusal("\"::1:9788\""), HasSubstr("[::1]:9788"));
  EXPECT_THAT(refusal("\"127.0.0.1:65536\""), HasSubstr("from 1 to 65535"));
}

TEST(ListenTest, AnItemOfAListIsRefusedAtItsOwnPlace) {
  EXPECT_THAT(refusal("[\"127.0.0.1:1\", \":2\"]"), HasSubstr("p.yaml:1:32: "));
  EXPECT_THROW((void)with_listen("[\"127.0.0.1:1\", \"127.0.0.1:1\"]"), Error);
  EXPECT_THROW((void)with_listen("[]"), Error);
  EXPECT_THROW((void)with_listen("{a: b}"), Error);
}

}  // namespace
}  // namespace pantryd
