// Signatures against AWS's documented examples, and against values that an independent computation
// (Python's hmac, hashlib and urllib) gave for what those examples leave out.
#include "saferl/storage/sigv4.h"

#include <gtest/gtest.h>

#include <string>

#include "saferl/base/hash.h"

namespace saferl::storage {
namespace {

constexpr const char* kDate = "20130524T000000Z";

/// AWS, "Examples: Signature Calculations in AWS Signature Version 4": their key, bucket and date.
SigV4Request Example(std::string method, std::string path, std::string_view payload) {
  SigV4Request request{.method = std::move(method), .path = std::move(path)};
  request.payload_sha256 = Sha256Hex(payload);
  request.headers = {{"Host", "examplebucket.s3.amazonaws.com"},
                     {"x-amz-date", kDate},
                     {"x-amz-content-sha256", request.payload_sha256}};
  return request;
}

std::string Signature(const SigV4Key& key, const SigV4Request& request) {
  const std::string header = SigV4Authorization(key, request, kDate);
  return header.substr(header.rfind('=') + 1);
}

TEST(SigV4Test, TheDocumentedExamples) {
  const SigV4Key key{"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
                     "us-east-1"};
  SigV4Request get = Example("GET", "/test.txt", "");
  get.headers.emplace_back("Range", "bytes=0-9");
  EXPECT_EQ(SigV4Authorization(key, get, kDate),
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
            "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,Signature="
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
  SigV4Request put = Example("PUT", "/test$file.text", "Welcome to Amazon S3.");
  put.headers.emplace_back("Date", "Fri, 24 May 2013 00:00:00 GMT");
  put.headers.emplace_back("x-amz-storage-class", "REDUCED_REDUNDANCY");
  EXPECT_EQ(Signature(key, put),
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
  SigV4Request lifecycle = Example("GET", "/", "");
  lifecycle.query = {{"lifecycle", ""}};
  EXPECT_EQ(Signature(key, lifecycle),
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
  SigV4Request list = Example("GET", "/", "");
  list.query = {{"prefix", "J"}, {"max-keys", "2"}};  // unsorted
  EXPECT_EQ(Signature(key, list),
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

TEST(SigV4Test, SpacesPlusUtf8AndUnsortedInput) {
  SigV4Request request{.method = "PUT", .path = "/bucket/a b+c/\xc3\xa9~(1)"};
  request.payload_sha256 = Sha256Hex("Welcome to Amazon S3.");
  request.query = {{"uploadId", "2~x/y+z=="},
                   {"partNumber", "10"},
                   {"partNumber", "9"},
                   {"\xc3\xa9", "\xc3\xbc "}};
  request.headers = {{"Host", "127.0.0.1:7480"},
                     {"x-amz-date", kDate},
                     {"X-Amz-Meta-Note", "  two   words "},
                     {"x-amz-content-sha256", request.payload_sha256}};
  EXPECT_EQ(CanonicalRequest(request),
            "PUT\n/bucket/a%20b%2Bc/%C3%A9~%281%29\n"
            "%C3%A9=%C3%BC%20&partNumber=10&partNumber=9&uploadId=2~x%2Fy%2Bz%3D%3D\n"
            "host:127.0.0.1:7480\n"
            "x-amz-content-sha256:"
            "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072\n"
            "x-amz-date:20130524T000000Z\n"
            "x-amz-meta-note:two words\n\n"
            "host;x-amz-content-sha256;x-amz-date;x-amz-meta-note\n"
            "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072");
  EXPECT_EQ(Signature({"key id", "s p a c e", "eu-central-1"}, request),
            "6e8bfbb83a16167072a84dec30e14522273bc5fb93c0febbc3f609e10327edd4");
}

TEST(SigV4Test, ALongSecretAndATokenInTheQuery) {
  SigV4Request request{.path = "/b"};
  request.payload_sha256 = Sha256Hex("");
  request.query = {{"prefix", "a/b"},
                   {"list-type", "2"},
                   {"continuation-token", "a&b=c%20"},
                   {"A", "1"},
                   {"uploads", ""}};
  request.headers = {{"Host", "h"}, {"x-amz-date", kDate}};
  EXPECT_EQ(Signature({"k", std::string(80, 'x'), "eu-central-1"}, request),
            "f052a4e3270f11be80812e0f1948722a8535a849524116d2e8091169de366a70");
}

TEST(SigV4Test, HmacWithAKeyLongerThanABlockAndWithNone) {
  const auto hex = [](const std::string& raw) {
    Sha256Digest digest;
    std::copy(raw.begin(), raw.end(), digest.begin());
    return ToHex(digest);
  };
  EXPECT_EQ(hex(HmacSha256(std::string(131, 'k'), "text")),
            "1fe346bf7485c31a64ca3deb326f2a4dd624e4a10b7cbde1e44cd6dcf1065a15");
  EXPECT_EQ(hex(HmacSha256("", "")),
            "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

TEST(SigV4Test, TimesAreUtc) {
  EXPECT_EQ(AmzDate(0), "19700101T000000Z");
  EXPECT_EQ(AmzDate(1369353600LL * 1'000'000'000 + 999), kDate);
}

}  // namespace
}  // namespace saferl::storage
