// Replays tests/oip/*.txt: what the field's clients send, and what must come back (README there).
#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "saferl/base/file.h"
#include "saferl/base/text.h"
#include "saferl/net/http.h"
#include "saferl/net/raw_socket.h"
#include "saferl/services/testing/oip_server.h"

namespace saferl::services {
namespace {

struct Exchange {
  int line = 0;
  std::string method, path, rpc, body, type;
  net::Headers send, want;
  std::vector<std::string> absent, has;
  int status = 0, code = -1;
  std::optional<std::string> is;
};

std::string Unescape(std::string_view text) {
  std::string bytes;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      bytes += text[i];
    } else if (i + 3 < text.size() && text[i + 1] == 'x') {
      bytes +=
          static_cast<char>(std::strtol(std::string(text.substr(i + 2, 2)).c_str(), nullptr, 16));
      i += 3;
    } else {
      bytes += text[++i];
    }
  }
  return bytes;
}

std::pair<std::string, std::string> Split(std::string_view text, std::string_view at) {
  const size_t end = std::min(text.find(at), text.size());
  return {std::string(text.substr(0, end)),
          std::string(text.substr(std::min(end + at.size(), text.size())))};
}

void ReadLine(const std::string& line, Exchange* e) {
  const auto [word, rest] = Split(line, " ");
  if (word == ">" && e->method.empty()) {
    std::tie(e->method, e->path) = Split(rest, " ");
  } else if (word == ">") {
    const auto [name, value] = Split(rest, ": ");
    e->send.Add(name, value);
  } else if (word == "<" && e->status == 0) {
    const auto [status, type] = Split(rest, " ");
    e->status = std::atoi(status.c_str());
    e->type = type;
  } else if (word == "<" && rest.starts_with("no ")) {
    e->absent.push_back(rest.substr(3));
  } else if (word == "<") {
    const auto [name, value] = Split(rest, ": ");
    e->want.Add(name, value);
  } else if (word == "rpc") {
    e->rpc = rest;
  } else if (word == "body") {
    e->body = Unescape(rest);
  } else if (word == "code") {
    e->code = std::atoi(rest.c_str());
  } else if (word == "is") {
    e->is = Unescape(rest);
  } else if (word == "has") {
    e->has.push_back(Unescape(rest));
  } else {
    ADD_FAILURE() << "line " << e->line << ": unknown word '" << word << "'";
  }
}

std::vector<Exchange> ReadTranscript(const std::string& path) {
  std::ifstream file(path);
  std::vector<Exchange> all;
  std::string line;
  bool open = false;
  for (int number = 1; std::getline(file, line); ++number) {
    if (line.starts_with("#")) continue;
    if (line.empty()) {
      open = false;
      continue;
    }
    if (!open) all.emplace_back().line = number;
    open = true;
    ReadLine(line, &all.back());
  }
  return all;
}

/// Equal but for numbers with a point, and floats after the JSON, which may differ by 1e-6: the
/// kernels of different processors round differently.
bool Same(const std::string& want, const std::string& got, size_t json) {
  size_t a = 0, b = 0;
  const auto number = [](const std::string& text, size_t* at, double* value) {
    const char* begin = text.c_str() + *at;
    char* end = nullptr;
    *value = std::strtod(begin, &end);
    *at += static_cast<size_t>(end - begin);
    return end > begin;
  };
  while (a < std::min(json, want.size()) && b < std::min(json, got.size())) {
    const bool digit = std::isdigit(static_cast<unsigned char>(want[a])) || want[a] == '-';
    double x = 0, y = 0;
    size_t next_a = a, next_b = b;
    if (digit && number(want, &next_a, &x) && number(got, &next_b, &y)) {
      const bool whole = want.substr(a, next_a - a).find_first_of(".e") == std::string::npos;
      if (whole ? x != y : std::abs(x - y) > 1e-6) return false;
      a = next_a;
      b = next_b;
    } else if (want[a++] != got[b++]) {
      return false;
    }
  }
  if (want.size() - a != got.size() - b) return false;
  for (; a + 4 <= want.size(); a += 4, b += 4) {
    float x = 0, y = 0;
    std::memcpy(&x, want.data() + a, 4);
    std::memcpy(&y, got.data() + b, 4);
    if (!(std::abs(x - y) <= 1e-6F)) return false;
  }
  return want.substr(a) == got.substr(b);
}

