// Models of other operators, served by ONNX Runtime: NAME/VERSION.onnx in the models folder.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <future>
#include <thread>

#include "saferl/base/clock.h"
#include "saferl/base/file.h"
#include "saferl/base/log.h"
#include "saferl/base/testing/shell.h"
#include "saferl/base/text.h"
#include "saferl/services/app.h"
#include "saferl/services/decide/sessions.h"
#include "saferl/services/inference/engine.h"
#include "saferl/services/inference/small_policy.h"

namespace saferl::services {
namespace {

using testing::HasSubstr;

constexpr const char* kRoot = SAFERL_SOURCE_DIR;

std::string Output(const std::string& command) {
  auto [code, output] = Shell(command);
  EXPECT_EQ(code, 0) << command << "\n" << output;
  while (!output.empty() && output.back() == '\n') output.pop_back();
  return output;
}

class OnnxServing : public testing::Test {
 protected:
  void SetUp() override {
    const std::string python =
        Output(Cat(kRoot, "/tools/python_env numpy==2.1.3 onnx==1.17.0 onnxruntime==1.20.1"));
    const std::string script = Cat(python, " ", kRoot, "/tools/test_onnx.py ");
    config_.inference.onnxruntime = Output(script + "library");
    Write("small/1.policy", Package(1));
    Output(Cat(script, "beyond ", folder_));
    Write("scan/1.onnx", *ReadFile(folder_ + "/scan.onnx"));
    config_.data_dir = folder_;
    config_.api.port = config_.inference_server.port = config_.monitor_server.port = 0;
  }
  void TearDown() override {
    app_.reset();
    std::filesystem::remove_all(folder_);
  }
  void Write(const std::string& file, const std::string& bytes) const {
    const std::filesystem::path path = Cat(folder_, "/models/", file);
    std::filesystem::create_directories(path.parent_path());
    ASSERT_TRUE(WriteFileAtomic(path.string(), bytes).ok());
  }
  void Start() {
    auto app = App::Start(config_, {"0.1.0", "abc"}, {});
    ASSERT_TRUE(app.ok()) << app.status();
    app_ = *std::move(app);
  }
  std::string Reason(const std::string& name) const {
    for (const IndexEntry& entry : app_->models().Index()) {
      if (entry.name == name) return Cat(entry.state, " ", entry.reason);
    }
    return "absent";
  }
  StatusOr<InferResponse> Infer(std::vector<int64_t> shape, size_t numbers) const {
    InferRequest request;
    request.inputs.push_back(
        {"obs", DataType::kFp32, std::move(shape), std::string(4 * numbers, '\0'), {}});
    return services::Infer(*app_->models().Find("scan", "1"), std::move(request),
                           telemetry::Transport::kHttp);
  }

