// S3 against a server that verifies signatures (radosgw): what only this adapter has, and what it
// does when the server is away, slow, wrong or closed to us.
#include "saferl/storage/objects_s3.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "saferl/base/clock.h"
#include "saferl/base/hash.h"
#include "saferl/base/random.h"
#include "saferl/base/text.h"
#include "saferl/storage/s3_client.h"
#include "saferl/storage/s3_xml.h"
#include "saferl/storage/testing/fake_server.h"
#include "saferl/storage/testing/s3_server.h"

namespace saferl::storage {
namespace {

using absl::StatusCode;
using net::Method;
using storage::testing::FakeServer;
using storage::testing::S3Server;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

std::unique_ptr<Objects> Open(const ObjectsOptions& options) {
  StatusOr<std::unique_ptr<Objects>> objects = OpenObjects(options);
  EXPECT_TRUE(objects.ok()) << objects.status();
  return objects.ok() ? *std::move(objects) : nullptr;
}

std::string RandomBytes(size_t size, uint64_t seed) {
  Random random(seed);
  std::string bytes(size, '\0');
  for (char& c : bytes) c = static_cast<char>(random.NextU64());
  return bytes;
}

double SecondsOf(const auto& work) {
  const int64_t start_ns = Nanos();
  work();
  return Seconds(Nanos() - start_ns);
}

/// Uploads that were begun and neither completed nor aborted.
size_t OpenUploads(const ObjectsOptions& options) {
  const auto client = *S3Client::Create(options);
  const auto answer = client->Send({.on_bucket = true, .query = {{"uploads", ""}}});
  EXPECT_TRUE(answer.ok()) << answer.status();
  const auto root = ParseXml(answer.ok() ? answer->body : "");
  EXPECT_TRUE(root.ok()) << root.status();
  size_t count = 0;
  for (const XmlElement& child : root.ok() ? root->children : std::vector<XmlElement>()) {
    count += child.name == "Upload";
  }
  return count;
}

TEST(S3ObjectsTest, TheServerVerifiesWhoAsksAndSoDoWe) {
  const ObjectsOptions good = S3Server::Shared().NewBucket();
  EXPECT_TRUE(Open(good)->Check().ok());
  ObjectsOptions wrong = good;
  wrong.secret_access_key = "wrong-secret";
  const Status refused = Open(wrong)->Put("x").status();
  EXPECT_EQ(refused.code(), StatusCode::kPermissionDenied) << refused;
  const Status told = Open(wrong)->Check();
  EXPECT_THAT(std::string(told.message()),
              AllOf(HasSubstr("SignatureDoesNotMatch"), Not(HasSubstr("wrong-secret")),
                    Not(HasSubstr(good.secret_access_key))));
  wrong = good;
  wrong.access_key_id = "NOBODY";
  EXPECT_EQ(Open(wrong)->Check().code(), StatusCode::kPermissionDenied);
  // The payload is signed too: other bytes under a digest do not enter.
  const auto client = *S3Client::Create(good);
  EXPECT_FALSE(client
                   ->Send({.method = Method::kPut,
                           .key = Sha256Hex("a"),
                           .body = "b",
                           .sha256 = Sha256Hex("a")})
                   .ok());
  EXPECT_FALSE(*Open(good)->Has(Sha256Hex("a")));
}

TEST(S3ObjectsTest, OverTlsTheServersNameAndCaAreVerified) {
  const ObjectsOptions good = S3Server::Shared().NewBucket(/*tls=*/true);
  const std::string sha256 = *Open(good)->Put("over TLS");
  EXPECT_EQ(*Open(good)->Get(sha256), "over TLS");
  ObjectsOptions wrong = good;
  wrong.ca_file = S3Server::Shared().certificates().other_ca;
  wrong.patience_s = 0;
  EXPECT_EQ(Open(wrong)->Get(sha256).status().code(), StatusCode::kUnavailable);
}

TEST(S3ObjectsTest, LargeObjectsGoInPartsAndComeBackWhole) {
  ObjectsOptions options = S3Server::Shared().NewBucket();
  options.part_bytes = 5 << 20;
  const auto objects = Open(options);
  for (const size_t size : {size_t{5} << 20, (size_t{10} << 20) + 1}) {
    const std::string bytes = RandomBytes(size, size);
    const StatusOr<std::string> sha256 = objects->Put(bytes);
    ASSERT_TRUE(sha256.ok()) << sha256.status();
    EXPECT_TRUE(*objects->Get(*sha256) == bytes) << size;
    EXPECT_EQ(*objects->Put(bytes), *sha256);
  }
  EXPECT_EQ(OpenUploads(options), 0U);
}

TEST(S3ObjectsTest, AListLongerThanAPageIsWhole) {
  const ObjectsOptions options = S3Server::Shared().NewBucket();
  const auto client = *S3Client::Create(options);
  std::vector<std::string> expected;
  for (int i = 0; i < 1005; ++i) expected.push_back(Sha256Hex(Cat(i)));
  std::vector<std::thread> threads;
  std::atomic<size_t> next = 0, put = 0;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (size_t i = next++; i < expected.size(); i = next++) {
        put += client->Send({.method = Method::kPut, .key = expected[i], .body = Cat(i)}).ok();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_EQ(put, expected.size());
  std::ranges::sort(expected);
  std::vector<std::string> all;
  const auto add = [&](std::string_view sha256, uint64_t) { all.emplace_back(sha256); };
  ASSERT_TRUE(Open(options)->List(add).ok());
  EXPECT_EQ(all, expected);
}

TEST(S3ObjectsTest, WhatLiesBesideTheObjectsIsNotListed) {
  ObjectsOptions options = S3Server::Shared().NewBucket();
  const auto client = *S3Client::Create(options);
  for (const char* key : {"a b+c", "\xc3\xa9/~(1)!'*", "x&y=<z>\"", "notes/readme"}) {
    ASSERT_TRUE(client->Send({.method = Method::kPut, .key = key, .body = key}).ok()) << key;
    EXPECT_EQ(client->Send({.key = key})->body, key);
  }
  const auto objects = Open(options);
  const std::string sha256 = *objects->Put("object");
  std::vector<std::string> all;
  const auto add = [&](std::string_view name, uint64_t) { all.emplace_back(name); };
  ASSERT_TRUE(objects->List(add).ok());
  EXPECT_THAT(all, ::testing::ElementsAre(sha256));
  all.clear();
  options.url = options.url.substr(0, options.url.find("/models"));
  ASSERT_TRUE(Open(options)->List(add).ok());  // the same digest, but not directly in the bucket
  EXPECT_TRUE(all.empty());
}

TEST(S3ObjectsTest, OtherBytesUnderADigestAreDataLoss) {
  const ObjectsOptions options = S3Server::Shared().NewBucket();
  const std::string sha256 = Sha256Hex("right");
  ASSERT_TRUE((*S3Client::Create(options))
                  ->Send({.method = Method::kPut, .key = sha256, .body = "wrong"})
                  .ok());
  EXPECT_EQ(Open(options)->Get(sha256).status().code(), StatusCode::kDataLoss);
}

TEST(S3ObjectsTest, ABucketThatIsNotThereIsSaidToBeSo) {
  ObjectsOptions options = S3Server::Shared().NewBucket();
  options.url = "s3://no-such-bucket/x";
  const Status status = Open(options)->Check();
  EXPECT_EQ(status.code(), StatusCode::kFailedPrecondition) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("create the bucket"));
}

TEST(S3ObjectsTest, AServerThatIsAwayOrPausedCostsBoundedTimeAndComesBackByItself) {
  S3Server& server = S3Server::Shared();
  ObjectsOptions options = server.NewBucket();
  const std::string sha256 = *Open(options)->Put("here to stay");
  options.timeout_s = 1;
  options.patience_s = 0.5;
  const auto objects = Open(options);
  for (const bool pause : {false, true}) {
    pause ? server.Pause() : server.Kill();
    Status status;
    EXPECT_LT(SecondsOf([&] { status = objects->Get(sha256).status(); }),
              options.timeout_s + options.patience_s + 3);
    EXPECT_EQ(status.code(), StatusCode::kUnavailable) << status;
    // The breaker answers at once between its probes.
    int quick = 0;
    for (int i = 0; i < 50; ++i) {
      quick += SecondsOf([&] { status = objects->Put("new").status(); }) < 0.1;
      EXPECT_EQ(status.code(), StatusCode::kUnavailable);
    }
    EXPECT_GT(quick, 40);
    if (pause) {
      server.Resume();
    } else {
      ASSERT_TRUE(server.Restart().ok());
    }
    const Deadline patience = Deadline::After(60 * kNanosPerSecond);
    StatusOr<std::string> back;
    do back = objects->Get(sha256);
    while (!back.ok() && !patience.Passed());
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_EQ(*back, "here to stay");
  }
}

TEST(S3ObjectsTest, SilenceIsGivenUpLongBeforeTheWholeTime) {
  S3Server& server = S3Server::Shared();
  ObjectsOptions options = server.NewBucket();
  options.timeout_s = 60;
  options.silence_s = 1;
  options.patience_s = 0;
  const auto objects = Open(options);
  server.Pause();
  Status status;
  EXPECT_LT(SecondsOf([&] { status = objects->Put("x").status(); }), 15);
  EXPECT_EQ(status.code(), StatusCode::kUnavailable) << status;
  server.Resume();
}

/// A server of canned answers, one connection each.
class CannedS3 {
 public:
  explicit CannedS3(std::vector<std::string> answers)
      : answers_(std::move(answers)),
        server_([this](const FakeServer::Peer& peer) { peer.Send(AnswerTo(Receive(peer))); }) {}

