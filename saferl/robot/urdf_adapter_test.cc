#include "saferl/robot/urdf_adapter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "saferl/base/file.h"
#include "saferl/base/random.h"
#include "saferl/base/text.h"
#include "saferl/robot/arm.h"

namespace saferl::robot {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr const char* kHead =
    R"(<?xml version="1.0"?><robot name="r"><link name="base"/><link name="a"/><link name="tool"/>)";
constexpr const char* kSecond =
    R"(<joint name="two" type="fixed"><parent link="a"/><child link="tool"/></joint>)";

std::string WithJoint(const std::string& joint) { return Cat(kHead, joint, kSecond, "</robot>"); }

std::string Refusal(const std::string& text) {
  const auto chain = ParseUrdfChain(text, "r.urdf", "base", "tool");
  EXPECT_FALSE(chain.ok());
  return std::string(chain.status().message());
}

TEST(UrdfAdapterTest, EveryRefusalNamesTheFileAndTheProblem) {
  const std::string limit = R"(<limit lower="-1" upper="1" velocity="1" effort="1"/>)";
  const std::string ends = R"(<parent link="base"/><child link="a"/>)";
  const auto joint = [&](const std::string& type, const std::string& inside) {
    return WithJoint(Cat("<joint name=\"one\" type=\"", type, "\">", ends, inside, "</joint>"));
  };
  EXPECT_TRUE(ParseUrdfChain(joint("revolute", limit), "r.urdf", "base", "tool").ok());
  EXPECT_THAT(Refusal(""), HasSubstr("r.urdf:1: is not well-formed XML"));
  EXPECT_THAT(Refusal(joint("prismatic", limit)),
              AllOf(HasSubstr("r.urdf: joint 'one'"), HasSubstr("revolute")));
  EXPECT_THAT(Refusal(joint("continuous", "")), AllOf(HasSubstr("'one'"), HasSubstr("<limit>")));
  EXPECT_THAT(Refusal(joint("revolute", Cat(R"(<axis xyz="0 0 0"/>)", limit))), HasSubstr("axis"));
  EXPECT_THAT(
      Refusal(joint("revolute", R"(<limit lower="1" upper="-1" velocity="1" effort="1"/>)")),
      HasSubstr("lower"));
  EXPECT_THAT(
      Refusal(joint("revolute", R"(<limit lower="-1" upper="1" velocity="0" effort="1"/>)")),
      HasSubstr("velocity"));
  EXPECT_THAT(Refusal(Cat(kHead, kSecond, "</robot>")), HasSubstr("r.urdf"));
  const auto chain = ParseUrdfChain(joint("revolute", limit), "r.urdf", "base", "toll");
  EXPECT_THAT(std::string(chain.status().message()), HasSubstr("did you mean 'tool'"));
  EXPECT_THAT(
      std::string(
          ParseUrdfChain(joint("revolute", limit), "r.urdf", "a", "base").status().message()),
      HasSubstr("does not hang on"));
  EXPECT_THAT(Refusal(std::string(kMaxUrdfBytes + 1, ' ')), HasSubstr("larger than"));
}

TEST(UrdfAdapterTest, ABrokenDescriptionNamesTheLine) {
  const std::string good = R"(<?xml version="1.0"?>
<robot name="r">
  <link name="base"/>
  <link name="a"/>
  <joint name="one" type="revolute">
    <parent link="base"/>
    <child link="a"/>
    <origin xyz="0 0 1" rpy="0 0 0"/>
    <axis xyz="0 0 1"/>
    <limit lower="-1" upper="1" velocity="1" effort="1"/>
  </joint>
</robot>)";
  const auto refusal = [&](std::string_view old, std::string_view now) {
    std::string text = good;
    text.replace(text.find(old), old.size(), now);
    const auto chain = ParseUrdfChain(text, "r.urdf", "base", "a");
    EXPECT_FALSE(chain.ok()) << text;
    return std::string(chain.status().message());
  };
  ASSERT_TRUE(ParseUrdfChain(good, "r.urdf", "base", "a").ok());
  EXPECT_THAT(refusal("</joint>", ""), HasSubstr("r.urdf:12: is not well-formed XML"));
  EXPECT_THAT(refusal("\"base\"/>", "\"base\""), HasSubstr("r.urdf:3: a tag holds another '<'"));
  EXPECT_THAT(refusal("<axis", "<!-- <axis"), HasSubstr("r.urdf:9: a tag or comment"));
  EXPECT_THAT(Refusal("<?xml version='1.0'?>\n<robt name='r'/>"),
              HasSubstr("r.urdf:2: is not a URDF"));
  EXPECT_THAT(refusal("0 0 1\" rpy", "0 zero 1\" rpy"), HasSubstr("r.urdf:8: is not a usable"));
  EXPECT_THAT(refusal("\"0 0 1\"/>", "\"0 1\"/>"), HasSubstr("r.urdf:9: is not a usable"));
  EXPECT_THAT(refusal("velocity=\"1\"", "velocity=\"fast\""), HasSubstr("r.urdf:10:"));
  EXPECT_THAT(refusal("revolute", "hinge"), HasSubstr("r.urdf:5:"));
  EXPECT_THAT(refusal("parent link=\"base\"", "parent link=\"ghost\""), HasSubstr("r.urdf:6:"));
  EXPECT_THAT(refusal("child link=\"a\"", "child link=\"base\""),
              HasSubstr("r.urdf:5: link 'base' hangs on itself"));
}

