#include "saferl/base/config.h"

#include <gtest/gtest.h>

#include "saferl/base/config_print.h"
#include "saferl/base/yaml.h"

namespace saferl {
namespace {

enum class Level { kRequire, kWarn, kOff };

struct Wheel {
  double radius_m = 0.3;
  std::string side = "left";
  bool operator==(const Wheel&) const = default;
  template <class V>
  static void Visit(V& v, Wheel& s) {
    v.Field("radius_m", s.radius_m,
            {.doc = "radius", .unit = "m", .min = 0.05, .max = 1, .required = true});
    v.Field("side", s.side, {.doc = "which side", .names = {"left", "right"}});
  }
};

struct Chair {
  double max_speed_m_s = 1.5;
  int seats = 1;
  bool powered = true;
  uint64_t seed = 0;
  float gain = 0.5f;
  Level lock = Level::kWarn;
  std::optional<double> timeout_s = 0.2;
  std::string label = "chair \"A\": #1";
  std::array<double, 3> offset_m = {0, 0, 0};
  std::vector<double> weights;
  std::vector<Wheel> wheels;
  std::vector<std::array<double, 2>> outline_m;
  Wheel spare;
  bool operator==(const Chair&) const = default;

  template <class V>
  static void Visit(V& v, Chair& s) {
    v.Field("max_speed_m_s", s.max_speed_m_s,
            {.doc = "top speed", .unit = "m/s", .min = 0.05, .max = 3});
    v.Field("seats", s.seats, {.doc = "seats", .min = 1, .max = 4});
    v.Field("powered", s.powered, {.doc = "has motors"});
    v.Field("seed", s.seed, {.doc = "seed"});
    v.Field("gain", s.gain, {.doc = "gain"});
    v.Field("lock", s.lock, {.doc = "memory lock", .names = {"require", "warn", "off"}});
    v.Field("timeout_s", s.timeout_s, {.doc = "silence before a stop", .unit = "s", .min = 0.01});
    v.Field("label", s.label, {.doc = "label"});
    v.Field("offset_m", s.offset_m, {.doc = "offset", .unit = "m"});
    v.Field("weights", s.weights, {.doc = "weights", .min = 0, .max_size = 8});
    v.Field("wheels", s.wheels, {.doc = "wheels"});
    v.Field("outline_m", s.outline_m, {.doc = "corners", .unit = "m"});
    v.Field("spare", s.spare, {.doc = "spare wheel"});
  }
  Status Check() const {
    if (powered && seats > 3)
      return absl::InvalidArgumentError("a powered chair has at most 3 seats");
    return absl::OkStatus();
  }
};

StatusOr<Chair> ReadText(const std::string& text) {
  SAFERL_ASSIGN_OR_RETURN(const Node node, ParseYaml(text, "chair.yaml"));
  return config::Read<Chair>(node);
}

std::string ErrorOf(const std::string& text) {
  const StatusOr<Chair> chair = ReadText(text);
  return chair.ok() ? "no error" : Cat(chair.status().message());
}

TEST(Config, AbsentFieldsKeepTheirDefaults) {
  EXPECT_EQ(*ReadText(""), Chair());
  EXPECT_EQ(ReadText("seats: 2")->seats, 2);
}

TEST(Config, ReadsEveryKindOfField) {
  const StatusOr<Chair> chair = ReadText(
      "max_speed_m_s: 2\nseats: 3\npowered: false\nseed: 18446744073709551615\ngain: 0.25\nlock: "
      "require\n"
      "timeout_s: off\nlabel: 'x'\noffset_m: [1, 2, 3]\nweights: [0.5]\nwheels:\n  - radius_m: "
      "0.2\n"
      "  - {radius_m: 0.4, side: right}\noutline_m: [[0, 1], [2, 3]]\nspare: {radius_m: 0.1}\n");
  ASSERT_TRUE(chair.ok()) << chair.status();
  EXPECT_EQ(chair->max_speed_m_s, 2.0);
  EXPECT_EQ(chair->seed, UINT64_MAX);
  EXPECT_EQ(chair->lock, Level::kRequire);
  EXPECT_FALSE(chair->timeout_s.has_value());
  EXPECT_EQ(chair->offset_m[2], 3.0);
  ASSERT_EQ(chair->wheels.size(), 2u);
  EXPECT_EQ(chair->wheels[1].side, "right");
  EXPECT_EQ(chair->outline_m[1][0], 2.0);
  EXPECT_EQ(chair->spare.radius_m, 0.1);
}

TEST(Config, UnknownKeyNamesTheNearestKnownOne) {
  EXPECT_EQ(ErrorOf("seats: 2\nmax_sped_m_s: 1\n"),
            "chair.yaml:2: max_sped_m_s: unknown key; did you mean 'max_speed_m_s'?");
  EXPECT_EQ(ErrorOf("spare: {radius_m: 0.1, sid: left}"),
            "chair.yaml:1: spare.sid: unknown key; did you mean 'side'?");
}

TEST(Config, ErrorsNameFileLineFieldProblemAndNextStep) {
  EXPECT_EQ(ErrorOf("seats: 1\nmax_speed_m_s: -1\n"),
            "chair.yaml:2: max_speed_m_s: -1 is below 0.05; give a value in [0.05, 3] m/s");
  EXPECT_EQ(ErrorOf("max_speed_m_s: fast"),
            "chair.yaml:1: max_speed_m_s: expected a finite number, found 'fast'; write a number "
            "such as 0.25");
  EXPECT_EQ(ErrorOf("wheels:\n  - side: left\n"),
            "chair.yaml:2: wheels[0].radius_m: is missing; add 'radius_m:' (radius)");
  EXPECT_EQ(ErrorOf("wheels:\n- radius_m: 0.2\n- radius_m: 9\n"),
            "chair.yaml:3: wheels[1].radius_m: 9 is above 1; give a value in [0.05, 1] m");
  EXPECT_EQ(ErrorOf("offset_m: [1, 2]"), "chair.yaml:1: offset_m: has 2 elements; give exactly 3");
  EXPECT_EQ(ErrorOf("lock: requir"),
            "chair.yaml:1: lock: 'requir' is not known (did you mean 'require'?); give one of "
            "require, warn, off");
  EXPECT_EQ(ErrorOf("seats: 99999999999"),
            "chair.yaml:1: seats: 99999999999 is above 4; give a value in [1, 4]");
  EXPECT_EQ(ErrorOf("seats: 4"), "chair.yaml:1: a powered chair has at most 3 seats");
  EXPECT_EQ(ErrorOf("[1]"), "chair.yaml:1: expected a map, found a list; write key: value lines");
}

TEST(Config, NonFiniteNumbersAndZeroForOffAreRefused) {
  for (const char* bad :
       {".nan", "nan", ".inf", "inf", "-inf", "1e999", "'1'", "0x10", "1.0.0", "", "~"}) {
    EXPECT_NE(ErrorOf(Cat("max_speed_m_s: ", bad)), "no error") << bad;
  }
  EXPECT_NE(ErrorOf("timeout_s: 0"), "no error");
}

TEST(Config, PrintedTextReadsBackEqual) {
  Chair chair;
  chair.max_speed_m_s = 1.0 / 3.0;
  chair.timeout_s.reset();
  chair.lock = Level::kOff;
  chair.weights = {0.1, 1e-300, 12345678.9};
  chair.wheels = {{0.1, "right"}, {0.7, "left"}};
  chair.outline_m = {{1, 2}, {-3, 4}};
  chair.label = "quote \" colon: hash # line\nend";
  for (bool comments : {false, true}) {
    const std::string text = config::Print(chair, comments);
    const StatusOr<Chair> back = ReadText(text);
    ASSERT_TRUE(back.ok()) << back.status() << "\n" << text;
    EXPECT_EQ(*back, chair) << text;
  }
}

TEST(Config, ExplainListsEveryFieldWithRangeUnitAndDefault) {
  const std::vector<config::FieldDoc> docs = config::Explain<Chair>();
  const auto find = [&](const std::string& path) {
    for (const config::FieldDoc& doc : docs) {
      if (doc.path == path) return doc;
    }
    return config::FieldDoc{};
  };
  EXPECT_EQ(find("max_speed_m_s").range, "[0.05, 3]");
  EXPECT_EQ(find("max_speed_m_s").unit, "m/s");
  EXPECT_EQ(find("max_speed_m_s").default_value, "1.5");
  EXPECT_EQ(find("timeout_s").range, ">= 0.01, or off");
  EXPECT_EQ(find("wheels[].radius_m").default_value, "required");
  EXPECT_EQ(find("spare.side").range, "left | right");
  EXPECT_EQ(find("lock").default_value, "warn");
}

TEST(Config, OverridesReachNestedFields) {
  Node node = *ParseYaml("wheels: [{radius_m: 0.2}]\n", "chair.yaml");
  ASSERT_TRUE(node.Set("spare.radius_m", *ParseYaml("0.5", "--set spare.radius_m")).ok());
  ASSERT_TRUE(node.Set("wheels.0.radius_m", *ParseYaml("0.6", "--set")).ok());
  EXPECT_FALSE(node.Set("wheels.1.radius_m", *ParseYaml("0.6", "--set")).ok());
  const StatusOr<Chair> chair = config::Read<Chair>(node);
  ASSERT_TRUE(chair.ok()) << chair.status();
  EXPECT_EQ(chair->spare.radius_m, 0.5);
  EXPECT_EQ(chair->wheels[0].radius_m, 0.6);
  ASSERT_TRUE(node.Set("max_speed_m_s", *ParseYaml("7", "--set max_speed_m_s")).ok());
  EXPECT_EQ(config::Read<Chair>(node).status().message(),
            "--set max_speed_m_s:1: max_speed_m_s: 7 is above 3; give a value in [0.05, 3] m/s");
}

}  // namespace
}  // namespace saferl
