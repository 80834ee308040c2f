#include "saferl/net/request_reader.h"

#include <gtest/gtest.h>

#include <vector>

#include "saferl/base/text.h"

namespace saferl::net {
namespace {

constexpr size_t kMaxHeader = 4096;
constexpr uint64_t kMaxBody = 64;

struct Outcome {
  int status = 0;  ///< of the error, 0 = every message was read
  std::string detail;
  std::vector<std::string> messages;  ///< "METHOD target|body"
  bool waits = false;                 ///< for more bytes
};

/// Reads every message of `bytes`, handed in as pieces of `piece` bytes.
Outcome Read(std::string_view bytes, size_t piece = 1 << 20) {
  RequestReader reader(kMaxHeader);
  reader.SetBodyLimit(kMaxBody);
  Outcome outcome;
  std::string held;
  size_t next = 0;
  while (true) {
    const size_t taken = reader.Put(held);
    held.erase(0, taken);
    if (reader.state() == RequestReader::State::kError) {
      outcome.status = reader.error_status();
      outcome.detail = reader.error_detail();
      return outcome;
    }
    if (reader.state() == RequestReader::State::kDone) {
      outcome.messages.push_back(
          Cat(reader.head().method, " ", reader.head().target, "|", reader.body()));
      reader.Reset();
      reader.SetBodyLimit(kMaxBody);
      continue;
    }
    if (taken > 0) continue;
    if (next == bytes.size()) break;
    const std::string_view more = bytes.substr(next, piece);
    held += more;
    next += more.size();
  }
  outcome.waits = !held.empty() || reader.state() != RequestReader::State::kHead;
  return outcome;
}

struct Case {
  std::string name, bytes;
  int status = 400;
};

/// Messages that two parsers could read differently, or that are broken. After each stands a second
/// request, which must never be taken for one.
std::vector<Case> Smuggling() {
  const std::string get = "GET / HTTP/1.1\r\nHost: a\r\n";
  const std::string post = "POST / HTTP/1.1\r\nHost: a\r\n";
  const std::string chunked = post + "Transfer-Encoding: chunked\r\n\r\n";
  std::vector<Case> cases = {
      {"CL and TE", post + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
      {"TE and CL", post + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n"},
      {"CL 0 and TE", post + "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
      {"two CL that differ", post + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"},
      {"two CL that agree", post + "Content-Length: 1\r\nContent-Length: 1\r\n\r\na"},
      {"two CL in other case", post + "Content-Length: 1\r\ncontent-length: 1\r\n\r\na"},
      {"list CL", post + "Content-Length: 1, 1\r\n\r\na"},
      {"list CL that differs", post + "Content-Length: 1, 2\r\n\r\nab"},
      {"signed CL", post + "Content-Length: +1\r\n\r\na"},
      {"negative CL", post + "Content-Length: -1\r\n\r\n"},
      {"hex CL", post + "Content-Length: 0x1\r\n\r\na"},
      {"empty CL", post + "Content-Length:\r\n\r\n"},
      {"blank CL", post + "Content-Length:  \r\n\r\n"},
      {"CL with text", post + "Content-Length: 1a\r\n\r\na"},
      {"CL with space", post + "Content-Length: 1 1\r\n\r\na"},
      {"CL with point", post + "Content-Length: 1.0\r\n\r\na"},
      {"CL with exponent", post + "Content-Length: 1e0\r\n\r\na"},
      {"huge CL", post + "Content-Length: 18446744073709551617\r\n\r\na"},
      {"CL of 2^64-1", post + "Content-Length: 18446744073709551615\r\n\r\na"},
      {"quoted CL", post + "Content-Length: \"1\"\r\n\r\na"},
      {"CL_ with underscore", post + "Content_Length: 1\r\n\r\na"},
      {"TE with underscore", post + "Transfer_Encoding: chunked\r\n\r\n0\r\n\r\n"},
      {"space before colon of CL", post + "Content-Length : 1\r\n\r\na"},
      {"space before colon of TE", post + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"},
      {"tab before colon", get + "X\t: y\r\n\r\n"},
      {"space before colon", get + "X : y\r\n\r\n"},
      {"space in a name", get + "X Y: z\r\n\r\n"},
      {"TE identity", post + "Transfer-Encoding: identity\r\n\r\n"},
      {"TE gzip", post + "Transfer-Encoding: gzip\r\n\r\n"},
      {"TE gzip, chunked", post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"},
      {"TE chunked, gzip", post + "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"},
      {"TE chunked, identity", post + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"},
      {"TE chunked twice", post + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"},
      {"two TE",
       post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
      {"two TE, one identity",
       post + "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
      {"TE xchunked", post + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"},
      {"TE chunkedx", post + "Transfer-Encoding: chunkedx\r\n\r\n0\r\n\r\n"},
      {"TE quoted", post + "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n"},
      {"TE with a parameter", post + "Transfer-Encoding: chunked;a=b\r\n\r\n0\r\n\r\n"},
      {"TE empty", post + "Transfer-Encoding:\r\n\r\n"},
      {"TE with vertical tab", post + "Transfer-Encoding:\x0b"
                                      "chunked\r\n\r\n0\r\n\r\n"},
      {"TE with NUL", post + std::string("Transfer-Encoding: chunked\0", 27) + "\r\n\r\n0\r\n\r\n"},
      {"TE folded", post + "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"},
      {"TE in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
      {"bare LF", "GET / HTTP/1.1\nHost: a\n\n"},
      {"bare LF after the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n"},
      {"bare LF between fields", get + "X: y\nZ: w\r\n\r\n"},
      {"bare LF at the end", get + "X: y\r\n\n"},
      {"bare CR in a value", get + "X: y\rZ: w\r\n\r\n"},
      {"bare CR in the request line", "GET /\rX HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"CR CR LF", get + "X: y\r\r\n\r\n"},
      {"obs-fold with space", get + "X: y\r\n z\r\n\r\n"},
      {"obs-fold with tab", get + "X: y\r\n\tz\r\n\r\n"},
      {"first field folded", "GET / HTTP/1.1\r\n Host: a\r\n\r\n"},
      {"NUL in a value", get + std::string("X: a\0b\r\n\r\n", 11)},
      {"NUL in a name", get + std::string("X\0Y: a\r\n\r\n", 11)},
      {"control in a value", get + "X: a\x01\r\n\r\n"},
      {"DEL in a value", get + "X: a\x7f\r\n\r\n"},
      {"bad UTF-8 in a value", get + "X: \xff\r\n\r\n"},
      {"overlong UTF-8 in a value", get + "X: \xc0\xaf\r\n\r\n"},
      {"no colon", get + "X\r\n\r\n"},
      {"empty name", get + ": y\r\n\r\n"},
      {"name of bad characters", get + "X(Y): z\r\n\r\n"},
      {"non-ASCII name", get + "\xc3\xa9: z\r\n\r\n"},
      {"no Host", "GET / HTTP/1.1\r\n\r\n"},
      {"two Hosts", get + "Host: b\r\n\r\n"},
      {"Host with a space", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"},
      {"Host with a slash", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"},
      {"Host with an at", "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n"},
      {"empty line first", "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"empty LF first", "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"two spaces after the method", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"two spaces before the version", "GET /  HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"tab after the method", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"space at the line's end", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n"},
      {"space at the line's start", " GET / HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"HTTP/0.9", "GET /\r\nHost: a\r\n\r\n"},
      {"no target", "GET HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"space in the target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"NUL in the target", std::string("GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n", 28)},
      {"control in the target", "GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"non-ASCII target", "GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"method of bad characters", "G(T / HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"long method", std::string(33, 'A') + " / HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"lower-case version", "GET / http/1.1\r\nHost: a\r\n\r\n"},
      {"version without minor", "GET / HTTP/1\r\nHost: a\r\n\r\n"},
      {"version of three digits", "GET / HTTP/1.10\r\nHost: a\r\n\r\n"},
      {"another protocol", "GET / ICAP/1.1\r\nHost: a\r\n\r\n"},
      {"TLS hello", std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 15)},
      {"bad Connection", get + "Connection: @\r\n\r\n"},
      {"chunk size of letters", chunked + "g\r\nabc\r\n0\r\n\r\n"},
      {"empty chunk size", chunked + "\r\nabc\r\n0\r\n\r\n"},
      {"negative chunk size", chunked + "-1\r\nabc\r\n0\r\n\r\n"},
      {"signed chunk size", chunked + "+3\r\nabc\r\n0\r\n\r\n"},
      {"chunk size with 0x", chunked + "0x3\r\nabc\r\n0\r\n\r\n"},
      {"space before chunk size", chunked + " 3\r\nabc\r\n0\r\n\r\n"},
      {"space after chunk size", chunked + "3 \r\nabc\r\n0\r\n\r\n"},
      {"chunk size beyond 64 bits", chunked + "10000000000000003\r\nabc\r\n0\r\n\r\n"},
      {"chunk size of 17 zeros", chunked + "00000000000000000003\r\nabcdefgh\r\n0\r\n\r\n"},
      {"chunk longer than its size", chunked + "3\r\nabcd\r\n0\r\n\r\n"},
      {"chunk shorter than its size", chunked + "4\r\nabc\r\n0\r\n\r\n"},
      {"chunk ended by LF", chunked + "3\r\nabc\n0\r\n\r\n"},
      {"chunk size ended by LF", chunked + "3\nabc\r\n0\r\n\r\n"},
      {"chunk size ended by CR", chunked + "3\rabc\r\n0\r\n\r\n"},
      {"chunk extension", chunked + "3;a=b\r\nabc\r\n0\r\n\r\n"},
      {"chunk extension with LF", chunked + "3;a\nb\r\nabc\r\n0\r\n\r\n"},
      {"chunk extension of the last chunk", chunked + "3\r\nabc\r\n0;a=b\r\n\r\n"},
      {"trailer with CL", chunked + "0\r\nContent-Length: 5\r\n\r\n"},
      {"trailer with TE", chunked + "0\r\nTransfer-Encoding: chunked\r\n\r\n"},
      {"trailer with Host", chunked + "0\r\nHost: b\r\n\r\n"},
      {"trailer folded", chunked + "0\r\nA: b\r\n c\r\n\r\n"},
      {"trailer without colon", chunked + "0\r\nabc\r\n\r\n"},
      {"trailer with LF", chunked + "0\r\nA: b\nC: d\r\n\r\n"},
      {"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
      {"HTTP/1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505},
      {"HTTP/3.0", "GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505},
      {"body above the limit", post + "Content-Length: 65\r\n\r\n", 413},
      {"chunk above the limit", chunked + "41\r\n", 413},
      {"chunks above the limit", chunked + "40\r\n" + std::string(64, 'a') + "\r\n1\r\na\r\n", 413},
      {"largest chunk", chunked + "ffffffffffffffff\r\n", 413},
      {"header above the limit", get + "X: " + std::string(kMaxHeader, 'a') + "\r\n\r\n", 431},
      {"header without end", "GET /" + std::string(kMaxHeader, 'a'), 431},
      {"chunk line without end", chunked + "0;" + std::string(kMaxHeader, 'a')},
      {"trailer without end", chunked + "0\r\nA: " + std::string(kMaxHeader, 'a'), 431},
  };
  std::string many = get;
  for (int i = 0; i < 100; ++i) many += Cat("X", i, ": y\r\n");
  cases.push_back({"101 fields", many + "\r\n", 431});
  return cases;
}

TEST(RequestReader, WhatCouldBeReadInTwoWaysIsRefused) {
  const std::string hidden = "GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n";
  const std::vector<Case> cases = Smuggling();
  EXPECT_GE(cases.size(), 100u);
  for (const Case& c : cases) {
    for (const size_t piece : {size_t{1} << 20, size_t{1}, size_t{7}}) {
      const Outcome outcome = Read(c.bytes + hidden, piece);
      EXPECT_EQ(outcome.status, c.status)
          << c.name << ", pieces of " << piece << ": " << outcome.detail;
      EXPECT_TRUE(outcome.messages.empty()) << c.name;
      EXPECT_FALSE(outcome.status != 0 && outcome.detail.empty()) << c.name;
    }
  }
}

TEST(RequestReader, WholeMessagesInPiecesOfAnySize) {
  const std::string bytes =
      "GET /a HTTP/1.1\r\nHost: a\r\n\r\n"
      "POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nxyz"
      "POST /c HTTP/1.1\r\nHost: a\r\ntransfer-encoding: "
      "Chunked\r\n\r\n3\r\nabc\r\nA\r\n0123456789\r\n"
      "0\r\nX-Trailer: t\r\n\r\n"
      "BREW /d HTTP/1.0\r\n\r\n"
      "POST /e HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
      "PUT /f HTTP/1.1\r\nHost: [::1]:80\r\nX: \xc3\xa9\r\nEmpty:\r\nContent-Length: 64\r\n\r\n" +
      std::string(64, 'z');
  const std::vector<std::string> expected = {
      "GET /a|",  "POST /b|xyz", "POST /c|abc0123456789",
      "BREW /d|", "POST /e|",    "PUT /f|" + std::string(64, 'z')};
  for (size_t piece = 1; piece <= bytes.size(); piece += piece < 64 ? 1 : 37) {
    const Outcome outcome = Read(bytes, piece);
    ASSERT_EQ(outcome.status, 0) << piece << ": " << outcome.detail;
    ASSERT_EQ(outcome.messages, expected) << piece;
    ASSERT_FALSE(outcome.waits) << piece;
  }
}

TEST(RequestReader, CutMessagesWait) {
  const std::string bytes =
      "POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
  for (size_t n = 1; n < bytes.size(); ++n) {
    const Outcome outcome = Read(std::string_view(bytes).substr(0, n));
    EXPECT_EQ(outcome.status, 0) << n;
    EXPECT_TRUE(outcome.messages.empty()) << n;
    EXPECT_TRUE(outcome.waits) << n;
  }
}

TEST(RequestReader, KeepAliveFollowsVersionAndConnection) {
  struct Keep {
    std::string head;
    bool keep;
  };
  for (const Keep& c : {Keep{"GET / HTTP/1.1\r\nHost: a\r\n\r\n", true},
                        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", false},
                        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: x, CLOSE\r\n\r\n", false},
                        {"GET / HTTP/1.0\r\n\r\n", false},
                        {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true}}) {
    RequestReader reader(kMaxHeader);
    reader.Put(c.head);
    ASSERT_EQ(reader.state(), RequestReader::State::kDone) << c.head;
    EXPECT_EQ(reader.head().keep_alive, c.keep) << c.head;
  }
}

TEST(RequestReader, LimitsHoldToTheByte) {
  const std::string start = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
  const std::string fits = start + std::string(kMaxHeader - start.size() - 4, 'a') + "\r\n\r\n";
  ASSERT_EQ(fits.size(), kMaxHeader);
  EXPECT_EQ(Read(fits).messages.size(), 1u);
  EXPECT_EQ(Read(start + "a" + fits.substr(start.size())).status, 431);
  const std::string post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ";
  EXPECT_EQ(Read(post + "63\r\n\r\n" + std::string(63, 'b')).messages.size(), 1u);
  EXPECT_EQ(Read(post + "64\r\n\r\n" + std::string(64, 'b')).messages.size(), 1u);
  EXPECT_EQ(Read(post + "65\r\n\r\n" + std::string(65, 'b')).status, 413);
}

}  // namespace
}  // namespace saferl::net