/// tinyxml descends by recursion: a deep text would end the process.
TEST(UrdfAdapterTest, DeepElementsAreRefusedHoweverTheyHide) {
  constexpr int kMany = 40000;
  const auto repeat = [](const std::string& text, int n) {
    std::string all;
    for (int i = 0; i < n; ++i) all += text;
    return all;
  };
  for (const char* deep : {"<a>", "<a><!--</a>-->", "<a b='/>'>", "<a b='</a>'>",
                           "<a><![CDATA[</a>]]>", "<a ", "<!a "})
    EXPECT_THAT(Refusal(Cat("<robot name='r'>", repeat(deep, kMany))).substr(0, 8), "r.urdf:1")
        << deep;
  EXPECT_THAT(Refusal(repeat("</a>", kMany) + repeat("<a>", kMany)), HasSubstr("nested"));
  EXPECT_THAT(Refusal(Cat("<robot name='r'>", repeat("<a>", 70), repeat("</a>", 70), "</robot>")),
              HasSubstr("nested more than 64 deep"));
}

TEST(UrdfAdapterTest, LoopsAreRefusedBeforeTheParserSeesThem) {
  const auto joint = [](const char* name, const char* parent, const char* child) {
    return Cat("<joint name=\"", name, "\" type=\"fixed\"><parent link = '", parent,
               "'/><child link=\"", child, "\"/></joint>");
  };
  const auto robot = [](const std::string& joints) { return Cat(kHead, joints, "</robot>"); };
  EXPECT_THAT(Refusal(robot(joint("1", "a", "a"))), HasSubstr("link 'a' hangs on itself"));
  EXPECT_THAT(Refusal(robot(joint("1", "a", "tool") + joint("2", "tool", "a"))),
              HasSubstr("hangs on itself"));
  const std::string good = joint("1", "base", "a") + joint("2", "a", "tool");
  EXPECT_TRUE(ParseUrdfChain(robot(Cat("<!-- ", joint("3", "tool", "base"), " -->", good)),
                             "r.urdf", "base", "tool")
                  .ok());
}

TEST(UrdfAdapterTest, NothingReachesTheTerminal) {
  ::testing::internal::CaptureStderr();
  ::testing::internal::CaptureStdout();
  (void)Refusal("<robot><link/></robot>");
  (void)Refusal("not xml at all");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
  EXPECT_EQ(::testing::internal::GetCapturedStdout(), "");
}

TEST(UrdfAdapterTest, SkinsAreSampledAndMeshesCounted) {
  const std::string text = R"(<?xml version="1.0"?><robot name="r">
    <link name="base"><collision><origin xyz="0 0 1"/><geometry><box size="2 4 6"/></geometry></collision></link>
    <link name="a"><visual><geometry><sphere radius="0.5"/></geometry></visual></link>
    <link name="tool"><collision><geometry><mesh filename="x.stl"/></geometry></collision>
      <visual><geometry><sphere radius="9"/></geometry></visual></link>
    <joint name="one" type="revolute"><parent link="base"/><child link="a"/>
      <limit lower="-1" upper="1" velocity="1" effort="1"/></joint>
    <joint name="two" type="fixed"><parent link="a"/><child link="tool"/></joint></robot>)";
  const auto chain = ParseUrdfChain(text, "r.urdf", "base", "tool");
  ASSERT_TRUE(chain.ok()) << chain.status();
  ASSERT_EQ(chain->skins.size(), 3u);
  double top = 0, far = 0;
  for (const math::Vec3 p : chain->skins[0].points_m) {
    top = std::max(top, p.z);
    far = std::max(far, std::abs(p.y));
  }
  EXPECT_DOUBLE_EQ(top, 4);
  EXPECT_DOUBLE_EQ(far, 2);
  for (const math::Vec3 p : chain->skins[1].points_m) EXPECT_NEAR(math::Norm(p), 0.5, 1e-12);
  EXPECT_EQ(chain->skins[1].points_m.size(), 26u);
  EXPECT_TRUE(chain->skins[2].points_m.empty());  // the collision shape counts, and it is a mesh
  EXPECT_EQ(chain->skins[2].n_meshes, 1);
}

