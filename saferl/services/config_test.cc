#include "saferl/services/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "saferl/base/file.h"
#include "saferl/base/text.h"

namespace saferl::services {
namespace {

using testing::HasSubstr;
using testing::Not;

Environ Fixed(std::map<std::string, std::string> values) {
  return [values = std::move(values)](const std::string& name) -> std::optional<std::string> {
    const auto at = values.find(name);
    return at == values.end() ? std::nullopt : std::optional<std::string>(at->second);
  };
}

std::string Temporary(const std::string& name, const std::string& text) {
  const std::string path = testing::TempDir() + name;
  std::ofstream(path) << text;
  return path;
}

TEST(ServiceConfig, WithoutAnythingItServesOnLoopbackWithNothingToInstall) {
  const auto config = LoadServiceConfig({});
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->api.port, 8000);
  EXPECT_EQ(config->inference_server.port, 8001);
  EXPECT_EQ(config->api.host, "127.0.0.1");
  EXPECT_TRUE(config->database.host.empty() && config->redis.host.empty() &&
              config->objects.bucket.empty());
}

TEST(ServiceConfig, FileThenDotEnvThenEnvironmentThenFlags) {
  ConfigSources sources;
  sources.file = Temporary("c.yaml", "api: {port: 1}\ndatabase: {port: 2, name: from_file}\n");
  sources.dot_env =
      Temporary("c.env", "DATABASE_PORT=3\nDATABASE_NAME=from_dot_env\nREDIS_PORT=4\n");
  sources.environ = Fixed({{"DATABASE_NAME", "from_environment"}});
  sources.set = {{"redis.port", "5"}};
  const auto config = LoadServiceConfig(sources);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->api.port, 1);
  EXPECT_EQ(config->database.port, 3);
  EXPECT_EQ(config->database.name, "from_environment");
  EXPECT_EQ(config->redis.port, 5);
  const auto from = [&](const char* field) {
    const auto at = config->origins.find(field);
    return at == config->origins.end() ? std::string("default") : at->second;
  };
  EXPECT_THAT(from("api.port"), HasSubstr("c.yaml:1"));
  EXPECT_THAT(from("database.port"), HasSubstr("c.env: $DATABASE_PORT"));
  EXPECT_EQ(from("database.name"), "$DATABASE_NAME");
  EXPECT_EQ(from("redis.port"), "--set");
  EXPECT_EQ(from("inference.max_queue"), "default");
}

TEST(ServiceConfig, EveryVariableReachesAFieldThatExists) {
  std::set<std::string> fields, names;
  for (const config::FieldDoc& doc : ExplainServiceConfig()) fields.insert(doc.path);
  for (const Variable& variable : Variables()) {
    EXPECT_TRUE(fields.contains(variable.field)) << variable.name;
    EXPECT_TRUE(names.insert(variable.name).second) << variable.name;
  }
  // The variables of the deployment guide.
  for (const char* name : {"DATABASE_HOST",
                           "DATABASE_PORT",
                           "DATABASE_NAME",
                           "DATABASE_USER",
                           "DATABASE_PASSWORD",
                           "REDIS_HOST",
                           "REDIS_PORT",
                           "REDIS_PASSWORD",
                           "JWT_SECRET_KEY",
                           "JWT_ALGORITHM",
                           "JWT_EXPIRE_HOURS",
                           "AWS_REGION",
                           "AWS_ACCESS_KEY_ID",
                           "AWS_SECRET_ACCESS_KEY",
                           "S3_BUCKET",
                           "PROMETHEUS_ENABLED",
                           "ALERTMANAGER_WEBHOOK_URL",
                           "ECR_REPOSITORY",
                           "GRAFANA_ADMIN_PASSWORD",
                           "ENCRYPTION_KEY",
                           "MFA_ENABLED",
                           "SECURITY_SCAN_ENABLED",
                           "OFFLINE_MODE",
                           "MODEL_CACHE_SIZE",
                           "INFERENCE_BATCH_SIZE",
                           "GPU_MEMORY_LIMIT",
                           "ONNXRUNTIME_LIBRARY",
                           "INFERENCE_GPU",
                           "TLS_ENABLED",
                           "MTLS_ENABLED",
                           "PROFILING_ENABLED",
                           "CPU_PROFILING"}) {
    EXPECT_TRUE(names.contains(name)) << name;
  }
}

