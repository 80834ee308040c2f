// The alerts under deployment/monitoring: valid for the tools that load them, each with a case in
// which it fires and one in which it does not, over metrics that exist, with a page of what to do.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <regex>

#include "saferl/base/file.h"
#include "saferl/base/json.h"
#include "saferl/base/text.h"
#include "saferl/base/yaml.h"
#include "saferl/telemetry/catalogue.h"

namespace saferl::telemetry {
namespace {

const std::string kMonitoring = SAFERL_SOURCE_DIR "/deployment/monitoring";
const std::string kRules = kMonitoring + "/prometheus/rules.yml";

int Exit(const std::string& command) { return std::system((command + " >/dev/null").c_str()); }

struct Alert {
  size_t group, rule;
  std::string name, runbook;
};

std::vector<Alert> Alerts(const Node& rules) {
  std::vector<Alert> alerts;
  const std::vector<Node>& groups = rules.Find("groups")->items();
  for (size_t g = 0; g < groups.size(); ++g) {
    const std::vector<Node>& list = groups[g].Find("rules")->items();
    for (size_t r = 0; r < list.size(); ++r) {
      if (const Node* name = list[r].Find("alert")) {
        alerts.push_back(
            {g, r, name->text(), list[r].Find("annotations")->Find("runbook_url")->text()});
      }
    }
  }
  return alerts;
}

void WriteNode(const Node& node, JsonWriter* w) {
  if (node.is_map()) {
    w->BeginObject();
    for (const auto& entry : node.entries()) WriteNode(entry.value, &w->Key(entry.key));
    w->EndObject();
  } else if (node.is_list()) {
    w->BeginArray();
    for (const Node& item : node.items()) WriteNode(item, w);
    w->EndArray();
  } else {
    w->Value(node.text());
  }
}

TEST(Alerts, TheToolsAcceptEveryFile) {
  EXPECT_EQ(Exit(Cat("promtool check rules --lint=all --lint-fatal ", kRules)), 0);
  EXPECT_EQ(Exit(Cat("promtool check config ", kMonitoring, "/prometheus/prometheus.yml")), 0);
  EXPECT_EQ(Exit(Cat("amtool check-config ", kMonitoring, "/alertmanager/alertmanager.yml")), 0);
}

TEST(Alerts, UnitTestsPass) {
  EXPECT_EQ(Exit(Cat("promtool test rules ", kMonitoring, "/prometheus/rules_test.yml")), 0);
}

/// What promtool says of the unit tests when every alert has `expression` instead of its own.
std::string FailuresWith(Node rules, const std::string& expression) {
  const std::string dir = Cat(testing::TempDir(), "saferl_rules_", ::getpid());
  std::filesystem::create_directories(dir);
  std::filesystem::copy_file(kMonitoring + "/prometheus/rules_test.yml", dir + "/rules_test.yml");
  for (const Alert& alert : Alerts(rules)) {
    Node expr;
    expr =
        *rules.Find("groups")->items()[alert.group].Find("rules")->items()[alert.rule].Find("expr");
    expr.set_text(expression, true);
    EXPECT_TRUE(rules.Set(Cat("groups.", alert.group, ".rules.", alert.rule, ".expr"), expr).ok());
  }
  JsonWriter json;
  WriteNode(rules, &json);
  EXPECT_TRUE(WriteFileAtomic(dir + "/rules.yml", json.Take()).ok());
  EXPECT_EQ(Exit(Cat("promtool check rules ", dir, "/rules.yml")), 0);
  EXPECT_NE(Exit(Cat("promtool test rules ", dir, "/rules_test.yml 2> ", dir, "/out")), 0);
  const std::string out = ReadFile(dir + "/out").value_or("");
  std::filesystem::remove_all(dir);
  return out;
}

/// The unit tests notice an alert that never fires, and one that always does.
TEST(Alerts, EachHasAFiringAndASilentCase) {
  const StatusOr<Node> rules = LoadYaml(kRules);
  ASSERT_TRUE(rules.ok()) << rules.status();
  const std::string never = FailuresWith(*rules, "vector(0) > 1");
  const std::string always = FailuresWith(*rules, "vector(1)");
  const std::vector<Alert> alerts = Alerts(*rules);
  ASSERT_GE(alerts.size(), 20u);
  for (const Alert& alert : alerts) {
    EXPECT_NE(never.find(Cat("alertname: ", alert.name, ",")), std::string::npos)
        << alert.name << " has no firing case in rules_test.yml";
    // Always firing fails firing cases too (other labels): look for one that expected nothing.
    EXPECT_TRUE(std::regex_search(
        always, std::regex(Cat("alertname: ", alert.name, ", time: \\w+,\\s+exp:\\[\\s*\\]"))))
        << alert.name << " has no silent case in rules_test.yml";
  }
}

TEST(Alerts, ReadMetricsThatExist) {
  const std::string text = ReadFile(kRules).value_or("");
  const std::regex name(R"((?:^|[^:\w])((?:saferl|nv)_\w+))");
  int found = 0;
  for (std::sregex_iterator it(text.begin(), text.end(), name), end; it != end; ++it) {
    std::string metric = (*it)[1];
    if (text[static_cast<size_t>(it->position(1)) + metric.size()] == ':') continue;
    if (metric.ends_with("_bucket")) metric.resize(metric.size() - 7);
    EXPECT_NE(std::ranges::find(CatalogueTable(), metric, &MetricInfo::name),
              CatalogueTable().end())
        << metric;
    ++found;
  }
  EXPECT_GT(found, 30);
}

TEST(Alerts, EachHasAPageOfWhatToDo) {
  const StatusOr<Node> rules = LoadYaml(kRules);
  ASSERT_TRUE(rules.ok()) << rules.status();
  const std::string page = ReadFile(SAFERL_SOURCE_DIR "/docs/alerts.md").value_or("");
  for (const Alert& alert : Alerts(*rules)) {
    std::string anchor = alert.name;
    std::ranges::transform(anchor, anchor.begin(), [](char c) { return std::tolower(c); });
    EXPECT_EQ(alert.runbook, "docs/alerts.md#" + anchor);
    EXPECT_NE(page.find(Cat("\n### ", alert.name, "\n")), std::string::npos)
        << "docs/alerts.md has no section " << alert.name;
  }
}

}  // namespace
}  // namespace saferl::telemetry
