#include <algorithm>
#include <chrono>
#include <cmath>
#include <span>

#include "saferl/base/clock.h"
#include "saferl/base/text.h"
#include "saferl/net/http.h"
#include "saferl/services/inference/model_host.h"

namespace saferl::services {
namespace {

std::string ShapeText(const std::vector<int64_t>& shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) text += Cat(i > 0 ? ", " : "", shape[i]);
  return text + "]";
}

/// Every dimension as the model has it; where it has any size, 1 or more. A model of rows also
/// takes one row without the rows' dimension.
Status CheckOnnxShape(const ServedModel& model, const Tensor& input) {
  const TensorSpec& spec = model.input;
  std::vector<int64_t> shape = input.shape;
  if (HasRows(spec) && shape.size() + 1 == spec.shape.size()) shape.insert(shape.begin(), 1);
  bool fits = shape.size() == spec.shape.size();
  for (size_t i = 0; fits && i < shape.size(); ++i)
    fits = shape[i] >= 1 && (spec.shape[i] < 0 || shape[i] == spec.shape[i]);
  if (!fits)
    return absl::InvalidArgumentError(Cat("input '", input.name, "': shape ",
                                          ShapeText(input.shape), "; send ", ShapeText(spec.shape),
                                          ", where -1 is any size"));
  if (KeepsState(model) && HasRows(spec) && shape[0] > 1)
    return absl::InvalidArgumentError(
        Cat("input '", input.name, "': ", shape[0],
            " rows; this model keeps a state: send one row after the other of a sequence"));
  if (HasRows(spec) && shape[0] > kMaxRows)
    return absl::InvalidArgumentError(
        Cat("input '", input.name, "': ", shape[0], " rows; send 1 to ", kMaxRows));
  return absl::OkStatus();
}

Status CheckRequest(const ServedModel& model, const InferRequest& request) {
  const auto bad = [](const std::string& text) { return absl::InvalidArgumentError(text); };
  if (request.inputs.size() != 1)
    return bad(Cat("inputs: ", request.inputs.size(), " given; this model takes one, '",
                   model.input.name, "'"));
  const Tensor& input = request.inputs[0];
  if (input.name != model.input.name)
    return bad(
        Cat("input '", input.name, "': unknown; this model's input is '", model.input.name, "'"));
  if (input.type != model.input.type)
    return bad(Cat("input '", input.name, "': datatype ", Name(input.type), "; send ",
                   Name(model.input.type)));
  if (model.session != nullptr) SAFERL_RETURN_IF_ERROR(CheckOnnxShape(model, input));
  const int64_t n = model.input.shape.empty() ? 1 : model.input.shape.back();
  const bool one = input.shape.size() == 1 && input.shape[0] == n;
  const bool many = input.shape.size() == 2 && input.shape[1] == n;
  if (model.session == nullptr && !one && !many)
    return bad(Cat("input '", input.name, "': shape ", ShapeText(input.shape), "; send [", n,
                   "] or [rows, ", n, "]"));
  if (model.session == nullptr && many && (input.shape[0] < 1 || input.shape[0] > kMaxRows))
    return bad(Cat("input '", input.name, "': ", input.shape[0], " rows; send 1 to ", kMaxRows));
  for (const OutputWish& output : request.outputs) {
    if (output.name != model.output.name)
      return bad(Cat("output '", output.name, "': unknown; this model's output is '",
                     model.output.name, "'"));
    if (output.classification != 0)
      return bad(
          Cat("output '", output.name, "': classification is for labels; a policy has none"));
  }
  return absl::OkStatus();
}

/// The tensors' bytes as numbers, without a copy: std::string memory is aligned for float, at its
/// start and at every multiple of 4.
std::span<const float> Row(const std::string& bytes, size_t row, size_t n) {
  return {reinterpret_cast<const float*>(bytes.data()) + row * n, n};
}

Status ComputeOnnx(const ServedModel& model, const Tensor& input, std::span<float> state,
                   Tensor* output) {
  const bool row = HasRows(model.input) && input.shape.size() + 1 == model.input.shape.size();
  std::vector<int64_t> shape = input.shape;
  if (row) shape.insert(shape.begin(), 1);
  std::vector<float> next(state.begin(), state.end());
  SAFERL_RETURN_IF_ERROR(model.session->Run(Row(input.bytes, 0, input.bytes.size() / sizeof(float)),
                                            shape, next, &output->bytes, &output->shape));
  if (row && HasRows(model.output) && !output->shape.empty() && output->shape[0] == 1)
    output->shape.erase(output->shape.begin());
  output->name = model.output.name;
  output->type = DataType::kFp32;
  for (const float value : Row(output->bytes, 0, output->bytes.size() / sizeof(float))) {
    if (!std::isfinite(value))
      return absl::InvalidArgumentError(
          Cat("input '", input.name,
              "': the model's answer to it is not finite; send numbers that "
              "it was made for"));
  }
  std::copy(next.begin(), next.end(), state.begin());  // only now: an error changes no sequence
  if (model.drift == nullptr) return absl::OkStatus();
  const auto n_in = static_cast<size_t>(model.input.shape.back());
  const auto n_out = static_cast<size_t>(model.output.shape.back());
  const size_t rows = input.bytes.size() / (n_in * sizeof(float));
  if (output->bytes.size() != rows * n_out * sizeof(float)) return absl::OkStatus();
  for (size_t r = 0; r < rows; ++r)
    model.requests->TryRecord(Row(input.bytes, r, n_in), Row(output->bytes, r, n_out));
  return absl::OkStatus();
}

/// How many rows a request that fits the model has.
uint64_t RowsOf(const ServedModel& model, const std::vector<int64_t>& shape) {
  return shape.size() == model.input.shape.size() && HasRows(model.input)
             ? static_cast<uint64_t>(shape[0])
             : 1;
}

Status Compute(const ServedModel& model, const Tensor& input, std::span<float> state,
               Tensor* output) {
  if (model.session != nullptr) return ComputeOnnx(model, input, state, output);
  const auto n_in = static_cast<size_t>(model.input.shape.back());
  const auto n_out = static_cast<size_t>(model.output.shape.back());
  const size_t rows = input.bytes.size() / (n_in * sizeof(float));
  output->name = model.output.name;
  output->type = DataType::kFp32;
  output->shape = input.shape;
  output->shape.back() = static_cast<int64_t>(n_out);
  output->bytes.resize(rows * n_out * sizeof(float));
  for (size_t row = 0; row < rows; ++row) {
    const std::span<float> out(reinterpret_cast<float*>(output->bytes.data()) + row * n_out, n_out);
    if (!model.policy->Forward(Row(input.bytes, row, n_in), out))
      return absl::InvalidArgumentError(
          Cat("input '", input.name, "': row ", row, " is not finite; send numbers"));
    model.requests->TryRecord(Row(input.bytes, row, n_in), out);
  }
  return absl::OkStatus();
}

}  // namespace

