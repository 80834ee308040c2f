// Our logs as the mcap package sees them (tools/test_mcap.py): indexes, CRCs, schemas, counts.
#include <gtest/gtest.h>

#include "saferl/base/data_path.h"
#include "saferl/base/testing/shell.h"
#include "saferl/control/decision_log.h"
#include "saferl/control/workload.h"

namespace saferl::control {
namespace {

std::string RunCommand(const std::string& command) {
  ShellResult ran = Shell(command);
  EXPECT_EQ(ran.code, 0) << command;
  return std::move(ran.output);
}

TEST(McapPython, ThePackageReadsOurLogs) {
  const std::string root = SAFERL_SOURCE_DIR, path = testing::TempDir() + "saferl_python.mcap";
  const TickModel model = *MakeBenchModel("wheelchair");
  const auto info = DescribeModel(model, *FindNamed("wheelchair", "robots", ".yaml"));
  ASSERT_TRUE(info.ok()) << info.status();
  auto log = DecisionLogWriter::Create(path, *info, *model.safety->robot);
  ASSERT_TRUE(log.ok()) << log.status();
  const auto data = Prepare(model);
  Workload workload(model.safety->robot);
  Decision decision;
  for (int k = 0; k < 3000; ++k) {
    Tick(model, workload.Next(), data.get(), &decision);
    ASSERT_TRUE((*log)->Write(decision).ok());
    workload.Apply(decision.command);
  }
  ASSERT_TRUE((*log)->Close().ok());
  std::string python = RunCommand("'" + root + "/tools/python_env' mcap==1.2.2");
  while (!python.empty() && python.back() == '\n') python.pop_back();
  EXPECT_EQ(RunCommand("'" + python + "' '" + root + "/tools/test_mcap.py' '" + path + "'"),
            "/saferl/decision 3000\n/saferl/pose 600\n/saferl/summary 600\n");
  std::remove(path.c_str());
}

}  // namespace
}  // namespace saferl::control
