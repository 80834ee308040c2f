// Signatures: ours, and OpenSSF's package on ours and we on its.
#include "saferl/registry/signing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>

#include "saferl/base/file.h"
#include "saferl/base/hash.h"
#include "saferl/base/testing/shell.h"
#include "saferl/base/text.h"
#include "saferl/registry/base64.h"
#include "saferl/registry/bundle.h"
#include "saferl/registry/ecdsa.h"
#include "saferl/registry/ed25519.h"
#include "saferl/registry/testing/packages.h"
#include "saferl/storage/testing/temporary_directory.h"

namespace saferl::registry {
namespace {

using absl::StatusCode;
using ::testing::HasSubstr;

struct Party {
  std::string secret, open;
};
Party NewParty(bool oms) {
  const std::string secret = (oms ? ecdsa::MakeKey() : ed25519::MakeKey()).value();
  return {secret, (oms ? ecdsa::PublicOf(secret) : ed25519::PublicOf(secret)).value()};
}

std::string Replaced(std::string text, std::string_view from, std::string_view to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

class SigningTest : public ::testing::TestWithParam<bool> {
 protected:
  SigningTest() : ann_(NewParty(GetParam())), eve_(NewParty(GetParam())) {
    EXPECT_TRUE(keyring_.Add("ann", ann_.open).ok());
  }
  Signature Sign(const Party& party) const {
    return SignDigest(digest_, "arm-1.policy", party.secret).value();
  }
  StatusCode Code(const std::string& digest, const Signature& s) const {
    return VerifySignature(digest, s, keyring_).status().code();
  }
  const std::string digest_ = Sha256Hex("a package"), other_ = Sha256Hex("another package");
  Party ann_, eve_;
  Keyring keyring_;
};

INSTANTIATE_TEST_SUITE_P(Kinds, SigningTest, ::testing::Bool(),
                         [](const auto& oms) { return oms.param ? "oms" : "ed25519"; });

TEST_P(SigningTest, ATrustedKeysSignatureNamesItsOwner) {
  const auto key = VerifySignature(digest_, Sign(ann_), keyring_);
  ASSERT_TRUE(key.ok()) << key.status();
  EXPECT_EQ(key->owner, "ann");
  EXPECT_TRUE(RequireSignature(digest_, {Sign(eve_), Sign(ann_)}, keyring_).ok());
}

TEST_P(SigningTest, AnotherDigestAnUnknownKeyAndABorrowedNameAreRefused) {
  EXPECT_EQ(Code(other_, Sign(ann_)), StatusCode::kPermissionDenied);
  EXPECT_EQ(Code(digest_, Sign(eve_)), StatusCode::kPermissionDenied);
  Signature borrowed = Sign(eve_);  // eve's signature under ann's key id
  borrowed.key_id = keyring_.keys()[0].key_id;
  EXPECT_EQ(Code(digest_, borrowed), StatusCode::kPermissionDenied);
  Signature wrong_kind = Sign(ann_);
  wrong_kind.kind = GetParam() ? "ed25519" : "oms";
  EXPECT_EQ(Code(digest_, wrong_kind), StatusCode::kPermissionDenied);
  EXPECT_THAT(RequireSignature(digest_, {}, keyring_).message(), HasSubstr("saferl registry sign"));
  EXPECT_FALSE(RequireSignature(digest_, {Sign(ann_)}, Keyring()).ok());
}

/// A bundle has names that say nothing (tlogEntries, keyid): a change there leaves what was signed.
TEST_P(SigningTest, EveryChangedByteThatMeansSomethingIsRefused) {
  const Signature good = Sign(ann_);
  size_t harmless = 0;
  for (size_t i = 0; i < good.body.size(); ++i) {
    Signature bad = good;
    bad.body[i] = static_cast<char>(bad.body[i] ^ 1);
    if (VerifySignature(digest_, bad, keyring_).ok()) {
      ++harmless;
      ASSERT_TRUE(GetParam()) << "every byte of an Ed25519 signature counts: " << i;
      EXPECT_EQ(*ParseBundle(bad.body), *ParseBundle(good.body)) << i;
    }
    bad = good;
    bad.body = good.body.substr(0, i);
    EXPECT_FALSE(VerifySignature(digest_, bad, keyring_).ok()) << i;
  }
  EXPECT_LE(harmless, std::string_view("tlogEntrieskeyid").size());
}

TEST_P(SigningTest, AKeyringIsAFolderOfPublicKeys) {
  const storage::testing::TemporaryDirectory folder("keys");
  ASSERT_TRUE(WriteFileAtomic(folder.path() + "/ann.pem", ann_.open).ok());
  const auto keyring = Keyring::Load(folder.path());
  ASSERT_TRUE(keyring.ok()) << keyring.status();
  EXPECT_TRUE(VerifySignature(digest_, Sign(ann_), *keyring).ok());
  EXPECT_TRUE(Keyring::Load(folder.path() + "/none")->keys().empty());
  ASSERT_TRUE(WriteFileAtomic(folder.path() + "/bob.pem", ann_.secret).ok());
  const Status bad = Keyring::Load(folder.path()).status();
  EXPECT_THAT(bad.message(), HasSubstr("bob.pem"));
  EXPECT_THAT(bad.message(), ::testing::Not(HasSubstr(ann_.secret.substr(40, 20))));
}

/// Bundles that are validly signed by a trusted key, and yet say something else.
TEST(Bundles, AValidSignatureOverAnotherStatementIsRefused) {
  const Party ann = NewParty(true);
  Keyring keyring;
  ASSERT_TRUE(keyring.Add("ann", ann.open).ok());
  const std::string digest = Sha256Hex("a package"), other = Sha256Hex("another");
  const std::string statement = WriteStatement("m", digest);
  const auto verdict = [&](const std::string& payload, std::string_view type,
                           bool own_hint = true) {
    Bundle b{own_hint ? keyring.keys()[0].key_id : other, std::string(type), payload, ""};
    b.signature = ecdsa::Sign(PreAuthenticationEncoding(type, payload), ann.secret).value();
    Signature s{"oms", keyring.keys()[0].key_id, "", WriteBundle(b), 0};
    return VerifySignature(digest, s, keyring).status();
  };
  EXPECT_TRUE(verdict(statement, kInTotoType).ok()) << verdict(statement, kInTotoType);
  EXPECT_THAT(verdict(statement, "application/json").message(), HasSubstr("payloadType"));
  EXPECT_THAT(verdict(statement, kInTotoType, false).message(), HasSubstr("hint"));
  for (const auto& [payload, says] : {
           std::pair{WriteStatement("m", other), "the package is"},
           {Replaced(statement, "signature/v1.0", "signature/v9"), "predicateType"},
           {Replaced(statement, "Statement/v1", "Statement/v0.1"), "_type"},
           {Replaced(statement, "\"subject\":[", "\"subject\":[{},"), "one subject"},
           {Replaced(statement, "\"resources\":[", "\"resources\":[{},"), "one resource"},
           {Replaced(statement, "\"method\":\"files\"", "\"method\":\"shards\""), "files"},
           {Replaced(statement, digest, other), "add up"},
           {std::string("[]"), "missing"},
           {std::string("{"), "statement"},
       }) {
    const Status status = verdict(payload, kInTotoType);
    EXPECT_FALSE(status.ok()) << payload;
    EXPECT_THAT(status.message(), HasSubstr(says)) << payload;
  }
}

TEST(Base64, IsStrict) {
  for (const std::string bytes : {"", "f", "fo", "foo", "foob", "fooba", "foobar"})
    EXPECT_EQ(FromBase64(Base64(bytes)), bytes);
  EXPECT_EQ(Base64("foob"), "Zm9vYg==");
  for (const char* bad : {"Z", "Zm9", "Zm9v\n", "Zm9vYh==", "Zg=a", "====", "Zm=v", "Zm9*"})
    EXPECT_EQ(FromBase64(bad), std::nullopt) << bad;
}

/// RFC 8032, section 7.1, test 2 (the key as PKCS #8).
TEST(Ed25519, SignsAsTheStandardSays) {
  std::string seed;
  for (const int byte : {0x4c, 0xcd, 0x08, 0x9b, 0x28, 0xff, 0x96, 0xda, 0x9d, 0xb6, 0xc3,
                         0x46, 0xec, 0x11, 0x4e, 0x0f, 0x5b, 0x8a, 0x31, 0x9f, 0x35, 0xab,
                         0xa6, 0x24, 0xda, 0x8c, 0xf6, 0xed, 0x4f, 0xb8, 0xa6, 0xfb})
    seed.push_back(static_cast<char>(byte));
  const std::string head("\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20", 16);
  const std::string pem =
      Cat("-----BEGIN PRIVATE KEY-----\n", Base64(head + seed), "\n-----END PRIVATE KEY-----\n");
  const std::string signature = ed25519::Sign("\x72", pem).value();
  EXPECT_EQ(Sha256Hex(signature),
            Sha256Hex(*FromBase64("kqAJqfDUyrhyDoILX2QlQKKye1QWUD+Ps3YiI+vbadoIWsHkPhWZbkWPNhPQ8R"
                                  "2MOHsurrQwKu6wDSkWErsMAA==")));
}

ShellResult Python(const std::string& arguments) {
  const std::string command =
      Cat("python=$(", SAFERL_SOURCE_DIR,
          "/tools/python_env pyOpenSSL==26.4.0 model-signing==1.1.1) && $python ",
          SAFERL_SOURCE_DIR, "/tools/test_model_signing.py ", arguments, " 2>&1");
  return Shell(command);
}

/// The reference implementation reads what we write, refuses what was changed, and we read its.
TEST(ModelSigning, OpenSsfsOwnPackageAndOursAgree) {
  const storage::testing::TemporaryDirectory folder("oms");
  const auto at = [&](const char* name) { return Cat(folder.path(), "/", name); };
  const Party ann = NewParty(true);
  const std::string package = registry::testing::SmallPackage(1);
  const std::string digest = Sha256Hex(package);
  const Signature ours = SignDigest(digest, "arm-1.policy", ann.secret).value();
  ASSERT_TRUE(WriteFileAtomic(at("arm-1.policy"), package).ok());
  ASSERT_TRUE(WriteFileAtomic(at("ours.json"), ours.body).ok());
  ASSERT_TRUE(WriteFileAtomic(at("ann.pem"), ann.open).ok());
  ASSERT_TRUE(WriteFileAtomic(at("secret.pem"), ann.secret).ok());
  ASSERT_TRUE(WriteFileAtomic(at("other.policy"), registry::testing::SmallPackage(2)).ok());
  ASSERT_TRUE(WriteFileAtomic(at("eve.pem"), NewParty(true).open).ok());
  const auto verify = [&](const char* model, const char* bundle, const char* key) {
    return Python(Cat("verify ", at(model), " ", at(bundle), " ", at(key)));
  };
  const ShellResult good = verify("arm-1.policy", "ours.json", "ann.pem");
  EXPECT_EQ(good.code, 0) << good.output;
  EXPECT_THAT(good.output, HasSubstr("verified"));
  EXPECT_THAT(verify("other.policy", "ours.json", "ann.pem").output, HasSubstr("refused"));
  EXPECT_THAT(verify("arm-1.policy", "ours.json", "eve.pem").output, HasSubstr("refused"));

  const ShellResult signs =
      Python(Cat("sign ", at("arm-1.policy"), " ", at("theirs.json"), " ", at("secret.pem")));
  ASSERT_EQ(signs.code, 0) << signs.output;
  Keyring keyring;
  ASSERT_TRUE(keyring.Add("ann", ann.open).ok());
  const auto theirs = ReadBundle(ReadFile(at("theirs.json")).value());
  ASSERT_TRUE(theirs.ok()) << theirs.status();
  const auto key = VerifySignature(digest, *theirs, keyring);
  EXPECT_TRUE(key.ok()) << key.status();
  EXPECT_FALSE(VerifySignature(Sha256Hex("else"), *theirs, keyring).ok());
}

/// Bundles that each have one fault, signed by a trusted key where the fault is not the
/// signature's: both implementations refuse each, and take the one without.
TEST(ModelSigning, BothRefuseTheSameFaults) {
  const storage::testing::TemporaryDirectory folder("vectors");
  const auto at = [&](std::string_view name) { return Cat(folder.path(), "/", name); };
  const Party ann = NewParty(true), eve = NewParty(true);
  Keyring keyring;
  ASSERT_TRUE(keyring.Add("ann", ann.open).ok());
  const std::string package = registry::testing::SmallPackage(1);
  const std::string digest = Sha256Hex(package), other = Sha256Hex("another file");
  ASSERT_TRUE(WriteFileAtomic(at("model"), package).ok());
  ASSERT_TRUE(WriteFileAtomic(at("ann.pem"), ann.open).ok());
  const std::string good = WriteStatement("model", digest);
  const std::string file = Cat(R"({"name":".","algorithm":"sha256","digest":")", digest, R"("})");
  const auto bytes_of = [](std::string_view hex) {
    std::string bytes;
    for (size_t i = 0; i < hex.size(); i += 2)
      bytes.push_back(static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
    return bytes;
  };
  // With the root that the resources then add up to.
  const auto files = [&](const std::string& resources, const std::string& bytes) {
    return Replaced(Replaced(good, file, resources), Sha256Hex(bytes_of(digest)), Sha256Hex(bytes));
  };
  const std::string extra = Cat(R"(,{"name":"b","algorithm":"sha256","digest":")", other, R"("})");
  const auto bundle = [&](const std::string& statement, const Party& signer,
                          std::string_view type = kInTotoType) {
    Bundle b{keyring.keys()[0].key_id, std::string(type), statement, ""};
    b.signature = ecdsa::Sign(PreAuthenticationEncoding(type, statement), signer.secret).value();
    return WriteBundle(b);
  };
  const std::string whole = bundle(good, ann);
  for (const auto& [name, body] : {
           std::pair<const char*, std::string>{"good", whole},
           {"wrong_key", bundle(good, eve)},
           {"changed_file", bundle(WriteStatement("model", other), ann)},
           {"missing_file", bundle(files("", ""), ann)},
           {"extra_file", bundle(files(file + extra, bytes_of(digest) + bytes_of(other)), ann)},
           {"algorithm",
            bundle(Replaced(good, R"("algorithm":"sha256")", R"("algorithm":"md5")"), ann)},
           {"base64", Replaced(whole, R"("sig":")", R"("sig":"A)")},
           {"payload_type", bundle(good, ann, "application/json")},
       }) {
    ASSERT_TRUE(WriteFileAtomic(at(name), body).ok());
    const bool is_good = std::string_view(name) == "good";
    const Signature signature{"oms", keyring.keys()[0].key_id, "", body, 0};
    const auto ours = VerifySignature(digest, signature, keyring);
    EXPECT_EQ(ours.ok(), is_good) << name << ": " << ours.status();
    const ShellResult theirs =
        Python(Cat("verify ", at("model"), " ", at(name), " ", at("ann.pem")));
    EXPECT_EQ(theirs.code == 0, is_good) << name << ": " << theirs.output;
    EXPECT_THAT(theirs.output, HasSubstr(is_good ? "verified" : "refused")) << name;
  }
  // Theirs skips what is outside of base64's alphabet; ours takes one spelling of a signature.
  const Signature spelled{"oms", keyring.keys()[0].key_id, "",
                          Replaced(whole, R"("sig":")", R"("sig":"*)"), 0};
  EXPECT_THAT(VerifySignature(digest, spelled, keyring).status().message(), HasSubstr("base64"));
}

}  // namespace
}  // namespace saferl::registry