/// A robot of a user's: odd axes, tilted frames, a fixed joint in the middle, a continuous joint.
/// Its tool, computed here by multiplying URDF transforms one by one, is where the model says.
TEST(UrdfAdapterTest, AUsersRobotWithOddAxesIsPlacedAsItsUrdfSays) {
  const std::string urdf = R"(<?xml version="1.0"?><robot name="odd">
    <link name="base"/><link name="a"/><link name="b"/><link name="plate"/><link name="c"/><link name="tool"/>
    <joint name="j1" type="continuous"><parent link="base"/><child link="a"/>
      <origin xyz="0.1 -0.2 0.3" rpy="0.4 -0.5 0.6"/><axis xyz="1 0 0"/><limit velocity="1" effort="1"/></joint>
    <joint name="j2" type="revolute"><parent link="a"/><child link="b"/>
      <origin xyz="0 0.25 0.1" rpy="1.2 0.1 0"/><axis xyz="0 0 -1"/><limit lower="-2" upper="2" velocity="1" effort="1"/></joint>
    <joint name="fix" type="fixed"><parent link="b"/><child link="plate"/><origin xyz="0.05 0.06 0.07" rpy="0.3 0.2 0.1"/></joint>
    <joint name="j3" type="revolute"><parent link="plate"/><child link="c"/>
      <origin xyz="0.3 0 0" rpy="0 0 0.7"/><axis xyz="0.6 -0.8 0"/><limit lower="-1" upper="1" velocity="1" effort="1"/></joint>
    <joint name="tip" type="fixed"><parent link="c"/><child link="tool"/><origin xyz="0.1 0.2 0.05" rpy="0 0.4 0"/></joint>
  </robot>)";
  const std::string yaml = R"(
kind: arm
name: odd
urdf: odd.urdf
base_link: base
tip_link: tool
period_s: 0.004
reaction_s: 0.01
state_age_s: 0.004
base: {position_m: [1, 2, 3], rpy_rad: [0.1, 0.2, 0.3]}
limits: {joint_rate_rad_s2: [2], joint_brake_rad_s2: [4]}
uncertainty: {angle_error_rad: [0.001], speed_error_rad_s: [0.01], tracking_rad_s: [0.01]}
links:
  - {link: plate, from_m: [0, 0, 0], to_m: [0.3, 0, 0], radius_m: 0.05}
  - {link: tool, from_m: [0, 0, 0], to_m: [0, 0, 0.1], radius_m: 0.03}
)";
  const auto folder =
      std::filesystem::temp_directory_path() / ("saferl_urdf_" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  ASSERT_TRUE(WriteFileAtomic((folder / "odd.urdf").string(), urdf).ok());
  ASSERT_TRUE(WriteFileAtomic((folder / "odd.yaml").string(), yaml).ok());
  const auto loaded = LoadRobot((folder / "odd.yaml").string());
  std::filesystem::remove_all(folder);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  const auto arm = std::dynamic_pointer_cast<const Arm>(*loaded);
  ASSERT_EQ(arm->n(), 3);
  EXPECT_TRUE(std::isinf(arm->limits().q_upper[0]));
  Random rng(1);
  for (int trial = 0; trial < 100; ++trial) {
    const Joints q{rng.Uniform(-3, 3), rng.Uniform(-2, 2), rng.Uniform(-1, 1)};
    const auto fixed = [](double x, double y, double z, double r, double p, double w) {
      return math::Pose{math::RollPitchYaw(r, p, w), {x, y, z}};
    };
    const auto turn = [](math::Vec3 axis, double angle) {
      return math::Pose{math::AxisAngle(axis, angle), {}};
    };
    const math::Pose plate = fixed(1, 2, 3, 0.1, 0.2, 0.3) * fixed(0.1, -0.2, 0.3, 0.4, -0.5, 0.6) *
                             turn({1, 0, 0}, q[0]) * fixed(0, 0.25, 0.1, 1.2, 0.1, 0) *
                             turn({0, 0, -1}, q[1]) * fixed(0.05, 0.06, 0.07, 0.3, 0.2, 0.1);
    const math::Pose tool = plate * fixed(0.3, 0, 0, 0, 0, 0.7) * turn({0.6, -0.8, 0}, q[2]) *
                            fixed(0.1, 0.2, 0.05, 0, 0.4, 0);
    ArmPose pose;
    arm->ForwardKinematics(q, &pose);
    EXPECT_LT(math::Norm(arm->Tool(pose).p - tool.p), 1e-12);
    Placement place;
    arm->Place(q, &place);
    EXPECT_LT(math::Norm(place.link_W[0].b - plate * math::Vec3{0.3, 0, 0}), 1e-12);
    EXPECT_LT(math::Norm(place.link_W[1].b - tool * math::Vec3{0, 0, 0.1}), 1e-12);
  }
}

}  // namespace
}  // namespace saferl::robot
