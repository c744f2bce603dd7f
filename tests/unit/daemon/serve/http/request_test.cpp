// What of a request is read, and what is refused because two programs could read it differently.
#include "serve/http/request.h"

#include <gtest/gtest.h>

namespace pantryd {
namespace {

constexpr const char* kLine = "GET /metrics HTTP/1.1\r\nHost: h\r\n";

Request accepted(const std::string& head) {
  Request out;
  const auto refusal = read_request(head, {}, out);
  EXPECT_FALSE(refusal.has_value()) << head << refusal->why;
  return out;
}

int status_of(const std::string& head) {
  Request out;
  const auto refusal = read_request(head, {}, out);
  return refusal ? refusal->status : 200;
}

TEST(RequestTest, ThePathIsTakenAsItWasSent) {
  const auto request = accepted("GET //metrics/?target=a&x HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(request.method, Request::Method::get);
  EXPECT_EQ(request.path, "//metrics/");
  EXPECT_EQ(request.query, "target=a&x");
  EXPECT_EQ(accepted("GET http://h:1/probe?a HTTP/1.1\r\nHost: h\r\n\r\n").path, "/probe");
  EXPECT_EQ(accepted("HEAD / HTTP/1.0\r\n\r\n").method, Request::Method::head);
  EXPECT_EQ(accepted("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n").method, Request::Method::other);
  EXPECT_EQ(accepted("get / HTTP/1.1\r\nHost: h\r\n\r\n").method, Request::Method::other);
}

TEST(RequestTest, ParametersAreDecoded) {
  const auto request = accepted("GET /probe?a=&t%61rget=x%20y+z%2&target=2 HTTP/1.0\r\n\r\n");
  EXPECT_EQ(request.parameter("target"), "x y z%2");
  EXPECT_EQ(request.parameter("a"), "");
  EXPECT_EQ(request.parameter("b"), std::nullopt);
}

TEST(RequestTest, AConnectionStaysByTheRulesOfItsVersion) {
  EXPECT_TRUE(accepted(kLine + std::string("\r\n")).keep_alive);
  EXPECT_FALSE(accepted(kLine + std::string("Connection: x, Close\r\n\r\n")).keep_alive);
  EXPECT_FALSE(accepted("GET / HTTP/1.0\r\n\r\n").keep_alive);
  EXPECT_TRUE(accepted("GET / HTTP/1.0\r\nconnection: Keep-Alive\r\n\r\n").keep_alive);
  EXPECT_FALSE(accepted(kLine + std::string("Content-Length: 3\r\n\r\n")).keep_alive)
      << "nobody reads the three bytes";
  EXPECT_TRUE(accepted(kLine + std::string("Content-Length: 0\r\n\r\n")).keep_alive);
}

TEST(RequestTest, WhatIsAmbiguousIsRefused) {
  EXPECT_EQ(status_of("GET /metrics HTTP/1.1\r\n\r\n"), 400) << "no Host";
  EXPECT_EQ(status_of("GET /metrics HTTP/1.0\r\n\r\n"), 200) << "1.0 needs none";
  for (const auto* headers :
       {"Host: two\r\n", "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 1\r\nContent-Length: 2\r\n", "Content-Length: -1\r\n",
        "Content-Length: 1,2\r\n", "Content-Length:\r\n", "X : space before the colon\r\n",
        " folded: line\r\n", "no colon\r\n", ": no name\r\n", "X: \x01\r\n", "X: a\nY: b\r\n"}) {
    EXPECT_EQ(status_of(kLine + std::string(headers) + "\r\n"), 400) << headers;
  }
  EXPECT_EQ(status_of("GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400);
  EXPECT_EQ(status_of(kLine + std::string("Transfer-Encoding: chunked\r\n\r\n")), 200);
  for (const auto* line : {"GET /metrics", "GET  /metrics HTTP/1.1", "GET /a b HTTP/1.1",
                           "G@T / HTTP/1.1", "GET metrics HTTP/1.1", "GET / http/1.1", " "}) {
    EXPECT_EQ(status_of(line + std::string("\r\nHost: h\r\n\r\n")), 400) << line;
  }
  EXPECT_EQ(status_of("GET / HTTP/2.0\r\nHost: h\r\n\r\n"), 505);
}

TEST(RequestTest, HeadersAreCounted) {
  HttpLimits limits;
  limits.headers = 3;
  Request out;
  const std::string three = std::string(kLine) + "A: 1\r\nB: 2\r\n";
  EXPECT_FALSE(read_request(three + "\r\n", limits, out).has_value());
  const auto refusal = read_request(three + "C: 3\r\n\r\n", limits, out);
  ASSERT_TRUE(refusal.has_value());
  EXPECT_EQ(refusal->status, 431);
}

}  // namespace
}  // namespace pantryd
