// Our ONNX files against the onnx package's reference evaluator, both ways (tools/test_onnx.py).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <sstream>

#include "saferl/base/file.h"
#include "saferl/base/random.h"
#include "saferl/base/testing/shell.h"
#include "saferl/policy/onnx_graph.h"
#include "saferl/policy/onnx_runtime.h"
#include "saferl/policy/policy.h"
#include "saferl/policy/spec_builder.h"

namespace saferl::policy {
namespace {

constexpr const char* kRoot = SAFERL_SOURCE_DIR;

/// Runs a command; its standard output. The test fails when the command does.
std::string RunCommand(const std::string& command) {
  ShellResult ran = Shell(command);
  EXPECT_EQ(ran.code, 0) << command;
  return std::move(ran.output);
}

std::string Python() {
  std::string python =
      RunCommand(std::string("'") + kRoot +
                 "/tools/python_env' numpy==2.1.3 onnx==1.17.0 onnxruntime==1.20.1");
  while (!python.empty() && python.back() == '\n') python.pop_back();
  return python;
}

std::string Script(const std::string& args) {
  return RunCommand("'" + Python() + "' '" + kRoot + "/tools/test_onnx.py' " + args);
}

/// A float32 (rows x cols) array in NumPy's file format, version 1.0.
struct Rows {
  size_t rows = 0, cols = 0;
  std::vector<float> values;
  std::span<const float> row(size_t r) const { return std::span(values).subspan(r * cols, cols); }
};

void WriteNpy(const Rows& rows, const std::string& path) {
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (" +
                       std::to_string(rows.rows) + ", " + std::to_string(rows.cols) + "), }";
  while ((10 + header.size() + 1) % 64 != 0) header += ' ';
  header += '\n';
  std::string bytes("\x93NUMPY\x01\x00", 8);
  const auto length = static_cast<uint16_t>(header.size());
  bytes.append(reinterpret_cast<const char*>(&length), 2);
  bytes += header;
  bytes.append(reinterpret_cast<const char*>(rows.values.data()), rows.values.size() * 4);
  ASSERT_TRUE(WriteFileAtomic(path, bytes).ok());
}

Rows ReadNpy(const std::string& path) {
  const auto bytes = ReadFile(path);
  EXPECT_TRUE(bytes.ok()) << bytes.status();
  Rows rows;
  if (!bytes.ok()) return rows;
  uint16_t length = 0;
  std::memcpy(&length, bytes->data() + 8, 2);
  const std::string header = bytes->substr(10, length);
  EXPECT_NE(header.find("'<f4'"), std::string::npos);
  const size_t shape = header.find('(');
  EXPECT_EQ(std::sscanf(header.c_str() + shape, "(%zu, %zu", &rows.rows, &rows.cols), 2);
  rows.values.resize(rows.rows * rows.cols);
  EXPECT_EQ(bytes->size(), 10 + length + rows.values.size() * 4U);
  std::memcpy(rows.values.data(), bytes->data() + 10 + length, rows.values.size() * 4);
  return rows;
}

/// max |ours - theirs| over all rows.
double WorstDifference(const Policy& policy, const Rows& in, const Rows& out) {
  EXPECT_EQ(in.rows, out.rows);
  EXPECT_EQ(out.cols, static_cast<size_t>(policy.spec().n_act()));
  std::vector<float> action(out.cols);
  double worst = 0;
  for (size_t r = 0; r < in.rows; ++r) {
    EXPECT_TRUE(policy.Forward(in.row(r), action));
    for (size_t k = 0; k < out.cols; ++k) {
      worst = std::max(worst, std::abs(static_cast<double>(action[k]) - out.row(r)[k]));
    }
  }
  return worst;
}

std::string TempDirectory(const std::string& name) {
  const std::string path = ::testing::TempDir() + "policy_onnx_" + name;
  std::filesystem::create_directories(path);
  return path;
}

TEST(OnnxPython, ReferenceEvaluatorAgreesWithWhatWeExport) {
  const std::string dir = TempDirectory("export");
  for (uint64_t seed = 0; seed < 4; ++seed) {
    Random random(seed);
    const std::vector<int> hidden = {64, 40};
    PolicySpec spec = MakeGaussianMlp(48, 8, hidden, seed);
    for (float& w : spec.layers.back().weight) w *= 50.0F;
    spec.layers[0].activation = static_cast<Activation>(seed % 3);
    spec.squash = seed != 3;
    if (seed > 0) {
      for (float& m : spec.obs_mean) m = static_cast<float>(random.Normal());
      for (float& s : spec.obs_std) s = static_cast<float>(random.Uniform(0.5, 2));
      for (float& s : spec.action_scale) s = static_cast<float>(random.Uniform(0.5, 2));
      for (float& o : spec.action_offset) o = static_cast<float>(random.Normal());
      spec.obs_clip = 1.5F;
    }
    Rows in{32, 48, {}};
    for (size_t i = 0; i < in.rows * in.cols; ++i)
      in.values.push_back(static_cast<float>(random.Normal()));
    ASSERT_TRUE(ExportOnnx(spec, dir + "/model.onnx").ok());
    WriteNpy(in, dir + "/in.npy");
    Script("evaluate '" + dir + "/model.onnx' '" + dir + "/in.npy' '" + dir + "/out.npy'");
    EXPECT_LE(WorstDifference(**Policy::Create(spec), in, ReadNpy(dir + "/out.npy")), 1e-5) << seed;
  }
}

TEST(OnnxPython, WeAgreeWithTheReferenceEvaluatorOnModelsOfOtherTools) {
  const std::string dir = TempDirectory("import");
  std::istringstream names(Script("make '" + dir + "'"));
  int models = 0;
  for (std::string name; names >> name; ++models) {
    const auto spec = ImportOnnx(dir + "/" + name + ".onnx");
    ASSERT_TRUE(spec.ok()) << spec.status();
    const Rows in = ReadNpy(dir + "/" + name + ".in.npy");
    const Rows out = ReadNpy(dir + "/" + name + ".out.npy");
    EXPECT_LE(WorstDifference(**Policy::Create(*spec), in, out), 1e-5) << name;
  }
  EXPECT_EQ(models, 5);
}

std::string LibraryPath() {
  std::string path = Script("library");
  while (!path.empty() && path.back() == '\n') path.pop_back();
  return path;
}

TEST(OnnxRuntime, AgreesWithTheReferenceEvaluatorOnModelsThatOurKernelsCannotExpress) {
  const std::string dir = TempDirectory("beyond");
  const auto runtime = OnnxRuntime::Load({.library = LibraryPath()});
  ASSERT_TRUE(runtime.ok()) << runtime.status();
  EXPECT_EQ((*runtime)->version(), "1.20.1");
  std::istringstream names(Script("beyond '" + dir + "'"));
  int models = 0;
  for (std::string name; names >> name; ++models) {
    const std::string path = dir + "/" + name + ".onnx";
    EXPECT_FALSE(ImportOnnx(path).ok()) << name;
    const auto session = (*runtime)->Open(*ReadFile(path), name);
    ASSERT_TRUE(session.ok()) << session.status();
    EXPECT_EQ((*session)->input().name, "obs");
    EXPECT_EQ((*session)->input().shape[0], -1);
    const Rows in = ReadNpy(dir + "/" + name + ".in.npy");
    const Rows out = ReadNpy(dir + "/" + name + ".out.npy");
    std::vector<int64_t> shape = (*session)->input().shape;
    shape[0] = static_cast<int64_t>(in.rows);
    std::string bytes;
    std::vector<int64_t> out_shape;
    ASSERT_TRUE((*session)->Run(in.values, shape, {}, &bytes, &out_shape).ok());
    EXPECT_EQ(out_shape, std::vector<int64_t>({64, static_cast<int64_t>(out.cols)}));
    ASSERT_EQ(bytes.size(), out.values.size() * sizeof(float));
    std::vector<float> values(out.values.size());
    std::memcpy(values.data(), bytes.data(), bytes.size());
    for (size_t i = 0; i < values.size(); ++i) ASSERT_NEAR(values[i], out.values[i], 1e-5) << name;
    // Wrong sizes are errors of the caller, not of the process.
    EXPECT_TRUE(absl::IsInvalidArgument(
        (*session)->Run(std::span(in.values).subspan(1), shape, {}, &bytes, &out_shape)));
    shape.back() += 1;
    const std::vector<float> longer(in.rows * 100);
    EXPECT_TRUE(absl::IsInvalidArgument((*session)->Run(
        std::span(longer).first(in.values.size() / static_cast<size_t>(shape.back() - 1) *
                                static_cast<size_t>(shape.back())),
        shape, {}, &bytes, &out_shape)));
  }
  EXPECT_EQ(models, 2);
}

TEST(OnnxRuntime, AStateGoesInAndTheNextOneComesOut) {
  const std::string dir = TempDirectory("stateful");
  const auto runtime = OnnxRuntime::Load({.library = LibraryPath()});
  ASSERT_TRUE(runtime.ok()) << runtime.status();
  std::istringstream names(Script("stateful '" + dir + "'"));
  int models = 0;
  for (std::string name; names >> name; ++models) {
    const auto session = (*runtime)->Open(*ReadFile(dir + "/" + name + ".onnx"), name);
    ASSERT_TRUE(session.ok()) << session.status();
    EXPECT_EQ((*session)->input().name, "obs");
    EXPECT_EQ((*session)->output().name, "act");
    EXPECT_EQ((*session)->states().size(), name == "gru" ? 1u : 2u);
    EXPECT_EQ((*session)->state_size(), 4u);
    const Rows in = ReadNpy(dir + "/" + name + ".in.npy"),
               out = ReadNpy(dir + "/" + name + ".out.npy");
    const std::vector<int64_t> shape = {1, static_cast<int64_t>(in.cols)};
    std::vector<float> state((*session)->state_size(), 0.0F);
    std::string bytes;
    std::vector<int64_t> out_shape;
    for (size_t row = 0; row < in.rows; ++row) {
      const std::span<const float> x = std::span(in.values).subspan(row * in.cols, in.cols);
      ASSERT_TRUE((*session)->Run(x, shape, state, &bytes, &out_shape).ok());
      std::vector<float> values(out.cols);
      ASSERT_EQ(bytes.size(), values.size() * sizeof(float));
      std::memcpy(values.data(), bytes.data(), bytes.size());
      for (size_t i = 0; i < out.cols; ++i)
        ASSERT_NEAR(values[i], out.values[row * out.cols + i], 1e-5) << name << " row " << row;
    }
    const std::vector<float> before = state;
    const std::vector<float> longer(in.cols + 1);
    const int64_t wrong[] = {1, static_cast<int64_t>(in.cols) + 1};
    EXPECT_FALSE((*session)->Run(longer, wrong, state, &bytes, &out_shape).ok());
    EXPECT_EQ(state, before);
    EXPECT_FALSE(
        (*session)->Run(std::span(in.values).first(in.cols), shape, {}, &bytes, &out_shape).ok());
    std::vector<float> x(in.cols), y(out.cols);
    EXPECT_FALSE((*session)->Bind(x, shape, y, out_shape).ok());
  }
  EXPECT_EQ(models, 2);
}

TEST(OnnxRuntime, NamesPairStates) {
  EXPECT_EQ(StateOutput("h_in"), "h_out");
  EXPECT_EQ(StateOutput("state_in_0"), "state_out_0");
  EXPECT_EQ(StateOutput("lstm.in.c"), "lstm.out.c");
  EXPECT_EQ(StateOutput("h0"), "hn");
  for (const char* none : {"in", "obs", "input", "begin_x", "0", "inner_x", ""})
    EXPECT_EQ(StateOutput(none), "") << none;
}

TEST(OnnxRuntime, ABoundRunGivesWhatOurKernelGives) {
  const auto runtime = OnnxRuntime::Load({.library = LibraryPath()});
  ASSERT_TRUE(runtime.ok()) << runtime.status();
  const std::vector<int> hidden = {64, 64};
  const PolicySpec spec = MakeGaussianMlp(48, 8, hidden, 1);
  const auto session = (*runtime)->Open(SerializeOnnx(*OnnxFromSpec(spec)), "ours");
  ASSERT_TRUE(session.ok()) << session.status();
  std::vector<float> in(48), out(8), ours(8);
  const int64_t in_shape[] = {1, 48}, out_shape[] = {1, 8};
  const auto bound = (*session)->Bind(in, in_shape, out, out_shape);
  ASSERT_TRUE(bound.ok()) << bound.status();
  const auto policy = *Policy::Create(spec);
  Random random(3);
  for (int i = 0; i < 20; ++i) {
    for (float& x : in) x = static_cast<float>(random.Normal());
    ASSERT_TRUE((*bound)->Run());
    ASSERT_TRUE(policy->Forward(in, ours));
    for (size_t k = 0; k < 8; ++k) EXPECT_NEAR(out[k], ours[k], 1e-5);
  }
}

TEST(OnnxRuntime, RefusesModelsThatNameFilesOrAreNone) {
  const auto runtime = OnnxRuntime::Load({.library = LibraryPath()});
  ASSERT_TRUE(runtime.ok()) << runtime.status();
  const std::string dir = TempDirectory("external");
  Script("external '" + dir + "'");
  for (const char* name : {"external", "external_inside"}) {
    const auto bytes = ReadFile(dir + "/" + name + ".onnx");
    ASSERT_TRUE(bytes.ok());
    const Status status = (*runtime)->Open(*bytes, name).status();
    EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("in another file")) << name;
  }
  EXPECT_TRUE(absl::IsInvalidArgument((*runtime)->Open("no model", "m").status()));
}

TEST(OnnxRuntime, SaysWhatIsMissingHowToGetItAndWhichSettingNamesIt) {
  for (const char* library : {"/nowhere/libonnxruntime.so", "libm.so.6"}) {
    const Status status = OnnxRuntime::Load({.library = library}).status();
    EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
    const std::string text(status.message());
    for (const char* part :
         {"pip install onnxruntime", "inference.onnxruntime", "ONNXRUNTIME_LIBRARY"})
      EXPECT_THAT(text, ::testing::HasSubstr(part));
    EXPECT_THAT(text, ::testing::HasSubstr(library));
  }
}

TEST(OnnxRuntime, AGpuWithALibraryForTheProcessorAloneIsAnErrorThatNamesTheSetting) {
  const Status status = OnnxRuntime::Load({.library = LibraryPath(), .gpu = 0}).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("inference.gpu"));
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("onnxruntime-gpu"));
}

}  // namespace
}  // namespace saferl::policy