  const std::string folder_ =
      (std::filesystem::temp_directory_path() / Cat("saferl_onnx_", ::getpid())).string();
  ServiceConfig config_;
  std::unique_ptr<App> app_;
};

TEST_F(OnnxServing, TritonsClientsGetTheReferencesAnswersByRestAndGrpc) {
  Start();
  const std::string python =
      Output(Cat(kRoot, "/tools/python_env -r ", kRoot, "/tools/oip_clients.txt"));
  EXPECT_EQ(Output(Cat(python, " ", kRoot, "/tools/test_onnx_serving.py ", app_->inference_port(),
                       " ", folder_, "/scan.in.npy ", folder_, "/scan.out.npy 2>&1")),
            "ok");
}

TEST_F(OnnxServing, AModelOfTheFolderStaysBesideThoseOfTheRegistryAndChecksItsShapes) {
  Start();
  const auto model = app_->models().Find("scan", "");
  ASSERT_NE(model, nullptr);
  EXPECT_EQ(model->platform, "onnxruntime_onnx");
  EXPECT_EQ(model->input.shape, std::vector<int64_t>({-1, 2, 8}));
  EXPECT_NE(app_->models().Find("small", "1"), nullptr);
  EXPECT_EQ(Infer({3, 2, 8}, 48)->outputs[0].shape, std::vector<int64_t>({3, 3}));
  EXPECT_EQ(model->statistics.inference_count, 3u);
  EXPECT_EQ(Infer({2, 8}, 16)->outputs[0].shape, std::vector<int64_t>({3}));
  for (const auto& shape : {std::vector<int64_t>{2, 9}, {8}, {1, 8, 2}, {0, 2, 8}}) {
    const Status status = Infer(shape, 16).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("[-1, 2, 8]"));
  }
}

TEST_F(OnnxServing, RowsAreWatchedForDriftAndOtherShapesSayWhyNot) {
  Write("norm/1.onnx", *ReadFile(folder_ + "/norm.onnx"));
  Start();
  const auto norm = app_->models().Find("norm", "1");
  ASSERT_NE(norm, nullptr);
  ASSERT_NE(norm->drift, nullptr);
  EXPECT_TRUE(norm->drift->Reports()[0].learning);  // nothing tells what it was trained on
  constexpr int64_t kRows = 2048;
  std::string rows(size_t{4} * kRows * 6, '\0');
  for (size_t i = 0; i < rows.size() / 4; ++i) {
    const float x = static_cast<float>(i % 97);
    std::memcpy(rows.data() + 4 * i, &x, 4);
  }
  for (int call = 0; call < 65536 / kRows; ++call) {
    InferRequest request;
    request.inputs.push_back({"obs", DataType::kFp32, {kRows, 6}, rows, {}});
    ASSERT_TRUE(services::Infer(*norm, std::move(request), telemetry::Transport::kHttp).ok());
    norm->drift->Collect();
  }
  EXPECT_FALSE(norm->drift->Reports()[0].learning);
  EXPECT_FALSE(norm->drift->Reports()[1].learning);
  const auto scan = app_->models().Find("scan", "1");
  EXPECT_EQ(scan->drift, nullptr);
  EXPECT_THAT(scan->no_drift, HasSubstr("its input is no row"));
}

TEST_F(OnnxServing, WithoutTheLibraryTheIndexSaysWhatIsMissingAndTheRestIsServed) {
  config_.inference.onnxruntime = "/nowhere/libonnxruntime.so";
  Start();
  EXPECT_NE(app_->models().Find("small", "1"), nullptr);
  EXPECT_EQ(app_->models().Find("scan", "1"), nullptr);
  EXPECT_THAT(Reason("scan"), HasSubstr("UNAVAILABLE ONNX Runtime: the library is not here"));
  EXPECT_THAT(Reason("scan"), HasSubstr("ONNXRUNTIME_LIBRARY"));
}

TEST_F(OnnxServing, AGpuThatIsNotHereIsAReasonInTheIndexAndAWarningAndTheRestIsServed) {
  config_.inference.gpu = "7";
  const std::string log = folder_ + "/log";
  ASSERT_TRUE(ConfigureLog(LogLevel::kWarning, log).ok());
  Start();
  ASSERT_TRUE(ConfigureLog(LogLevel::kInfo, "").ok());
  EXPECT_NE(app_->models().Find("small", "1"), nullptr);
  EXPECT_EQ(app_->models().Find("scan", "1"), nullptr);
  EXPECT_THAT(Reason("scan"), HasSubstr("UNAVAILABLE "));
  EXPECT_THAT(Reason("scan"), HasSubstr("inference.gpu (INFERENCE_GPU) is 7"));
  EXPECT_THAT(*ReadFile(log), HasSubstr("no GPU metrics"));
}

TEST_F(OnnxServing, AModelComputesItsFirstRowWhenItIsLoadedNotInTheFirstRequest) {
  Start();
  const auto model = app_->models().Find("scan", "1");
  ASSERT_NE(model, nullptr);
  EXPECT_NE(model->cost_ns, 1'000'000);  // measured, not supposed
  EXPECT_EQ(model->statistics.inference_count, 0u);
}

/// The model "gru", whose answer depends on all that its sequence was asked before.
class OnnxSequences : public OnnxServing {
 protected:
  void SetUp() override {
    OnnxServing::SetUp();
    Output(Cat(kRoot, "/tools/python_env numpy==2.1.3 onnx==1.17.0 onnxruntime==1.20.1 > ", folder_,
               "/python && $(cat ", folder_, "/python) ", kRoot, "/tools/test_onnx.py stateful ",
               folder_));
    Write("gru/1.onnx", *ReadFile(folder_ + "/gru.onnx"));
    in_ = Numbers("gru.in.npy");
    out_ = Numbers("gru.out.npy");
    ASSERT_EQ(in_.size(), 64u * 3);
    ASSERT_EQ(out_.size(), 64u * 2);
    Start();
    EngineOptions options;
    options.slots = 2;
    options.max_turns = 100;
    engine_ = std::make_unique<Engine>(&app_->models(), options);
  }
  void TearDown() override {
    engine_.reset();  // its sequences hold models, which count in the App's metrics
    OnnxServing::TearDown();
  }
  std::vector<float> Numbers(const std::string& file) const {
    const std::string bytes = *ReadFile(folder_ + "/" + file);  // .npy 1.0: a header of bytes[8]
    const size_t header =
        10 + static_cast<unsigned char>(bytes[8]) + 256u * static_cast<unsigned char>(bytes[9]);
    std::vector<float> numbers((bytes.size() - header) / sizeof(float));
    std::memcpy(numbers.data(), bytes.data() + header, numbers.size() * sizeof(float));
    return numbers;
  }
  InferCall Call(const std::string& sequence, size_t row, bool end = false) const {
    InferCall call;
    call.model = "gru";
    std::string bytes(3 * sizeof(float), '\0');
    std::memcpy(bytes.data(), in_.data() + 3 * row, bytes.size());
    call.request.inputs.push_back({"obs", DataType::kFp32, {1, 3}, std::move(bytes), {}});
    if (sequence.empty()) return call;
    call.request.parameters["sequence_id"] = sequence;
    call.request.parameters["sequence_start"] = row == 0;
    call.request.parameters["sequence_end"] = end;
    return call;
  }
  StatusOr<InferResponse> Ask(InferCall call) {
    std::promise<StatusOr<InferResponse>> answer;
    auto future = answer.get_future();
    engine_->Submit(std::move(call),
                    [&](StatusOr<InferResponse> r) { answer.set_value(std::move(r)); });
    return future.get();
  }
  /// The answer is the reference's to row `row` of one sequence from its start.
  void ExpectRow(const StatusOr<InferResponse>& answer, size_t row) const {
    ASSERT_TRUE(answer.ok()) << answer.status() << " row " << row;
    float got[2];
    ASSERT_EQ(answer->outputs.size(), 1u);
    ASSERT_EQ(answer->outputs[0].bytes.size(), sizeof got);
    std::memcpy(got, answer->outputs[0].bytes.data(), sizeof got);
    for (size_t i = 0; i < 2; ++i) ASSERT_NEAR(got[i], out_[2 * row + i], 1e-5) << "row " << row;
  }