  ObjectsOptions options() const {
    ObjectsOptions options{.url = "s3://bucket"};
    options.endpoint = Cat("http://127.0.0.1:", server_.port());
    options.access_key_id = "k";
    options.secret_access_key = "s";
    options.timeout_s = options.patience_s = 20;  // it answers at once; a busy machine does not
    return options;
  }
  std::vector<std::string> requests() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return requests_;
  }

  static std::string Answer(int status, const std::string& body, const std::string& headers = "") {
    return Cat("HTTP/1.1 ", status, " X\r\nConnection: close\r\n", headers,
               "Content-Length: ", body.size(), "\r\n\r\n", body);
  }

 private:
  /// The whole request: a server that closes before it has read all resets its own answer.
  static std::string Receive(const FakeServer::Peer& peer) {
    std::string request;
    size_t end = std::string::npos, length = 0;
    while (end == std::string::npos || request.size() < end + 4 + length) {
      const std::string more = peer.Receive();
      if (more.empty()) break;
      request += more;
      if (end != std::string::npos) continue;
      end = request.find("\r\n\r\n");
      const size_t at = request.find("Content-Length: ");
      if (at < end) length = std::stoul(request.substr(at + 16));
    }
    return request;
  }
  std::string AnswerTo(const std::string& request) {
    const std::lock_guard<std::mutex> lock(mutex_);
    requests_.push_back(request.substr(0, request.find(" HTTP/")));
    return answers_[std::min(requests_.size(), answers_.size()) - 1];
  }

