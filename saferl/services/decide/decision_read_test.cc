// What a service says of a decision comes back as it was, for every kind of robot; what is no
// answer of a service is refused by the field.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "saferl/base/text.h"
#include "saferl/control/workload.h"
#include "saferl/services/decide/decide_message.h"

namespace saferl::services {
namespace {

using testing::HasSubstr;

std::string Replaced(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  if (at != std::string::npos) text.replace(at, from.size(), to);
  return text;
}

TEST(DecisionJson, ComesBackAsItWas) {
  for (const char* type : {"wheelchair", "arm7", "exoskeleton"}) {
    SCOPED_TRACE(type);
    const auto model = control::MakeBenchModel(type);
    ASSERT_TRUE(model.ok()) << model.status();
    const robot::RobotModel& robot = *model->safety->robot;
    const auto data = control::Prepare(*model);
    control::Workload workload(model->safety->robot);
    control::Decision made;
    std::string last;
    for (int i = 0; i < 100; ++i) {
      control::TickInput input = workload.Next();
      input.stop_requested = i > 90;  // stops, modes and reasons other than the usual
      control::Tick(*model, input, data.get(), &made);
      workload.Apply(made.command);
      const std::string text = EncodeDecisionJson(
          robot,
          {.id = "1", .robot = "r", .type = type, .session = "s", .model = "m", .version = "7"},
          made);
      control::Decision read;
      const auto version = DecodeDecisionJson(text, robot, &read);
      ASSERT_TRUE(version.ok()) << version.status() << text;
      EXPECT_EQ(*version, "7");
      EXPECT_EQ(read.command.u, made.command.u) << "bit for bit";
      EXPECT_EQ(read.command.issued_ns, made.command.issued_ns);
      EXPECT_EQ(read.command.valid_for_ns, made.command.valid_for_ns);
      EXPECT_EQ(read.command.mode, made.command.mode);
      EXPECT_EQ(read.command.reason, made.command.reason);
      EXPECT_EQ(read.authority, made.authority);
      EXPECT_EQ(read.blended, made.blended);
      EXPECT_EQ(read.filter.intervened, made.filter.intervened);
      EXPECT_EQ(read.filter.proof == safety::Proof::kNone,
                made.filter.proof == safety::Proof::kNone);
      EXPECT_EQ(read.filter.margin, made.filter.margin);
      last = text;
    }
    EXPECT_NE(made.command.mode, safety::Mode::kNominal) << "the stop was asked for";
    control::Decision read;
    const auto refused = [&](const std::string& text) {
      return std::string(DecodeDecisionJson(text, robot, &read).status().message());
    };
    EXPECT_THAT(refused("{"), HasSubstr("answer:1"));
    EXPECT_THAT(refused("{}"), HasSubstr("'command' is missing"));
    EXPECT_THAT(refused(Replaced(last, R"("u":[)", R"("u":[0,)")), HasSubstr("answer:1"));
    EXPECT_THAT(refused(Replaced(last, R"("mode":")", R"("mode":"x)")), HasSubstr("newer?"));
    EXPECT_THAT(refused(Replaced(last, R"("margins")", R"("m")")), HasSubstr("'margins'"));
  }
}

}  // namespace
}  // namespace saferl::services
