#include "saferl/base/data_path.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "saferl/base/file.h"

namespace saferl {
namespace {

namespace fs = std::filesystem;

TEST(DataPath, EnvironmentComesFirstAndErrorsNameWhatIsKnown) {
  const std::string root = testing::TempDir() + "saferl_data_" + std::to_string(::getpid());
  fs::create_directories(root + "/robots");
  ASSERT_TRUE(WriteFileAtomic(root + "/robots/trolley.yaml", "a: 1\n").ok());
  ::setenv("SAFERL_DATA", root.c_str(), 1);
  EXPECT_EQ(*FindData("robots/trolley.yaml"), root + "/robots/trolley.yaml");
  EXPECT_EQ(*FindNamed("trolley", "robots", ".yaml"), root + "/robots/trolley.yaml");
  EXPECT_EQ(*FindNamed(root + "/robots/trolley.yaml", "robots", ".yaml"),
            root + "/robots/trolley.yaml");
  const Status unknown = FindNamed("trolly", "robots", ".yaml").status();
  EXPECT_EQ(unknown.code(), absl::StatusCode::kNotFound);
  EXPECT_NE(unknown.message().find("trolley"), std::string::npos);
  EXPECT_FALSE(FindNamed("./no/such.yaml", "robots", ".yaml").ok());
  ::unsetenv("SAFERL_DATA");
  fs::remove_all(root);
  EXPECT_FALSE(FindData("robots/trolley.yaml").ok());
}

TEST(DataPath, SourceTreeIsFoundWithoutEnvironment) {
  ::unsetenv("SAFERL_DATA");
  const std::vector<std::string> folders = DataFolders();
  ASSERT_FALSE(folders.empty());
  EXPECT_EQ(folders.front(), std::string(SAFERL_SOURCE_DIR) + "/data");
}

}  // namespace
}  // namespace saferl