TEST(ServiceConfig, PlaceholdersAreRefusedOutsideOfDevelopmentAndNeverPrinted) {
  const std::map<std::string, std::string> guide = {
      {"DATABASE_PASSWORD", "your_secure_password"},
      {"REDIS_PASSWORD", "your_redis_password"},
      {"JWT_SECRET_KEY", "your_jwt_secret_key_here"},
      {"AWS_ACCESS_KEY_ID", "your_access_key"},
      {"AWS_SECRET_ACCESS_KEY", "your_secret_key"},
      {"ALERTMANAGER_WEBHOOK_URL", "your_webhook_url"},
      {"GRAFANA_ADMIN_PASSWORD", "your_grafana_password"},
      {"ENCRYPTION_KEY", "your_encryption_key_here"}};
  for (const auto& [name, value] : guide) {
    for (const char* environment : {"production", "edge"}) {
      ConfigSources sources;
      sources.environ = Fixed({{name, value}, {"SAFERL_ENVIRONMENT", environment}});
      const auto config = LoadServiceConfig(sources);
      ASSERT_FALSE(config.ok()) << name;
      EXPECT_THAT(config.status().ToString(), HasSubstr(name));
      EXPECT_THAT(config.status().ToString(), Not(HasSubstr(value)));
    }
    ConfigSources development;
    development.environ = Fixed({{name, value}});
    const auto config = LoadServiceConfig(development);
    ASSERT_TRUE(config.ok()) << name << config.status();
    EXPECT_THAT(PrintServiceConfig(*config, true), Not(HasSubstr(value))) << name;
  }
  ConfigSources brief;
  brief.environ =
      Fixed({{"JWT_SECRET_KEY", "too-short-to-be-safe"}, {"SAFERL_ENVIRONMENT", "production"}});
  EXPECT_THAT(LoadServiceConfig(brief).status().ToString(), HasSubstr("32 bytes"));
}

TEST(ServiceConfig, ASecretMayComeFromAFile) {
  ConfigSources sources;
  sources.environ = Fixed({{"DATABASE_PASSWORD_FILE", Temporary("p", "hunter2-hunter2\n")}});
  const auto config = LoadServiceConfig(sources);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->database.password, "hunter2-hunter2");
  sources.environ = Fixed({{"DATABASE_PASSWORD_FILE", "/nonexistent"}});
  EXPECT_THAT(LoadServiceConfig(sources).status().ToString(), HasSubstr("DATABASE_PASSWORD_FILE"));
}

TEST(ServiceConfig, ErrorsNameTheVariableOrTheLine) {
  ConfigSources sources;
  sources.environ = Fixed({{"DATABASE_PORT", "five"}});
  EXPECT_THAT(LoadServiceConfig(sources).status().ToString(), HasSubstr("$DATABASE_PORT"));
  sources.environ = Fixed({{"MODEL_CACHE_SIZE", "2 bananas"}});
  EXPECT_THAT(LoadServiceConfig(sources).status().ToString(), HasSubstr("model_cache_size"));
  ConfigSources file;
  file.file = Temporary("bad.yaml", "api:\n  prot: 1\n");
  EXPECT_THAT(LoadServiceConfig(file).status().ToString(), HasSubstr("'port'"));
}

TEST(DotEnv, ReadsWhatPeopleWrite) {
  const auto lines = ParseDotEnv(
      "# comment\n\nA=1\nexport B = two # note\nC=\"with # hash\"\nD='q'\r\nE=\nF=a=b\n", ".env");
  ASSERT_TRUE(lines.ok()) << lines.status();
  EXPECT_THAT(*lines,
              testing::ElementsAre(testing::Pair("A", "1"), testing::Pair("B", "two"),
                                   testing::Pair("C", "with # hash"), testing::Pair("D", "q"),
                                   testing::Pair("E", ""), testing::Pair("F", "a=b")));
  EXPECT_THAT(ParseDotEnv("A=1\nnonsense\n", ".env").status().ToString(), HasSubstr(".env:2"));
  EXPECT_THAT(ParseDotEnv("A=\"open\n", ".env").status().ToString(), HasSubstr("quote"));
}

