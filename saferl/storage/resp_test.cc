#include "saferl/storage/resp.h"

#include <gtest/gtest.h>

#include <string>

namespace saferl::storage {
namespace {

using Kind = RespValue::Kind;

TEST(RespTest, ACommandCarriesAnyBytes) {
  const std::string odd("\r\n\0$", 4);
  EXPECT_EQ(RespCommand({"SET", odd, ""}),
            std::string("*3\r\n$3\r\nSET\r\n$4\r\n") + odd + "\r\n$0\r\n\r\n");
}

TEST(RespTest, EveryKindComesThroughHoweverItIsCut) {
  const std::string bytes =
      "+OK\r\n-ERR no\r\n:-42\r\n$-1\r\n$4\r\n\r\n\r\n\r\n*3\r\n:1\r\n*1\r\n$1\r\na\r\n$-1\r\n";
  for (size_t cut = 1; cut <= bytes.size(); ++cut) {
    RespReader reader;
    std::vector<RespValue> values;
    for (size_t at = 0; at < bytes.size(); at += cut) {
      reader.Feed(std::string_view(bytes).substr(at, cut));
      while (true) {
        auto next = reader.Next();
        ASSERT_TRUE(next.ok()) << next.status();
        if (!next->has_value()) break;
        values.push_back(**std::move(next));
      }
    }
    ASSERT_EQ(values.size(), 6U) << cut;
    EXPECT_EQ(values[0].kind, Kind::kText);
    EXPECT_EQ(values[0].text, "OK");
    EXPECT_EQ(values[1].kind, Kind::kError);
    EXPECT_EQ(values[1].text, "ERR no");
    EXPECT_EQ(values[2].integer, -42);
    EXPECT_EQ(values[3].kind, Kind::kNil);
    EXPECT_EQ(values[4].text, "\r\n\r\n");
    ASSERT_EQ(values[5].elements.size(), 3U);
    EXPECT_EQ(values[5].elements[1].elements[0].text, "a");
    EXPECT_EQ(values[5].elements[2].kind, Kind::kNil);
  }
}

TEST(RespTest, WhatIsNotRespOrTooLargeIsRefused) {
  std::string deep;
  for (int i = 0; i < 20; ++i) deep += "*1\r\n";
  for (const std::string& bytes :
       {std::string("HTTP/1.1 200 OK\r\n"), std::string("*1025\r\n"),
        std::string("*2147483647\r\n"), std::string("*99999999999999999999\r\n"),
        std::string("*-7\r\n"), std::string("$-7\r\n"), std::string(":abc\r\n"), deep,
        std::string("\x16\x03\x01\x02")}) {
    RespReader reader;
    reader.Feed(bytes);
    EXPECT_EQ(reader.Next().status().code(), absl::StatusCode::kUnavailable) << bytes;
  }
}

TEST(RespTest, AnAnswerThatNeverEndsIsGivenUp) {
  RespReader reader;
  reader.Feed("$500000000\r\n");
  const std::string piece(1 << 20, 'x');
  absl::Status status;
  size_t fed = 0;
  for (; status.ok() && fed < 2 * kMaxRespBytes; fed += piece.size()) {
    reader.Feed(piece);
    status = reader.Next().status();
  }
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_LE(fed, kMaxRespBytes + 2 * piece.size());
}

}  // namespace
}  // namespace saferl::storage
