#include "saferl/net/websocket.h"

#include <gtest/gtest.h>

#include <vector>

#include "saferl/base/text.h"

namespace saferl::net {
namespace {

/// A client's frame: masked, with any first byte.
std::string Frame(uint8_t first, std::string_view payload, int length_bytes = -1) {
  std::string out(1, static_cast<char>(first));
  const uint64_t size = payload.size();
  if (length_bytes < 0) length_bytes = size < 126 ? 0 : size <= 0xffff ? 2 : 8;
  out += static_cast<char>(0x80 | (length_bytes == 0 ? size : length_bytes == 2 ? 126 : 127));
  for (int i = length_bytes - 1; i >= 0; --i) out += static_cast<char>(size >> (8 * i));
  const std::string_view mask = "\x12\x34\x56\x78";
  out += mask;
  for (size_t i = 0; i < payload.size(); ++i) {
    out += static_cast<char>(static_cast<uint8_t>(payload[i]) ^ static_cast<uint8_t>(mask[i % 4]));
  }
  return out;
}

struct Outcome {
  std::vector<std::string> messages;  ///< "opcode:payload"
  int error = 0;
};

Outcome Read(std::string_view bytes, size_t piece = 1 << 20, size_t limit = 1000) {
  WebSocketReader reader(limit);
  Outcome outcome;
  std::string held;
  for (size_t next = 0; next < bytes.size(); next += piece) {
    held += bytes.substr(next, piece);
    std::string_view rest = held;
    while (true) {
      const auto result = reader.Next(&rest);
      if (result == WebSocketReader::Result::kError) {
        outcome.error = reader.error_code();
        return outcome;
      }
      if (result == WebSocketReader::Result::kNeedMore) break;
      outcome.messages.push_back(Cat(static_cast<int>(reader.opcode()), ":", reader.payload()));
    }
    held.erase(0, held.size() - rest.size());
  }
  return outcome;
}

TEST(WebSocket, AcceptOfTheStandardsExample) {
  EXPECT_EQ(WebSocketAccept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

TEST(WebSocket, MessagesInPiecesOfAnySize) {
  const std::string bytes = Frame(0x81, "hello") + Frame(0x01, "fr") + Frame(0x89, "ping") +
                            Frame(0x00, "ag") + Frame(0x80, "ment\xC3\xA9") +
                            Frame(0x82, std::string(300, '\xff')) + Frame(0x82, "") +
                            Frame(0x8a, "") +
                            Frame(0x88,
                                  "\x03\xe8"
                                  "bye");
  const std::vector<std::string> expected = {"1:hello",
                                             "9:ping",
                                             "1:fragment\xC3\xA9",
                                             "2:" + std::string(300, '\xff'),
                                             "2:",
                                             "10:",
                                             "8:\x03\xe8"
                                             "bye"};
  for (size_t piece = 1; piece < bytes.size(); piece += piece < 20 ? 1 : 31) {
    const Outcome outcome = Read(bytes, piece);
    EXPECT_EQ(outcome.error, 0) << piece;
    EXPECT_EQ(outcome.messages, expected) << piece;
  }
}

TEST(WebSocket, WhatTheStandardForbidsEndsTheConnection) {
  std::string unmasked = Frame(0x81, "hello");
  unmasked[1] = 5;
  struct Case {
    std::string name, bytes;
    int code;
  };
  const std::vector<Case> cases = {
      {"unmasked", unmasked, 1002},
      {"RSV1", Frame(0xc1, "x"), 1002},
      {"RSV2", Frame(0xa1, "x"), 1002},
      {"RSV3", Frame(0x91, "x"), 1002},
      {"opcode 3", Frame(0x83, "x"), 1002},
      {"opcode 7", Frame(0x87, "x"), 1002},
      {"opcode 11", Frame(0x8b, "x"), 1002},
      {"opcode 15", Frame(0x8f, "x"), 1002},
      {"fragmented ping", Frame(0x09, "x"), 1002},
      {"long ping", Frame(0x89, std::string(126, 'x')), 1002},
      {"continuation without start", Frame(0x80, "x"), 1002},
      {"text inside a fragmented text", Frame(0x01, "a") + Frame(0x81, "b"), 1002},
      {"length not in its shortest form", Frame(0x81, "x", 2), 1002},
      {"length of 8 bytes for 200", Frame(0x82, std::string(200, 'x'), 8), 1002},
      {"close of one byte", Frame(0x88, "x"), 1002},
      {"close code 0", Frame(0x88, std::string("\0\0", 2)), 1002},
      {"close code 1005", Frame(0x88, "\x03\xed"), 1002},
      {"close code 1006", Frame(0x88, "\x03\xee"), 1002},
      {"close code 2999", Frame(0x88, "\x0b\xb7"), 1002},
      {"close reason not UTF-8", Frame(0x88, "\x03\xe8\xff"), 1007},
      {"text not UTF-8", Frame(0x81, "\xc3\x28"), 1007},
      {"text not UTF-8 across fragments", Frame(0x01, "\xc3") + Frame(0x80, "\x28"), 1007},
      {"text that ends in the middle", Frame(0x81, "\xc3"), 1007},
      {"too big", Frame(0x82, std::string(1001, 'x')), 1009},
      {"too big in sum", Frame(0x02, std::string(600, 'x')) + Frame(0x80, std::string(401, 'x')),
       1009},
      {"length of 2^63", "\x82\xff\x80" + std::string(7, '\0') + "abcd", 1009},
  };
  for (const Case& c : cases) {
    for (const size_t piece : {size_t{1} << 20, size_t{1}}) {
      const Outcome outcome = Read(c.bytes + Frame(0x81, "after"), piece);
      EXPECT_EQ(outcome.error, c.code) << c.name;
      EXPECT_TRUE(outcome.messages.empty()) << c.name;
    }
  }
  EXPECT_EQ(Read(Frame(0x82, std::string(1000, 'x'))).error, 0) << "exactly the limit";
}

TEST(WebSocket, ServerFrames) {
  std::string out;
  AppendFrame(Opcode::kText, "ab", &out);
  EXPECT_EQ(out,
            "\x81\x02"
            "ab");
  out.clear();
  AppendFrame(Opcode::kBinary, std::string(126, 'x'), &out);
  EXPECT_EQ(out.substr(0, 4), std::string("\x82\x7e\x00\x7e", 4));
  out.clear();
  AppendFrame(Opcode::kBinary, std::string(65536, 'x'), &out);
  EXPECT_EQ(out.substr(0, 10), std::string("\x82\x7f\0\0\0\0\0\1\0\0", 10));
  out.clear();
  AppendClose(1001, "bye", &out);
  EXPECT_EQ(out,
            "\x88\x05\x03\xe9"
            "bye");
}

TEST(WebSocket, UpgradesAreChecked) {
  Request request;
  request.headers.Add("Host", "robot:8001");
  request.headers.Add("Upgrade", "WebSocket");
  request.headers.Add("Connection", "keep-alive, Upgrade");
  request.headers.Add("Sec-WebSocket-Version", "13");
  request.headers.Add("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
  EXPECT_FALSE(CheckUpgrade(request));
  const auto status = [&](std::string_view name, std::string value) {
    Request changed = request;
    changed.headers.Set(name, std::move(value));
    const auto error = CheckUpgrade(changed);
    return error ? error->status : 101;
  };
  EXPECT_EQ(status("Upgrade", "h2c"), 426);
  EXPECT_EQ(status("Connection", "close"), 426);
  EXPECT_EQ(status("Sec-WebSocket-Version", "8"), 426);
  EXPECT_EQ(status("Sec-WebSocket-Key", "short"), 400);
  EXPECT_EQ(status("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25j!Q=="), 400);
  EXPECT_EQ(status("Origin", "http://robot:8001"), 101);
  EXPECT_EQ(status("Origin", "http://evil.example"), 403);
  EXPECT_EQ(status("Origin", "null"), 403);
}

}  // namespace
}  // namespace saferl::net