  const std::vector<std::string> answers_;
  mutable std::mutex mutex_;
  std::vector<std::string> requests_;
  FakeServer server_;
};

TEST(S3ObjectsTest, WhatMayPassIsTriedAgain) {
  const std::string bytes = "worth the wait", sha256 = Sha256Hex(bytes);
  const std::string good = CannedS3::Answer(200, bytes);
  for (const std::string& bad :
       {CannedS3::Answer(500, ""), CannedS3::Answer(503, "<Error><Code>SlowDown</Code></Error>"),
        CannedS3::Answer(429, ""), CannedS3::Answer(502, "<html>bad gateway</html>"),
        CannedS3::Answer(400, "<Error><Code>RequestTimeout</Code></Error>"), std::string(),
        good.substr(0, good.size() - 3), std::string("HTTP/1.1 2"),
        CannedS3::Answer(200, "damaged on way")}) {
    const CannedS3 server({bad, good});
    const StatusOr<std::string> got = Open(server.options())->Get(sha256);
    ASSERT_TRUE(got.ok()) << got.status() << " after " << bad;
    EXPECT_EQ(*got, bytes);
    EXPECT_EQ(server.requests().size(), 2U) << bad;
  }
}

TEST(S3ObjectsTest, WhatCannotPassIsNotTriedAgain) {
  const struct {
    int status;
    const char* code;
    StatusCode expected;
  } cases[] = {{403, "AccessDenied", StatusCode::kPermissionDenied},
               {403, "RequestTimeTooSkewed", StatusCode::kPermissionDenied},
               {403, "QuotaExceeded", StatusCode::kResourceExhausted},
               {404, "NoSuchKey", StatusCode::kNotFound},
               {404, "NoSuchBucket", StatusCode::kFailedPrecondition},
               {301, "PermanentRedirect", StatusCode::kFailedPrecondition},
               {400, "InvalidRequest", StatusCode::kInternal}};
  for (const auto& c : cases) {
    const CannedS3 server(
        {CannedS3::Answer(c.status, Cat("<Error><Code>", c.code, "</Code></Error>"))});
    const Status status = Open(server.options())->Get(Sha256Hex("")).status();
    EXPECT_EQ(status.code(), c.expected) << status;
    EXPECT_EQ(server.requests().size(), 1U) << c.code;
  }
}

TEST(S3ObjectsTest, AnUploadThatFailsInTheMiddleIsAborted) {
  const std::string begun =
      "<InitiateMultipartUploadResult><UploadId>u+1/</UploadId></InitiateMultipartUploadResult>";
  const std::string none = CannedS3::Answer(404, "");
  const std::string denied = CannedS3::Answer(403, "<Error><Code>AccessDenied</Code></Error>");
  const CannedS3 server(
      {none, CannedS3::Answer(200, begun), denied, none, CannedS3::Answer(204, "")});
  ObjectsOptions options = server.options();
  options.part_bytes = 5 << 20;
  const std::string bytes((5 << 20) + 1, 'x');
  EXPECT_EQ(Open(options)->Put(bytes).status().code(), StatusCode::kPermissionDenied);
  ASSERT_EQ(server.requests().size(), 5U);
  EXPECT_EQ(server.requests().back(),
            Cat("DELETE /bucket/", Sha256Hex(bytes), "?uploadId=u%2B1%2F"));
}

TEST(S3ObjectsTest, ACompletionThatReportsItsErrorAfterThe200IsAnError) {
  const std::string etag = "ETag: \"e\"\r\n", none = CannedS3::Answer(404, "");
  const CannedS3 server({none, CannedS3::Answer(200, "<R><UploadId>u</UploadId></R>"),
                         CannedS3::Answer(200, "", etag), CannedS3::Answer(200, "", etag),
                         CannedS3::Answer(200, "<Error><Code>InternalError</Code></Error>"), none,
                         CannedS3::Answer(204, "")});
  ObjectsOptions options = server.options();
  options.part_bytes = 5 << 20;
  const Status status = Open(options)->Put(std::string((5 << 20) + 1, 'x')).status();
  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("InternalError"));
  EXPECT_THAT(server.requests().back(), HasSubstr("DELETE"));
}

