// The built program as a user meets it: every verb's help, JSON, exit codes and messages.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "saferl/base/file.h"
#include "saferl/base/json.h"
#include "saferl/base/testing/shell.h"
#include "saferl/base/text.h"
#include "saferl/cli/help.h"
#include "saferl/cli/parser.h"
#include "saferl/cli/verbs.h"
#include "saferl/control/features.h"
#include "saferl/control/tick.h"
#include "saferl/policy/package.h"
#include "saferl/policy/spec_builder.h"

namespace saferl::cli {
namespace {

namespace fs = std::filesystem;

struct Result {
  int code = -1;
  std::string out, err;
};

class CliTest : public testing::Test {
 protected:
  CliTest() : dir_(Cat(testing::TempDir(), "saferl_cli_", ::getpid())) {
    fs::create_directories(dir_);
  }
  ~CliTest() override { fs::remove_all(dir_); }

  Result Saferl(const std::string& words) const {
    const std::string err = dir_ + "/.stderr";
    const std::string command =
        Cat("cd '", dir_, "' && ", SAFERL_BINARY_DIR, "/bin/saferl ", words, " 2>'", err, "'");
    ShellResult ran = Shell(command);
    Result result;
    result.out = std::move(ran.output);
    result.code = ran.code;
    result.err = ReadFile(err).value_or("");
    fs::remove(err);
    return result;
  }
  /// Bad input: exit code 2, a message with `words` in it, no trace of an exception, nothing
  /// written.
  void ExpectRefused(const std::string& command, const std::string& words) const {
    const auto before =
        std::distance(fs::recursive_directory_iterator(dir_), fs::recursive_directory_iterator());
    for (const bool json : {false, true}) {
      const Result result = Saferl(command + (json ? " --json" : ""));
      EXPECT_EQ(result.code, 2) << command << "\n" << result.err;
      EXPECT_NE(result.err.find(words), std::string::npos) << command << "\n" << result.err;
      EXPECT_EQ(result.err.find("terminate called"), std::string::npos);
      if (json) {
        const StatusOr<Node> node = ParseJson(result.out, command);
        ASSERT_TRUE(node.ok()) << command << ": " << result.out;
        ASSERT_NE(node->Find("error"), nullptr) << command;
        EXPECT_NE(node->Find("error")->Find("message")->text().find(words), std::string::npos);
      } else {
        EXPECT_EQ(result.out, "") << command;
      }
    }
    EXPECT_EQ(
        std::distance(fs::recursive_directory_iterator(dir_), fs::recursive_directory_iterator()),
        before)
        << command;
  }
  Node Json(const std::string& command, int code = 0) const {
    const Result result = Saferl(command + " --json");
    EXPECT_EQ(result.code, code) << command << "\n" << result.err;
    const StatusOr<Node> node = ParseJson(result.out, command);
    EXPECT_TRUE(node.ok()) << command << ": " << result.out;
    return node.ok() ? *node : Node();
  }
  void Write(const std::string& name, const std::string& text) const {
    ASSERT_TRUE(WriteFileAtomic(dir_ + "/" + name, text).ok());
  }
  std::string dir_;
};

TEST_F(CliTest, EveryVerbHasHelpWithExamplesAndItsArguments) {
  for (const Verb& verb : Verbs()) {
    const Result result = Saferl(verb.Name() + " --help");
    EXPECT_EQ(result.code, 0) << verb.Name();
    EXPECT_NE(result.out.find("usage: saferl " + verb.Name()), std::string::npos) << verb.Name();
    EXPECT_NE(result.out.find("examples\n  saferl " + verb.Name()), std::string::npos)
        << verb.Name();
    for (const ArgSpec& spec : verb.args)
      EXPECT_NE(result.out.find(spec.name), std::string::npos) << verb.Name();
    EXPECT_EQ(result.err, "");
  }
}

TEST_F(CliTest, EveryVerbRefusesAnUnknownOptionNamingTheNearest) {
  for (const Verb& verb : Verbs()) {
    ExpectRefused(verb.Name() + " --jsn", "did you mean '--json'?");
  }
}

TEST_F(CliTest, EveryNumberIsCheckedBeforeAnythingHappens) {
  for (const Verb& verb : Verbs()) {
    std::string required;
    for (const ArgSpec& spec : verb.args) {
      if (spec.required)
        required += spec.name.starts_with("-") ? Cat(" ", spec.name, " x") : std::string(" x");
    }
    for (const ArgSpec& spec : verb.args) {
      if (spec.kind != ArgKind::kWhole && spec.kind != ArgKind::kReal) continue;
      ExpectRefused(Cat(verb.Name(), required, " ", spec.name, " many"), spec.name);
      if (spec.min > -1e17)
        ExpectRefused(Cat(verb.Name(), required, " ", spec.name, "=-1"), spec.name);
    }
  }
}

TEST_F(CliTest, ProgramHelpNamesEveryVerbAndExitCode) {
  const Result result = Saferl("--help");
  for (const Verb& verb : Verbs())
    EXPECT_NE(result.out.find("  " + verb.Name()), std::string::npos) << verb.Name();
  for (const char* code : {"  0  ", "  1  ", "  2  ", "  3  ", "  4  "}) {
    EXPECT_NE(result.out.find(code), std::string::npos);
  }
  EXPECT_EQ(Saferl("").out, result.out);
}

TEST_F(CliTest, TheManualIsTheHelpText) {
  const StatusOr<std::string> manual = ReadFile(Cat(SAFERL_SOURCE_DIR, "/docs/cli.md"));
  ASSERT_TRUE(manual.ok());
  EXPECT_EQ(*manual, MarkdownHelp(Verbs())) << "run: saferl help --markdown > docs/cli.md";
}

TEST_F(CliTest, UnknownVerbsNameTheNearest) {
  ExpectRefused("trian", "did you mean 'train'?");
  ExpectRefused("policy shw", "did you mean 'policy show'?");
  ExpectRefused("policy", "give one of: show");
  ExpectRefused("xyzzyxyzzy", "see saferl --help");
}

TEST_F(CliTest, MissingWordsAreNamed) {
  ExpectRefused("policy show", "FILE: is missing");
  ExpectRefused("train", "--out: is missing");
  ExpectRefused("version extra", "extra: one word too many");
  ExpectRefused("bench tick --ticks", "--ticks");
  ExpectRefused("bench tick --ticks 200 --ticks 300", "give it once");
  ExpectRefused("completion tcsh", "'tcsh' is not known");
}

TEST_F(CliTest, VersionAndCompletion) {
  EXPECT_EQ(Json("version").Find("version")->text(), "0.1.0");
  EXPECT_EQ(Saferl("--version").out.find("saferl 0.1.0"), 0u);
  for (const char* shell : {"bash", "zsh", "fish"}) {
    const Result result = Saferl(Cat("completion ", shell));
    EXPECT_EQ(result.code, 0);
    for (const Verb& verb : Verbs()) EXPECT_NE(result.out.find(verb.path[0]), std::string::npos);
  }
  Write("completion.bash", Saferl("completion bash").out);
  EXPECT_EQ(std::system(Cat("bash -n '", dir_, "/completion.bash'").c_str()), 0);
}

TEST_F(CliTest, MalformedFilesAreRefusedByEveryReader) {
  Write("bad.yaml", "kind: wheelchair\nname: [\n");
  Write("noise.bin", std::string("\x89MCAP0\r\n\0\1\2\3rubbish", 18));
  Write("empty", "");
  for (const char* file : {"bad.yaml", "noise.bin", "empty", "missing.file"}) {
    ExpectRefused(Cat("policy show ", file), file);
    ExpectRefused(Cat("policy verify ", file), file);
    ExpectRefused(Cat("policy export ", file, " --onnx out.onnx"), file);
    ExpectRefused(Cat("policy import ", file, " --out out.policy"), file);
    ExpectRefused(Cat("replay ", file), file);
    ExpectRefused(Cat("robot check ./", file), file);
    ExpectRefused(Cat("certify ", file), file);
    ExpectRefused(Cat("scenario run ./", file), file);
  }
  ExpectRefused("config check bad.yaml", "bad.yaml:");
}

TEST_F(CliTest, AnAnswerThatCannotBeWrittenIsNoSuccess) {
  for (const char* command : {"version", "version --json", "policy show --help",
                              "prove safety --robot wheelchair --ticks 1000 --json"}) {
    const Result result = Saferl(Cat(command, " >/dev/full"));
    EXPECT_EQ(result.code, 3) << command;
    EXPECT_NE(result.err.find("standard output cannot be written"), std::string::npos) << command;
  }
}

TEST_F(CliTest, NothingInAFileReachesTheTerminalAsAnEscapeSequence) {
  Write("key.yaml", "\"robot\\e[31m\": x\n");
  Write("raw.yaml", "kind: \x1b[2J\n");
  Write("bytes.yaml", "kind: \xff\xfe{\n");
  for (const char* file : {"key.yaml", "raw.yaml", "bytes.yaml"}) {
    for (const char* verb : {"robot check ./", "scenario run ./", "config check "}) {
      const Result result = Saferl(Cat(verb, file));
      EXPECT_EQ(result.code, 2) << verb << file;
      EXPECT_EQ(result.err.find('\x1b'), std::string::npos) << verb << file;
      EXPECT_EQ(result.err.find('\xff'), std::string::npos) << verb << file;
    }
  }
}

TEST_F(CliTest, RobotErrorsNameLineFieldAndFix) {
  std::string text = *ReadFile(Cat(SAFERL_SOURCE_DIR, "/data/robots/wheelchair.yaml"));
  const size_t at = text.find("reaction_s:");
  ASSERT_NE(at, std::string::npos);
  const auto line = 1 + std::count(text.begin(), text.begin() + static_cast<ptrdiff_t>(at), '\n');
  text.replace(at, 11, "reacton_s: ");
  Write("chair.yaml", text);
  ExpectRefused("robot check chair.yaml",
                Cat("chair.yaml:", line, ": reacton_s: unknown key; did you mean 'reaction_s'?"));
  ExpectRefused("robot check wheelchar", "wheelchair");
}

TEST_F(CliTest, RobotCheckReadsEveryRobotOfTheProject) {
  for (const char* robot : {"wheelchair", "arm7", "exoskeleton"}) {
    const Node node = Json(Cat("robot check ", robot));
    ASSERT_TRUE(node.is_map());
    EXPECT_EQ(node.Find("robot")->text(), robot);
    EXPECT_GT(*node.Find("valid_for_s")->AsDouble(), *node.Find("period_s")->AsDouble());
    EXPECT_EQ(Saferl(Cat("robot check ", robot)).code, 0);
  }
}

TEST_F(CliTest, ConfigIsCheckedAndExplained) {
  Write("train.yaml", "algorithm: cpo\niterations: 30\n");
  EXPECT_EQ(Json("config check train.yaml").Find("kind")->text(), "train");
  EXPECT_NE(Saferl("config check train.yaml").out.find("algorithm: cpo"), std::string::npos);
  Write("typo.yaml", "algoritm: cpo\n");
  ExpectRefused("config check typo.yaml",
                "typo.yaml:1: algoritm: unknown key; did you mean 'algorithm'?");
  for (const char* kind : {"train", "safety"}) {
    EXPECT_GT(Json(Cat("config explain ", kind)).Find("fields")->items().size(), 10u);
  }
}

TEST_F(CliTest, AServicesDotEnvIsCheckedAsWhenItStarts) {
  Write("service.yaml", "environment: production\n");
  EXPECT_EQ(Json("config check service.yaml").Find("kind")->text(), "service");
  const std::string password = "your_grafana_password";
  Write(".env", Cat("GRAFANA_ADMIN_PASSWORD=", password, "\n"));
  ExpectRefused("config check service.yaml", "GRAFANA_ADMIN_PASSWORD: is a placeholder");
  ExpectRefused("up --config service.yaml", "GRAFANA_ADMIN_PASSWORD: is a placeholder");
  EXPECT_EQ(Saferl("config check service.yaml").err.find(password), std::string::npos);
  Write(".env", "GRAFANA_ADMIN_PASSWORD=a-good-one-of-our-own\nECR_REPOSITORY=9.ecr/x\n");
  const auto good = Saferl("config check service.yaml");
  EXPECT_EQ(good.code, 0) << good.err;
  EXPECT_NE(good.out.find("image_repository: \"9.ecr/x\""), std::string::npos) << good.out;
  EXPECT_EQ(good.out.find("a-good-one"), std::string::npos) << "a secret is not printed";
  const std::string explained = Saferl("config explain service").out;
  for (const char* name : {"[ECR_REPOSITORY]", "[GRAFANA_ADMIN_PASSWORD]", "[DATABASE_HOST]"})
    EXPECT_NE(explained.find(name), std::string::npos) << name;
}

TEST_F(CliTest, AMisspeltVariableOfDotEnvIsWarnedOf) {
  Write("service.yaml", "environment: development\n");
  Write(".env", "DATABSE_PASSWORD=a-secret-of-mine\nCOMPOSE_PROJECT_NAME=x\n");
  const std::string told = "DATABSE_PASSWORD is none of our variables";
  const Result check = Saferl("config check service.yaml");
  EXPECT_EQ(check.code, 0);
  EXPECT_NE(check.err.find(told), std::string::npos) << check.err;
  EXPECT_NE(check.err.find("did you mean DATABASE_PASSWORD?"), std::string::npos) << check.err;
  EXPECT_NE(check.err.find("COMPOSE_PROJECT_NAME"), std::string::npos) << check.err;
  EXPECT_EQ((check.err + check.out).find("a-secret-of-mine"), std::string::npos);
  const Node json = Json("config check service.yaml");
  ASSERT_EQ(json.Find("misspelt")->items().size(), 1U);
  EXPECT_EQ(json.Find("misspelt")->items()[0].Find("nearest")->text(), "DATABASE_PASSWORD");
  ASSERT_EQ(json.Find("not_ours")->items().size(), 1U);
  EXPECT_EQ(json.Find("not_ours")->items()[0].text(), "COMPOSE_PROJECT_NAME");
  // At start: the misspelling, not what is another program's. A host that is none ends it at once.
  const Result up = Saferl("up --set api.host=nowhere --set data_dir=data");
  EXPECT_NE(up.code, 0);
  EXPECT_NE(up.err.find(told), std::string::npos) << up.err;
  EXPECT_EQ(up.err.find("COMPOSE_PROJECT_NAME"), std::string::npos) << up.err;
  Write(".env", "DATABASE_PASSWORD=a-secret-of-mine\n");
  const Result good = Saferl("config check service.yaml");
  EXPECT_EQ(good.err, "");
  EXPECT_EQ(Json("config check service.yaml").Find("misspelt")->items().size(), 0U);
}

TEST_F(CliTest, TrainRefusesWhatItCannotDoBeforeItStarts) {
  ExpectRefused("train --out p --set iterationz=3", "did you mean 'iterations'?");
  ExpectRefused("train --out p --set iterations", "write field=value");
  ExpectRefused("train --out none/p --iterations 1", "--out: none does not exist");
  ExpectRefused("train --out p --config typo.yaml", "typo.yaml");
  ExpectRefused("train --out p --resume", "--checkpoint");
  ExpectRefused("train --out p --task sailing", "task");
}

/// A policy whose int8 layer loses what it knows: one large weight of an input that is always 0
/// makes the steps of its row so wide that every other weight rounds to 0. It drives as before; its
/// int8 package stands still.
TEST_F(CliTest, AnInt8PackageThatDrivesWorseIsRefusedWithItsFigures) {
  policy::PolicySpec spec = policy::MakeGaussianMlp(38, 2, std::vector<int>{4, 4}, 1);
  const auto tick =
      control::MakeTickModel(safety::LoadSafetyModel("wheelchair").value(), nullptr).value();
  spec.name = "steep";
  spec.robot = tick.safety->robot->name();
  spec.observation = control::ObservationSchema(tick.features);
  spec.action = control::ActionSchema(tick.features);
  control::ActionScaling(tick.features, &spec.action_scale, &spec.action_offset);
  spec.training_record = R"({"task":"wheelchair"})";
  for (policy::Layer& layer : spec.layers) {
    std::ranges::fill(layer.weight, 0.0F);
    std::ranges::fill(layer.bias, 0.0F);
  }
  const auto weight = [&](size_t layer, size_t out, size_t in) -> float& {
    return spec.layers[layer].weight[out * static_cast<size_t>(spec.layers[layer].in) + in];
  };
  weight(0, 0, 1) = 2;  // unit 0: sine of the goal's bearing; unit 1: cosine; unit 3: nothing
  weight(0, 1, 2) = 1;
  for (size_t unit = 0; unit < 2; ++unit) {
    weight(1, unit, unit) = 1;
    weight(1, unit, 3) = 1000;
  }
  weight(2, 0, 1) = 1;
  weight(2, 1, 0) = 1;
  policy::MakeGoldenVectors(&spec, 4, 1);
  Write("steep.policy", *policy::EncodePackage(spec));
  const std::string words =
      "policy quantise steep.policy --samples 1000 --max-error 2 --episodes 16 --drives 0 --out ";
  const Result refused = Saferl(words + "no.policy --json");
  EXPECT_EQ(refused.code, 1) << refused.err;
  EXPECT_FALSE(FileExists(dir_ + "/no.policy"));
  const auto told = ParseJson(refused.out, "answer");
  ASSERT_TRUE(told.ok()) << refused.out;
  EXPECT_FALSE(*told->Find("written")->AsBool());
  EXPECT_FALSE(*told->Find("closed_loop")->Find("return_holds")->AsBool());
  EXPECT_LT(*told->Find("closed_loop")->Find("return_difference")->Find("high")->AsDouble(), -0.1);
  EXPECT_THAT(Saferl(words + "no.policy").out, testing::HasSubstr("NOT within -2 %"));
  // The open loop alone would have let it pass.
  EXPECT_EQ(Saferl(words + "open.policy --closed-loop off").code, 0);
}

TEST_F(CliTest, ATrainedPolicyGoesThroughEveryPolicyVerb) {
  const Node trained = Json(
      "train --task wheelchair --iterations 1 --set n_envs=16 --set rollout_steps=16 --set "
      "evaluation_episodes=4 "
      "--episodes 4 --threads 1 --out p.policy");
  ASSERT_TRUE(trained.is_map());
  EXPECT_EQ(trained.Find("package")->text(), "p.policy");
  const Node shown = Json("policy show p.policy");
  ASSERT_TRUE(shown.is_map());
  EXPECT_TRUE(*shown.Find("layers")->items()[0].Find("float16_weights")->AsBool());
  EXPECT_NE(Saferl("policy show p.policy").out.find("tanh (float16 weights)"), std::string::npos);
  EXPECT_EQ(Json("policy verify p.policy").Find("sha256")->text().size(), 64u);
  EXPECT_EQ(*Json("evaluate p.policy --episodes 8 --threads 1").Find("episodes")->AsInt64(), 8);
  ExpectRefused("evaluate p.policy --task speed_track", "policy 'policy'");
  EXPECT_EQ(Saferl("policy export p.policy --onnx p.onnx").code, 0);
  const Node imported = Json("policy import p.onnx --like p.policy --out q.policy");
  ASSERT_TRUE(imported.is_map());
  EXPECT_EQ(imported.Find("robot")->text(), "wheelchair");
  EXPECT_EQ(Saferl("policy verify q.policy").code, 0);
  EXPECT_EQ(Saferl("policy import p.onnx --float16 --out q16.policy").code, 0);
  EXPECT_TRUE(
      *Json("policy show q16.policy").Find("layers")->items()[0].Find("float16_weights")->AsBool());
  const Node int8 = Json(
      "policy quantise p.policy --out p8.policy --samples 1000 --episodes 16 --drives 9 "
      "--max-loss 0.2");
  ASSERT_TRUE(int8.is_map());
  const Node* closed = int8.Find("closed_loop");
  ASSERT_NE(closed, nullptr);
  EXPECT_TRUE(*closed->Find("good")->AsBool());
  EXPECT_EQ(closed->Find("task")->text(), "wheelchair");
  EXPECT_EQ(*closed->Find("int8")->Find("collisions")->AsInt64(), 0);
  EXPECT_GT(*closed->Find("int8")->Find("ticks")->AsInt64(), 0);
  EXPECT_EQ(int8.Find("from")->text(), Json("policy verify p.policy").Find("sha256")->text());
  EXPECT_EQ(Json("policy verify p8.policy").Find("sha256")->text(), int8.Find("sha256")->text());
  EXPECT_EQ(Json("policy show p8.policy").Find("layers")->items()[1].Find("precision")->text(),
            "int8");
  EXPECT_EQ(Saferl("policy quantise p.policy --out no.policy --max-error 0").code, 1);
  EXPECT_FALSE(FileExists(dir_ + "/no.policy"));
  ExpectRefused("policy quantise p8.policy --out no.policy", "int8 already");
  ExpectRefused("policy quantise p.policy --out no.policy --task sailing", "--closed-loop off");
  ExpectRefused("policy export p8.policy --onnx no.onnx", "int8 layers");
  EXPECT_FALSE(FileExists(dir_ + "/no.onnx"));
  ExpectRefused("evaluate p8.policy", "is int8");
  // One flipped byte is noticed.
  std::string bytes = *ReadFile(dir_ + "/p.policy");
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  Write("flipped.policy", bytes);
  ExpectRefused("policy verify flipped.policy", "flipped.policy");
}

TEST_F(CliTest, ADriveIsReplayedBitForBitAndCertified) {
  const Node drive =
      Json("drive --physics closed_form --drives 1 --max-time 4 --threads 1 --log d.mcap");
  ASSERT_TRUE(drive.is_map());
  const Node& person = drive.Find("people")->items()[0];
  EXPECT_EQ(*person.Find("collisions")->AsInt64(), 0);
  EXPECT_EQ(*person.Find("unproved_moving_ticks")->AsInt64(), 0);
  const Node replay = Json("replay d.mcap --verify");
  ASSERT_TRUE(replay.is_map());
  EXPECT_GT(*replay.Find("ticks")->AsInt64(), 100);
  EXPECT_TRUE(*replay.Find("identical")->AsBool());
  const Node certificate = Json("certify d.mcap");
  ASSERT_TRUE(certificate.is_map());
  EXPECT_EQ(*certificate.Find("invalid")->AsInt64(), 0);
  EXPECT_EQ(*certificate.Find("valid")->AsInt64(), *replay.Find("ticks")->AsInt64());
  // A log that was cut off is bad input, and readable as far as it goes when asked for.
  const std::string bytes = *ReadFile(dir_ + "/d.mcap");
  Write("cut.mcap", bytes.substr(0, bytes.size() / 2));
  ExpectRefused("replay cut.mcap", "cut.mcap");
  ExpectRefused("certify cut.mcap", "cut.mcap");
  EXPECT_LT(*Json("certify cut.mcap --truncated").Find("ticks")->AsInt64(),
            *replay.Find("ticks")->AsInt64());
  ExpectRefused("drive --drives 2 --log e.mcap", "--log");
}

TEST_F(CliTest, ThePersonOfALogDrivesAgain) {
  const std::string same = "drive --physics closed_form --drives 1 --max-time 60 --seed 4 ";
  const Node first = Json(same + "--person novice --log d.mcap");
  ASSERT_EQ(Saferl("replay d.mcap --trace person.csv").code, 0);
  const Node again = Json(same + "--trace person.csv --log again.mcap");
  ASSERT_TRUE(first.is_map() && again.is_map());
  const Node &a = first.Find("people")->items()[0], &b = again.Find("people")->items()[0];
  EXPECT_EQ(b.Find("person")->text(), "recorded");
  for (const char* key : {"ticks", "goals", "interventions", "mean_distortion", "mean_time_s"})
    EXPECT_EQ(a.Find(key)->text(), b.Find(key)->text()) << key;
  EXPECT_GT(*a.Find("ticks")->AsInt64(), 100);
  // The same commands in another room: another drive, and still no collision.
  EXPECT_EQ(Saferl("drive --physics closed_form --drives 1 --seed 5 --trace person.csv").code, 0);
  Write("bad.csv", "t_s,u0,u1\n0,0,0\n0.1,fast,0\n");
  ExpectRefused("drive --drives 1 --trace bad.csv", "bad.csv:3: value 2 'fast'");
  ExpectRefused("drive --drives 1 --trace person.csv --robot arm7", "person.csv:1: column 4");
  ExpectRefused("drive --drives 1 --trace missing.csv", "missing.csv");
  ExpectRefused("drive --drives 1 --trace person.csv --person novice", "--trace");
}

TEST_F(CliTest, ScenariosAnswerWithTheirExpectations) {
  const std::string scenario = Cat(SAFERL_SOURCE_DIR, "/data/scenarios/doorway.yaml");
  const Node good = Json(Cat("scenario run ", scenario));
  ASSERT_TRUE(good.is_map());
  EXPECT_EQ(*good.Find("failed")->AsInt64(), 0);
  EXPECT_EQ(Saferl("scenario run doorway").code, 0);
  ExpectRefused("scenario run dorway", "doorway");
}

TEST_F(CliTest, TheProverFindsNothingInTheFilterAndSomethingInAMutant) {
  const Node proof = Json("prove safety --robot wheelchair --ticks 5000 --threads 1");
  ASSERT_TRUE(proof.is_map());
  for (const char* key : {"robot", "ticks", "violations", "uncertified", "worst_margin",
                          "interventions", "ticks_per_s"}) {
    EXPECT_NE(proof.Find(key), nullptr) << key;
  }
  EXPECT_EQ(*proof.Find("violations")->AsInt64(), 0);
  const Node mutants = Json("prove safety --robot wheelchair --list-mutants");
  ASSERT_TRUE(mutants.is_map());
  EXPECT_GT(mutants.Find("mutants")->items().size(), 3u);
  const Node caught = Json("prove safety --mutant no_epsilon --ticks 250000 --stop --threads 1", 1);
  ASSERT_TRUE(caught.is_map());
  EXPECT_GT(*caught.Find("violations")->AsInt64(), 0);
  ExpectRefused("prove safety --mutant no_epsilonn", "did you mean 'no_epsilon'?");
  ExpectRefused("prove safety --robot wheelchai", "wheelchair");
}

TEST_F(CliTest, RecordedPeopleAreNeverHurtAndEveryBreachIsAnswered) {
  const std::string people = Cat(SAFERL_SOURCE_DIR, "/data/people");
  const Node node = Json(Cat("prove recordings --robot arm7 --duration 2 --recordings ", people));
  ASSERT_TRUE(node.is_map());
  EXPECT_EQ(node.Find("recordings")->items().size(), 9u);
  EXPECT_EQ(*node.Find("violations")->AsInt64(), 0);
  EXPECT_GT(*node.Find("breaches")->AsInt64(), 0);
  EXPECT_EQ(*node.Find("answered")->AsInt64(), *node.Find("breaches")->AsInt64());
  EXPECT_LE(*node.Find("worst_delay_ticks")->AsInt64(), 1);
  Write("walk.csv", "t_s,person,x_m,y_m\n0,1,0,0\n4,1,4,0\n");
  const Result walk = Saferl("prove recordings --robot wheelchair --duration 3 --recordings .");
  EXPECT_EQ(walk.code, 0) << walk.err;
  EXPECT_NE(walk.out.find("walk"), std::string::npos);
  ExpectRefused("prove recordings --robot arm7 --recordings .", "no skeletons");
  ExpectRefused("prove recordings --robot exoskeleton", "--robot");
  Write("bad.csv", "t_s,who,x_m,y_m\n0,1,0,zero\n");
  ExpectRefused("prove recordings --robot wheelchair --recordings .", "bad.csv:2: y_m");
}

TEST_F(CliTest, BenchesPrintFiguresMachineAndNoise) {
  for (const char* robot : {"wheelchair", "arm7", "exoskeleton"}) {
    const Node node = Json(Cat("bench tick --ticks 500 --robot ", robot));
    ASSERT_TRUE(node.is_map());
    EXPECT_GT(*node.Find("p50_us")->AsDouble(), 0.0);
    EXPECT_EQ(*node.Find("allocations")->AsDouble(), 0.0);
    EXPECT_EQ(*node.Find("locks")->AsDouble(), 0.0);
    EXPECT_EQ(*node.Find("syscalls")->AsDouble(), 0.0);
    EXPECT_NE(node.Find("noise_floor_us"), nullptr);
    EXPECT_NE(node.Find("machine")->Find("cpu"), nullptr);
    EXPECT_EQ(node.Find("stages")->entries().size(), 7u);
  }
  const Node paced = Json("bench tick --ticks 100 --paced 100 --robot exoskeleton");
  for (const char* how : {"paced_woken", "paced_early"}) {
    ASSERT_NE(paced.Find(how), nullptr);
    EXPECT_EQ(*paced.Find(how)->Find("ticks")->AsDouble(), 100.0);
    EXPECT_GT(*paced.Find(how)->Find("compute")->Find("p50_us")->AsDouble(), 0.0);
  }
  const Node qp = Json("bench qp --ticks 200");
  ASSERT_TRUE(qp.is_map());
  EXPECT_EQ(qp.Find("rows")->items().size(), 12u);
  EXPECT_TRUE(Json("bench policy --calls 1000 --paced 100").Find("hot")->is_map());
  const Result missing = Saferl("bench policy --calls 100 --paced 100 --onnxruntime /nowhere.so");
  EXPECT_NE(missing.code, 0);
  EXPECT_NE(missing.err.find("pip install onnxruntime"), std::string::npos) << missing.err;
  EXPECT_GT(*Json("bench train --iterations 1").Find("steps_per_s")->AsDouble(), 0.0);
}

}  // namespace
}  // namespace saferl::cli