/// The stores, and the client whose exchanges were recorded.
class Transcripts : public testing::TestWithParam<std::tuple<const char*, const char*>> {
 protected:
  void SetUp() override {
    const Status started = server_.Start();
    ASSERT_TRUE(started.ok()) << started;
    app_ = server_.app();
  }
  void ReplayHttp(const Exchange& e) {
    net::RawSocket socket(app_->inference_port());
    std::string request = Cat(e.method, " ", e.path, " HTTP/1.1\r\nHost: localhost\r\n");
    for (const auto& [name, value] : e.send.all()) request += Cat(name, ": ", value, "\r\n");
    if (e.method == "POST") request += Cat("Content-Length: ", e.body.size(), "\r\n");
    ASSERT_TRUE(socket.Send(request + "\r\n" + e.body));
    const std::string response = socket.ReadResponse();
    const auto [head, body] = Split(response, "\r\n\r\n");
    net::Headers fields;
    for (std::string rest = Split(head, "\r\n").second; !rest.empty();) {
      const auto [line, more] = Split(rest, "\r\n");
      const auto [name, value] = Split(line, ": ");
      fields.Add(name, value);
      rest = more;
    }
    EXPECT_EQ(net::RawSocket::StatusOf(response), e.status) << body;
    const std::string* type = fields.Find("Content-Type");
    EXPECT_EQ(type == nullptr ? "" : *type, e.type);
    for (const auto& [name, value] : e.want.all()) {
      const std::string* found = fields.Find(name);
      EXPECT_TRUE(found != nullptr && *found == value) << name;
    }
    for (const std::string& name : e.absent) EXPECT_EQ(fields.Find(name), nullptr) << name;
    const std::string* json = fields.Find("Inference-Header-Content-Length");
    Check(e, body, json == nullptr ? body.size() : std::strtoull(json->c_str(), nullptr, 10));
  }

  void ReplayGrpc(const Exchange& e) {
    grpc::ChannelArguments own;
    own.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    if (channel_ == nullptr) {
      channel_ = grpc::CreateCustomChannel(Cat("127.0.0.1:", app_->inference_port()),
                                           grpc::InsecureChannelCredentials(), own);
    }
    grpc::GenericStub stub(channel_);
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    grpc::CompletionQueue queue;
    const grpc::Slice slice(e.body);
    const grpc::ByteBuffer message(&slice, 1);
    grpc::ByteBuffer response;
    grpc::Status status;
    auto call = stub.PrepareUnaryCall(&context, e.rpc, message, &queue);
    call->StartCall();
    call->Finish(&response, &status, &queue);
    void* tag = nullptr;
    bool ok = false;
    queue.Next(&tag, &ok);
    EXPECT_EQ(status.error_code(), e.code) << status.error_message();
    std::string text = status.error_message();
    std::vector<grpc::Slice> slices;
    if (status.ok() && response.Dump(&slices).ok()) {
      for (const grpc::Slice& s : slices)
        text.append(reinterpret_cast<const char*>(s.begin()), s.size());
    }
    Check(e, text, text.size());
  }

  static void Check(const Exchange& e, const std::string& got, size_t json) {
    if (e.is.has_value()) {
      EXPECT_TRUE(Same(*e.is, got, json)) << "got  " << got << "\nwant " << *e.is;
    }
    for (const std::string& part : e.has) {
      EXPECT_NE(got.find(part), std::string::npos) << part << "\nin " << got;
    }
  }

  OipServer server_{std::get<0>(GetParam())};
  App* app_ = nullptr;
  std::shared_ptr<grpc::Channel> channel_;
};

TEST_P(Transcripts, AreAnsweredAsRecorded) {
  const char* client = std::get<1>(GetParam());
  const std::vector<Exchange> all =
      ReadTranscript(Cat(SAFERL_SOURCE_DIR, "/tests/oip/", client, ".txt"));
  ASSERT_GE(all.size(), 6u);
  for (const Exchange& e : all) {
    SCOPED_TRACE(Cat(client, ".txt:", e.line));
    ASSERT_TRUE(e.status != 0 || e.code >= 0) << "an exchange without an expectation";
    if (e.rpc.empty()) {
      ReplayHttp(e);
    } else {
      ReplayGrpc(e);
    }
  }
}

constexpr auto kNameOf = [](const auto& test) {
  return Cat(std::get<0>(test.param), "_", std::get<1>(test.param));
};
INSTANTIATE_TEST_SUITE_P(Oip, Transcripts,
                         testing::Combine(testing::ValuesIn(kBackends),
                                          testing::Values("triton_http", "triton_http_aio",
                                                          "triton_grpc", "kserve", "mlserver",
                                                          "perf_analyzer")),
                         kNameOf);

TEST(TranscriptNumbers, DifferInTheLastDigitsOnly) {
  EXPECT_TRUE(Same(R"({"a":0.1234567,"n":7})", R"({"a":0.1234568,"n":7})", 99));
  EXPECT_FALSE(Same(R"({"a":0.1234567,"n":7})", R"({"a":0.1234767,"n":7})", 99));
  EXPECT_FALSE(Same(R"({"a":0.1,"n":7})", R"({"a":0.1,"n":8})", 99));
  EXPECT_FALSE(Same(R"({"a":0.1})", R"({"b":0.1})", 99));
  EXPECT_FALSE(Same("[0.5]", "[0.5,1]", 99));
}

}  // namespace
}  // namespace saferl::services