TEST(S3ObjectsTest, AListThatGoesRoundOrBackwardsIsRefused) {
  const std::string page =
      "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t"
      "</NextContinuationToken><Contents><Key>k</Key><Size>1</Size></Contents></ListBucketResult>";
  const CannedS3 server({CannedS3::Answer(200, page)});
  const auto ignore = [](std::string_view, uint64_t) {};
  EXPECT_EQ(Open(server.options())->List(ignore).code(), StatusCode::kUnavailable);
  EXPECT_EQ(server.requests().size(), 2U);
  const CannedS3 garbled({CannedS3::Answer(200, page.substr(0, 100))});
  EXPECT_EQ(Open(garbled.options())->List(ignore).code(), StatusCode::kUnavailable);
}

TEST(S3ObjectsTest, AnAnswerBeyondTheLimitIsCutOff) {
  ObjectsOptions options;
  const CannedS3 server({CannedS3::Answer(200, std::string(17 << 20, 'x'))});
  options = server.options();
  options.max_bytes = 1 << 20;
  EXPECT_EQ(Open(options)->Get(Sha256Hex("")).status().code(), StatusCode::kResourceExhausted);
}

TEST(S3ObjectsTest, OptionsAreCheckedByName) {
  const CannedS3 server({""});
  const auto refused = [&](const char* field, auto change) {
    ObjectsOptions options = server.options();
    change(&options);
    const Status status = OpenObjects(options).status();
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << field;
    EXPECT_THAT(std::string(status.message()), HasSubstr(field));
  };
  for (const char* url : {"s3://", "s3://ab", "s3://UPPER", "s3://a..b", "s3://bucket//x",
                          "s3://bucket/../x", "s3://bucket/a/./b", "s3://b?x=1"}) {
    refused("url", [&](ObjectsOptions* options) { options->url = url; });
  }
  for (const char* endpoint :
       {"host", "ftp://host", "http://", "http://u:p@host", "http://h/path"}) {
    refused("endpoint", [&](ObjectsOptions* options) { options->endpoint = endpoint; });
  }
  refused("region", [](ObjectsOptions* options) { options->region = ""; });
  refused("access_key_id", [](ObjectsOptions* options) { options->access_key_id = ""; });
  refused("secret_access_key", [](ObjectsOptions* options) { options->secret_access_key = ""; });
  refused("part_bytes", [](ObjectsOptions* options) { options->part_bytes = 1000; });
  refused("timeout_s", [](ObjectsOptions* options) { options->timeout_s = 0; });
}

}  // namespace
}  // namespace saferl::storage