std::string MeantBy(const std::string& name) {
  const auto unknown = UnknownVariables({name});
  return unknown.size() == 1 ? unknown[0].nearest : "known";
}

TEST(DotEnv, AMisspeltVariableIsToldWithTheOneThatWasMeant) {
  // A letter less, more, other; two exchanged; small letters; another word of a family of ours.
  EXPECT_EQ(MeantBy("DATABSE_HOST"), "DATABASE_HOST");
  EXPECT_EQ(MeantBy("DATABASE_PASSWORDD"), "DATABASE_PASSWORD");
  EXPECT_EQ(MeantBy("JWT_SECRET_KEI"), "JWT_SECRET_KEY");
  EXPECT_EQ(MeantBy("ENCRYTPION_KEY"), "ENCRYPTION_KEY");
  EXPECT_EQ(MeantBy("redis_password"), "REDIS_PASSWORD");
  EXPECT_EQ(MeantBy("MTLS_ENABLE"), "MTLS_ENABLED");
  EXPECT_EQ(MeantBy("AWS_REGIONS"), "AWS_REGION");
  EXPECT_EQ(MeantBy("SAFERL_ENV"), "SAFERL_ENVIRONMENT");
  EXPECT_EQ(MeantBy("DATABASE_HOSTNAME"), "DATABASE_HOST");
  EXPECT_EQ(MeantBy("JWT_SECRET_KEY_FILES"), "JWT_SECRET_KEY_FILE");
  for (const Variable& variable : Variables()) {
    EXPECT_EQ(MeantBy(variable.name), "known");
    EXPECT_EQ(MeantBy(Cat(variable.name, "_FILE")), "known");
    // Every variable: without its last letter, and with two letters exchanged at its end.
    std::string name = variable.name;
    name.pop_back();
    EXPECT_EQ(MeantBy(name), variable.name);
    name = variable.name;
    std::swap(name[name.size() - 1], name[name.size() - 2]);
    EXPECT_EQ(MeantBy(name), variable.name);
  }
}