StatusOr<InferResponse> Infer(const ServedModel& model, InferRequest request,
                              telemetry::Transport transport, int64_t queue_ns,
                              std::span<float> state) {
  const int64_t start = Nanos();
  InferResponse response;
  Status status = CheckRequest(model, request);
  const int64_t checked = Nanos();
  int64_t computed = checked;
  if (status.ok()) {
    status = Compute(model, request.inputs[0], state, &response.outputs.emplace_back());
    computed = Nanos();
  }
  ModelStatistics& s = model.statistics;
  model.used_ns.store(computed, std::memory_order_relaxed);
  model.metrics->Requests(telemetry::Arm::kStable, transport)
      .Add(status.ok() ? 200 : net::HttpStatus(status.code()));
  if (!status.ok()) {
    s.fail.Add(Nanos() - start);
    return status;
  }
  response.model_name = model.name;
  response.model_version = model.version;
  response.id = std::move(request.id);
  const int64_t end = Nanos();
  const uint64_t rows = RowsOf(model, request.inputs[0].shape);
  s.inference_count.fetch_add(rows, std::memory_order_relaxed);
  s.execution_count.fetch_add(1, std::memory_order_relaxed);
  s.success.Add(end - start + queue_ns);
  s.queue.Add(queue_ns);
  s.compute_input.Add(checked - start);
  s.compute_infer.Add(computed - checked);
  s.compute_output.Add(end - computed);
  const auto wall = std::chrono::system_clock::now().time_since_epoch();
  s.last_inference_ms.store(
      static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(wall).count()),
      std::memory_order_relaxed);
  model.metrics->queue.Observe(1e-9 * static_cast<double>(queue_ns));
  model.metrics->compute.Observe(1e-9 * static_cast<double>(computed - checked));
  model.metrics->total.Observe(1e-9 * static_cast<double>(end - start + queue_ns));
  model.metrics->batch_size.Observe(static_cast<double>(rows));
  return response;
}

}  // namespace saferl::services