  std::vector<float> in_, out_;
  std::unique_ptr<Engine> engine_;
};

TEST_F(OnnxSequences, EachHasItsOwnStateOverReloadsAndErrors) {
  for (size_t row = 0; row < 40; ++row) {
    ExpectRow(Ask(Call("a", row)), row);
    if (row >= 20) ExpectRow(Ask(Call("b", row - 20)), row - 20);
    if (row == 30) {
      ASSERT_TRUE(app_->models()
                      .Load("gru", "1", *ReadFile(folder_ + "/two.onnx"), ModelFormat::kOnnx)
                      .ok())
          << "another model under the same version";
    }
    if (row == 35) {
      ASSERT_TRUE(app_->models().Unload("gru").ok());
    }
    if (row % 7 == 0) {  // what fails leaves the state as it was
      InferCall wrong = Call("a", row + 1);
      wrong.request.inputs[0].shape = {2, 3};
      wrong.request.inputs[0].bytes += wrong.request.inputs[0].bytes;
      EXPECT_TRUE(absl::IsInvalidArgument(Ask(std::move(wrong)).status()));
      InferCall late = Call("a", row + 1);
      late.deadline_ns = 1;
      EXPECT_TRUE(absl::IsDeadlineExceeded(Ask(std::move(late)).status()));
    }
  }
  ExpectRow(Ask(Call("a", 40, true)), 40);
  EXPECT_TRUE(absl::IsInvalidArgument(Ask(Call("a", 41)).status())) << "it has ended";
}

TEST_F(OnnxSequences, RequestsThatDoNotWaitForAnswersComputeInTheirOrder) {
  for (int round = 0; round < 20; ++round) {
    constexpr int kSequences = 3;
    std::atomic<int> left{64 * kSequences};
    std::vector<StatusOr<InferResponse>> answers(64 * kSequences, absl::UnknownError("none"));
    std::vector<std::thread> clients;
    for (int c = 0; c < kSequences; ++c) {
      clients.emplace_back([&, c] {
        for (size_t row = 0; row < 64; ++row) {
          engine_->Submit(Call(Cat("s", c), row), [&, c, row](StatusOr<InferResponse> answer) {
            answers[64 * static_cast<size_t>(c) + row] = std::move(answer);
            --left;
          });
        }
      });
    }
    for (std::thread& client : clients) client.join();
    const Deadline patience = Deadline::After(60 * kNanosPerSecond);
    while (left > 0 && !patience.Passed()) std::this_thread::yield();
    ASSERT_EQ(left, 0);
    for (size_t i = 0; i < answers.size(); ++i) ExpectRow(answers[i], i % 64);
    if (HasFatalFailure()) return;
  }
}

TEST_F(OnnxSequences, AModelWithAStateIsAskedInSequencesRowByRow) {
  const Status none = Ask(Call("", 0)).status();
  EXPECT_TRUE(absl::IsInvalidArgument(none));
  EXPECT_THAT(std::string(none.message()), HasSubstr("sequence_start"));
  InferCall two = Call("a", 0);
  two.request.inputs[0].shape = {2, 3};
  two.request.inputs[0].bytes += two.request.inputs[0].bytes;
  EXPECT_THAT(std::string(Ask(std::move(two)).status().message()), HasSubstr("one row"));
}

TEST_F(OnnxSequences, TritonsClientsDriveASequenceByRestGrpcAndStream) {
  const std::string python =
      Output(Cat(kRoot, "/tools/python_env -r ", kRoot, "/tools/oip_clients.txt"));
  EXPECT_EQ(Output(Cat(python, " ", kRoot, "/tools/test_onnx_serving.py ", app_->inference_port(),
                       " ", folder_, "/gru.in.npy ", folder_, "/gru.out.npy sequence 2>&1")),
            "ok");
}

TEST_F(OnnxServing, ARobotsSessionRefusesAModelThatATickDoesNotWaitFor) {
  Start();
  Sessions sessions({}, &app_->models());
  const Status status =
      sessions
          .Create(
              {.robot = "r", .type = "wheelchair", .model = "scan", .version = "1", .limits = {}})
          .status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("saferl policy import"));
}

TEST_F(OnnxServing, TheRegistrysPackagesWinOverFilesOfTheSameName) {
  Write("small/7.onnx", *ReadFile(folder_ + "/scan.onnx"));
  Start();
  EXPECT_NE(app_->models().Find("small", "1"), nullptr);
  EXPECT_EQ(app_->models().Find("small", "7"), nullptr);
}

}  // namespace
}  // namespace saferl::services