TEST(DotEnv, VariablesOfOtherProgramsAreNotTakenForOurs) {
  for (const char* name :
       {"PATH", "HOME", "DEBUG", "LOG_LEVEL", "POSTGRES_PASSWORD", "COMPOSE_PROJECT_NAME",
        "AWS_PROFILE", "AWS_SESSION_TOKEN", "OTEL_SERVICE_NAME", "GRAFANA_PORT", "CPU_LIMIT", "X"})
    EXPECT_EQ(MeantBy(name), "") << name;
  EXPECT_EQ(MeantBy(Cat("SAFERL_", std::string(100'000, 'A'))), "");
}

TEST(DotEnv, WhatIsUnknownStandsInTheConfigurationOnceAndWithoutValues) {
  ConfigSources sources;
  sources.dot_env = Temporary("u.env", "DATABASE_PORT=1\nDATABSE_HOST=a\nPATH=b\nDATABSE_HOST=c\n");
  const auto config = LoadServiceConfig(sources);
  ASSERT_TRUE(config.ok()) << config.status();
  ASSERT_EQ(config->unknown.size(), 2U);
  EXPECT_EQ(config->unknown[0].name, "DATABSE_HOST");
  EXPECT_EQ(config->unknown[0].nearest, "DATABASE_HOST");
  EXPECT_EQ(config->unknown[1].name, "PATH");
  EXPECT_EQ(config->unknown[1].nearest, "");
  EXPECT_TRUE(config->database.host.empty());
}

TEST(Size, UnitsAreDecimalOrBinary) {
  EXPECT_EQ(*ParseSize("2GB"), 2'000'000'000U);
  EXPECT_EQ(*ParseSize("512MiB"), 512U << 20);
  EXPECT_EQ(*ParseSize("17"), 17U);
  for (const char* bad : {"", "GB", "-1", "1.5GB", "2gb", "99999999999GB"})
    EXPECT_FALSE(ParseSize(bad).ok()) << bad;
}

TEST(ServiceConfig, TheShippedExamplesLoad) {
  for (const char* name : {"development", "production", "edge"}) {
    ConfigSources sources;
    sources.file = Cat(SAFERL_SOURCE_DIR, "/config/environments/", name, ".yaml.example");
    const auto config = LoadServiceConfig(sources);
    EXPECT_TRUE(config.ok()) << config.status();
  }
}

class DotEnvExample : public testing::Test {
 protected:
  void SetUp() override {
    const auto text = ReadFile(path_, 1 << 20);
    ASSERT_TRUE(text.ok());
    const auto lines = ParseDotEnv(*text, ".env.example");
    ASSERT_TRUE(lines.ok()) << lines.status();
    for (const auto& [name, value] : *lines)
      EXPECT_TRUE(values_.emplace(name, value).second) << name << " twice";
  }
  const std::string path_ = Cat(SAFERL_SOURCE_DIR, "/.env.example");
  std::map<std::string, std::string> values_;
};

TEST_F(DotEnvExample, HasTheVariablesThatAreReadAndNoOther) {
  std::set<std::string> known, listed;
  for (const Variable& variable : Variables()) known.insert(variable.name);
  for (const auto& [name, value] : values_) listed.insert(name);
  EXPECT_EQ(listed, known);
  ConfigSources sources;
  sources.dot_env = path_;
  const auto config = LoadServiceConfig(sources);
  ASSERT_TRUE(config.ok()) << config.status();
  for (const Variable& variable : Variables())
    EXPECT_TRUE(config->origins.contains(variable.field)) << variable.name;
  const std::string printed = PrintServiceConfig(*config, true);
  for (const Variable& variable : Variables()) {
    if (!variable.secret) continue;
    EXPECT_THAT(printed, Not(HasSubstr(values_[variable.name])));
  }
}

/// One placeholder after the other is refused by its name, until each is a secret of one's own.
TEST_F(DotEnvExample, StartsInProductionOnlyWhenEveryPlaceholderIsReplaced) {
  std::set<std::string> placeholders, refused;
  for (const auto& [name, value] : values_)
    if (value.starts_with("your")) placeholders.insert(name);
  for (const Variable& variable : Variables()) {
    EXPECT_TRUE(!variable.secret || placeholders.contains(variable.name)) << variable.name;
  }
  std::map<std::string, std::string> own = {{"SAFERL_ENVIRONMENT", "production"}};
  for (size_t i = 0; i < placeholders.size(); ++i) {
    ConfigSources sources;
    sources.dot_env = path_;
    sources.environ = Fixed(own);
    const auto config = LoadServiceConfig(sources);
    ASSERT_FALSE(config.ok());
    const std::string text = config.status().ToString();
    const auto name = std::find_if(placeholders.begin(), placeholders.end(), [&](const auto& p) {
      return text.find(p) != std::string::npos;
    });
    ASSERT_NE(name, placeholders.end()) << text;
    EXPECT_THAT(text, Not(HasSubstr(values_[*name])));
    EXPECT_TRUE(refused.insert(*name).second) << text;
    own[*name] = "0123456789abcdef0123456789abcdef";
  }
  EXPECT_EQ(refused, placeholders);
  ConfigSources sources;
  sources.dot_env = path_;
  sources.environ = Fixed(own);
  EXPECT_TRUE(LoadServiceConfig(sources).ok()) << LoadServiceConfig(sources).status();
}

TEST(ServiceConfig, OfflineAndServersElsewhereExcludeEachOther) {
  for (const char* field : {"database.host", "redis.host", "objects.bucket"}) {
    ConfigSources sources;
    sources.set = {{"offline", "true"}, {field, "x"}};
    const auto config = LoadServiceConfig(sources);
    ASSERT_FALSE(config.ok()) << field;
    EXPECT_THAT(std::string(config.status().message()), testing::HasSubstr(field));
  }
  ConfigSources sources;
  sources.set = {{"offline", "true"}};
  EXPECT_TRUE(LoadServiceConfig(sources).ok());
}

TEST(ServiceConfig, NothingStartsInTheClearWhereTlsIsAskedFor) {
  for (const char* field : {"security.tls", "security.mtls"}) {
    ConfigSources sources;
    sources.set = {{field, "true"}};
    const auto config = LoadServiceConfig(sources);
    ASSERT_FALSE(config.ok());
    EXPECT_THAT(std::string(config.status().message()), testing::HasSubstr("TLS_ENABLED: true"));
  }
}

}  // namespace
}  // namespace saferl::services
