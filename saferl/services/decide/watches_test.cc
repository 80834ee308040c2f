// The word of a monitor elsewhere: what it grants, for how long, and who holds it.
#include "saferl/services/decide/watches.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "saferl/base/clock.h"
#include "saferl/base/text.h"
#include "saferl/control/workload.h"
#include "saferl/net/http_server.h"

namespace saferl::services {
namespace {

using ::testing::HasSubstr;

class FakeStream final : public net::Stream {
 public:
  bool Send(std::string_view, std::string_view data) override {
    texts += data;
    return open_;
  }
  bool SendBinary(std::string_view) override {
    ++decisions;
    return open_;
  }
  void Close() override { open_ = false; }
  bool open() const override { return open_; }
  std::string texts;
  int decisions = 0;

 private:
  bool open_ = true;
};

class WatchesTest : public testing::Test {
 protected:
  void Make(const WatchOptions& options) {
    watches_ = std::make_unique<Watches>(options);
    sessions_.on_decision = [this](const Decided& decided) { watches_->Tell(decided); };
  }
  void Tick() {
    DecideRequest request;
    request.robot = "r1";
    request.type = "wheelchair";
    request.input = workload_.Next();
    request.counts = {3, 2, -1, 2, -1};
    ASSERT_TRUE(sessions_.Decide(request).ok());
  }
  control::TickInput Next() {
    control::TickInput input;
    watches_->Apply("r1", &input);
    return input;
  }
  static void Pass(double seconds) {
    const Deadline deadline = Deadline::After(FromSeconds(seconds));
    while (!deadline.Passed()) {
    }
  }
  Status Hear(const std::shared_ptr<FakeStream>& stream, std::string_view text) {
    return watches_->Hear("r1", stream.get(), text);
  }
  telemetry::Metrics metrics_;
  ModelHost models_{&metrics_, 1 << 20};
  Sessions sessions_{{}, &models_};
  std::unique_ptr<Watches> watches_;
  control::Workload workload_{(*safety::LoadSafetyModel("wheelchair"))->robot};
  std::shared_ptr<FakeStream> a_ = std::make_shared<FakeStream>(),
                              b_ = std::make_shared<FakeStream>();
};

TEST_F(WatchesTest, OnceWatchedARobotNeedsTheMonitorAndRequiredItAlwaysDoes) {
  Make({.required = false, .lease_s = 3600});
  EXPECT_TRUE(Next().lease_ok) << "nobody ever watched it";
  watches_->Add("r1", a_);
  Tick();
  EXPECT_TRUE(Next().lease_ok) << "who only looks changes nothing";
  ASSERT_TRUE(Hear(a_, R"({"grant":1})").ok());
  EXPECT_TRUE(Next().lease_ok);
  ASSERT_TRUE(Hear(a_, R"({"stop":true})").ok());
  EXPECT_FALSE(Next().lease_ok);
  EXPECT_TRUE(Next().stop_requested);
  ASSERT_TRUE(Hear(a_, R"({"clear":true})").ok());
  EXPECT_FALSE(Next().stop_requested);
  EXPECT_FALSE(Next().lease_ok) << "no grant since the stop";
  Make({.required = true, .lease_s = 3600});
  EXPECT_FALSE(Next().lease_ok);
}

/// The mutant that counts a lease from the word's arrival fails here.
TEST_F(WatchesTest, AWordThatWasDelayedOnItsWayGrantsNothing) {
  Make({.required = true, .lease_s = 0.02});
  watches_->Add("r1", a_);
  Tick();
  Pass(0.021);
  ASSERT_TRUE(Hear(a_, R"({"grant":1})").ok());
  EXPECT_FALSE(Next().lease_ok);
  ASSERT_TRUE(Hear(a_, R"({"grant":2})").ok());
  EXPECT_FALSE(Next().lease_ok) << "a decision that was not made yet";
}

TEST_F(WatchesTest, OneMonitorARobotAndAnotherOnlyAfterItsLease) {
  Make({.required = true, .lease_s = 3600});
  watches_->Add("r1", a_);
  watches_->Add("r1", b_);
  EXPECT_FALSE(b_->open());
  EXPECT_THAT(b_->texts, HasSubstr("another monitor"));
  EXPECT_TRUE(a_->open());
  Make({.required = true, .lease_s = 0.02});
  b_ = std::make_shared<FakeStream>();
  watches_->Add("r1", a_);
  Pass(0.021);
  watches_->Add("r1", b_);
  EXPECT_TRUE(b_->open());
  EXPECT_FALSE(a_->open());
  Tick();
  EXPECT_EQ(b_->decisions, 1);
  EXPECT_THAT(b_->texts, HasSubstr(R"("serial":1)"));
  ASSERT_TRUE(Hear(a_, R"({"stop":true})").ok());
  EXPECT_FALSE(Next().stop_requested) << "who lost the robot has no say";
}

TEST_F(WatchesTest, BadWordsAreRefusedAndChangeNothing) {
  Make({.required = true, .lease_s = 3600});
  watches_->Add("r1", a_);
  Tick();
  for (const char* text :
       {"", "x", "[]", "{}", R"({"grant":-1})", R"({"grant":"1"x})", R"({"grant":1.5})",
        R"({"stop":false})", R"({"clear":1})", R"({"stop":true,"clear":true})", R"({"other":true})",
        R"({"grant":{}})", R"({"grant":99999999999999999999})"}) {
    EXPECT_EQ(Hear(a_, text).code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_FALSE(Next().lease_ok) << text;
    EXPECT_FALSE(Next().stop_requested) << text;
  }
  EXPECT_FALSE(Hear(a_, std::string(300, ' ') + R"({"grant":1})").ok());
}

}  // namespace
}  // namespace saferl::services
