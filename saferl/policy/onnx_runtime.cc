// The only file that knows ONNX Runtime's C API: the functions in use, by their place in its table.
#include "saferl/policy/onnx_runtime.h"

#include <dlfcn.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstring>

#include "saferl/base/json.h"
#include "saferl/base/text.h"
#include "saferl/policy/onnx_graph.h"
#include "saferl/policy/onnx_thread.h"

namespace saferl::policy {
namespace {

using Handle = void*;  // OrtEnv*, OrtSession*, OrtValue*, ...
using Error = void*;   // OrtStatus*: null is success
using Release = void (*)(Handle);
using Owned = std::unique_ptr<void, Release>;

constexpr uint32_t kApiVersion = 11;  // the first with the CUDA functions below
constexpr int kLogErrors = 3, kAllOptimisations = 99, kFloat32 = 1, kArena = 1, kDefaultMemory = 0;
constexpr size_t kMostText = 400;  // of the library's messages

/// OrtApiBase, which never changes.
struct Base {
  Handle const* (*get_api)(uint32_t version);
  const char* (*version)();
};

struct Api {
  const char* (*error_message)(Error);
  Error (*create_env)(int level, const char* id, Handle* out);
  Error (*create_session)(Handle env, const void* model, size_t bytes, Handle options, Handle* out);
  Error (*run)(Handle session, Handle run_options, const char* const* input_names,
               const Handle* inputs, size_t n_inputs, const char* const* output_names,
               size_t n_outputs, Handle* outputs);
  Error (*create_options)(Handle* out);
  Error (*set_optimisation)(Handle options, int level);
  Error (*set_intra_threads)(Handle options, int n);
  Error (*set_inter_threads)(Handle options, int n);
  Error (*count[2])(Handle session, size_t* out);
  Error (*type[2])(Handle session, size_t index, Handle* out);
  Error (*name[2])(Handle session, size_t index, Handle allocator, char** out);
  Error (*create_tensor)(Handle memory, void* data, size_t bytes, const int64_t* shape, size_t rank,
                         int element, Handle* out);
  Error (*data)(Handle value, void** out);
  Error (*tensor_of_type)(Handle type, Handle* out);
  Error (*element)(Handle info, int* out);
  Error (*rank)(Handle info, size_t* out);
  Error (*dimensions)(Handle info, int64_t* out, size_t n);
  Error (*tensor_info)(Handle value, Handle* out);
  Error (*create_memory)(int allocator, int memory, Handle* out);
  Error (*free)(Handle allocator, void* memory);
  Error (*allocator)(Handle* out);
  Error (*append_cuda)(Handle options, Handle cuda);
  Error (*create_cuda)(Handle* out);
  Error (*update_cuda)(Handle cuda, const char* const* keys, const char* const* values, size_t n);
  Release release_env, release_status, release_memory, release_session, release_value, release_type,
      release_info, release_options, release_cuda;
  const char* more_memory;  ///< what to do when there is none
};

template <class Function>
void Take(Handle const* table, int place, Function* to) {
  *to = reinterpret_cast<Function>(table[place]);
}

Api TakeApi(Handle const* t) {
  Api api{};
  Take(t, 2, &api.error_message), Take(t, 3, &api.create_env), Take(t, 8, &api.create_session);
  Take(t, 9, &api.run), Take(t, 10, &api.create_options), Take(t, 23, &api.set_optimisation);
  Take(t, 24, &api.set_intra_threads), Take(t, 25, &api.set_inter_threads);
  Take(t, 30, &api.count[0]), Take(t, 31, &api.count[1]);
  Take(t, 33, &api.type[0]), Take(t, 34, &api.type[1]);
  Take(t, 36, &api.name[0]), Take(t, 37, &api.name[1]);
  Take(t, 49, &api.create_tensor), Take(t, 51, &api.data), Take(t, 55, &api.tensor_of_type);
  Take(t, 60, &api.element), Take(t, 61, &api.rank), Take(t, 62, &api.dimensions);
  Take(t, 65, &api.tensor_info), Take(t, 69, &api.create_memory), Take(t, 76, &api.free);
  Take(t, 78, &api.allocator), Take(t, 92, &api.release_env), Take(t, 93, &api.release_status);
  Take(t, 94, &api.release_memory), Take(t, 95, &api.release_session);
  Take(t, 96, &api.release_value), Take(t, 98, &api.release_type), Take(t, 99, &api.release_info);
  Take(t, 100, &api.release_options), Take(t, 204, &api.append_cuda);
  Take(t, 205, &api.create_cuda), Take(t, 206, &api.update_cuda), Take(t, 208, &api.release_cuda);
  return api;
}

/// Where the library's text says that memory was missing; npos: it does not. There is no code for
/// it: the arena's two ways to say so, and CUDA's own.
size_t MemoryWords(std::string_view text) {
  for (const char* words : {"Available memory of", "Failed to allocate memory", "out of memory"}) {
    if (const size_t at = text.find(words); at != text.npos) return at;
  }
  return text.npos;
}

/// The library's text without the place in its source that it may begin with, and without an end
/// of sentence: ours goes on.
std::string_view Trimmed(std::string_view text) {
  constexpr std::string_view kMark = "[ONNXRuntimeError] : ";
  if (const size_t mark = text.rfind(kMark); mark != text.npos) {
    const size_t name = text.find(" : ", mark + kMark.size());  // behind the number of the error
    text.remove_prefix(name == text.npos ? mark : name + 3);
  }
  const size_t end = text.find_last_not_of(". \n");
  return text.substr(0, end == text.npos ? 0 : std::min(end + 1, kMostText));
}

/// What the library says, as ours. Its text may quote the model: it is escaped.
Status Check(const Api& api, Error error, std::string_view what) {
  if (error == nullptr) return absl::OkStatus();
  const std::string all = api.error_message(error);
  api.release_status(error);
  const size_t memory = MemoryWords(all);
  if (memory == all.npos)
    return absl::InvalidArgumentError(Cat(what, ": ONNX Runtime: ", JsonEscape(Trimmed(all))));
  return absl::ResourceExhaustedError(
      Cat(what, ": ONNX Runtime: ", JsonEscape(Trimmed(std::string_view(all).substr(memory))), "; ",
          api.more_memory));
}

/// Calls a function whose last argument is the new handle.
template <class Function, class... Arguments>
StatusOr<Owned> Make(const Api& api, Release release, std::string_view what, Function function,
                     Arguments... arguments) {
  Handle made = nullptr;
  SAFERL_RETURN_IF_ERROR(Check(api, function(arguments..., &made), what));
  return Owned(made, release);
}

size_t Count(std::span<const int64_t> shape) {
  size_t n = 1;
  for (const int64_t d : shape) n *= static_cast<size_t>(d);
  return n;
}

class BoundRun final : public OnnxSession::Bound {
 public:
  BoundRun(const Api& api, Handle session, const char* in_name, const char* out_name, Owned in,
           Owned out)
      : api_(api),
        session_(session),
        in_name_(in_name),
        out_name_(out_name),
        in_(std::move(in)),
        out_(std::move(out)) {}
  bool Run() override {
    const Handle in = in_.get();
    Handle out = out_.get();
    return Check(api_, api_.run(session_, nullptr, &in_name_, &in, 1, &out_name_, 1, &out), "run")
        .ok();
  }

 private:
  const Api& api_;
  Handle session_;
  const char *in_name_, *out_name_;
  Owned in_, out_;
};

class Library;

class Session final : public OnnxSession {
 public:
  Session(std::shared_ptr<const Library> library, const Api& api, Owned session, Owned memory,
          std::string source)
      : library_(std::move(library)),
        api_(api),
        source_(std::move(source)),
        session_(std::move(session)),
        memory_(std::move(memory)) {}

  /// Reads names and shapes; refuses what serving cannot carry.
  Status Describe() {
    std::vector<OnnxPort> ports[2];
    for (const int side : {0, 1}) {
      SAFERL_RETURN_IF_ERROR(ReadPorts(side, &ports[side]));
    }
    TakeStates(&ports[0], &ports[1]);
    for (const int side : {0, 1}) {
      if (ports[side].size() == 1) continue;
      const char* what = side == 0 ? "input" : "output";
      return absl::InvalidArgumentError(
          Cat(source_, ": has ", ports[side].size(), " ", what, "s",
              states_.empty() ? "" : " besides its state", "; export it with one float32 ", what,
              ", and a state as pairs of one shape, NAME_in and NAME_out"));
    }
    input_ = std::move(ports[0][0]);
    output_ = std::move(ports[1][0]);
    if (state_size() <= kMaxStateNumbers) return absl::OkStatus();
    return absl::InvalidArgumentError(Cat(source_, ": a state of ", state_size(),
                                          " numbers; at most ", kMaxStateNumbers, " are kept"));
  }

  Status Run(std::span<const float> input, std::span<const int64_t> shape, std::span<float> state,
             std::string* output, std::vector<int64_t>* output_shape) const override {
    const size_t n = 1 + states_.size();
    std::vector<Owned> in, out;
    std::vector<Handle> in_handles, out_handles(n, nullptr);
    std::vector<const char*> in_names = {input_.name.c_str()}, out_names = {output_.name.c_str()};
    const auto add = [&](float* data, size_t count, std::span<const int64_t> of,
                         std::string_view what) -> Status {
      SAFERL_ASSIGN_OR_RETURN(Owned tensor, Tensor(data, count, of, what));
      in_handles.push_back(tensor.get());
      in.push_back(std::move(tensor));
      return absl::OkStatus();
    };
    SAFERL_RETURN_IF_ERROR(add(const_cast<float*>(input.data()), input.size(), shape, "input"));
    size_t at = 0;
    for (const OnnxState& part : states_) {
      const size_t count = std::min(Count(part.shape), state.size() - at);
      SAFERL_RETURN_IF_ERROR(add(state.data() + at, count, part.shape, part.input));
      in_names.push_back(part.input.c_str());
      out_names.push_back(part.output.c_str());
      at += count;
    }
    SAFERL_RETURN_IF_ERROR(
        Check(api_,
              api_.run(session_.get(), nullptr, in_names.data(), in_handles.data(), n,
                       out_names.data(), n, out_handles.data()),
              source_));
    for (const Handle made : out_handles) out.emplace_back(made, api_.release_value);
    std::vector<float> next;
    for (size_t i = 0; i < states_.size(); ++i) {
      SAFERL_ASSIGN_OR_RETURN(const std::span<const float> part,
                              Read(out[i + 1].get(), output_shape));
      if (*output_shape != states_[i].shape)
        return absl::InvalidArgumentError(Cat(source_, ": output '", JsonEscape(states_[i].output),
                                              "' is not of its input's shape; a state keeps it"));
      next.insert(next.end(), part.begin(), part.end());
    }
    SAFERL_ASSIGN_OR_RETURN(const std::span<const float> numbers, Read(out[0].get(), output_shape));
    output->assign(reinterpret_cast<const char*>(numbers.data()), numbers.size_bytes());
    std::copy(next.begin(), next.end(), state.begin());
    return absl::OkStatus();
  }

  StatusOr<std::unique_ptr<Bound>> Bind(std::span<float> input,
                                        std::span<const int64_t> input_shape,
                                        std::span<float> output,
                                        std::span<const int64_t> output_shape) const override {
    if (!states_.empty())
      return absl::InvalidArgumentError(Cat(source_, ": keeps a state; call Run with it"));
    SAFERL_ASSIGN_OR_RETURN(Owned in, Tensor(input.data(), input.size(), input_shape, "input"));
    SAFERL_ASSIGN_OR_RETURN(Owned out,
                            Tensor(output.data(), output.size(), output_shape, "output"));
    return std::make_unique<BoundRun>(api_, session_.get(), input_.name.c_str(),
                                      output_.name.c_str(), std::move(in), std::move(out));
  }

 private:
  StatusOr<Owned> Tensor(float* data, size_t n, std::span<const int64_t> shape,
                         std::string_view what) const {
    for (const int64_t d : shape) {
      if (d < 1)
        return absl::InvalidArgumentError(
            Cat(source_, ": ", what, ": a dimension is ", d, "; send 1 or more"));
    }
    if (Count(shape) != n)
      return absl::InvalidArgumentError(Cat(source_, ": ", what, ": ", n,
                                            " numbers, the shape has ", Count(shape),
                                            "; send as many"));
    return Make(api_, api_.release_value, source_, api_.create_tensor, memory_.get(),
                static_cast<void*>(data), n * sizeof(float), shape.data(), shape.size(), kFloat32);
  }

  Status ReadShape(Handle info, std::vector<int64_t>* shape) const {
    size_t rank = 0;
    SAFERL_RETURN_IF_ERROR(Check(api_, api_.rank(info, &rank), source_));
    shape->resize(rank);
    return Check(api_, api_.dimensions(info, shape->data(), rank), source_);
  }

  /// The numbers of a float32 tensor, which stay the library's, and their shape.
  StatusOr<std::span<const float>> Read(Handle value, std::vector<int64_t>* shape) const {
    SAFERL_ASSIGN_OR_RETURN(const Owned info,
                            Make(api_, api_.release_info, source_, api_.tensor_info, value));
    SAFERL_RETURN_IF_ERROR(ReadShape(info.get(), shape));
    void* data = nullptr;
    SAFERL_RETURN_IF_ERROR(Check(api_, api_.data(value, &data), source_));
    return std::span(static_cast<const float*>(data), Count(*shape));
  }

  Status ReadPorts(int side, std::vector<OnnxPort>* ports) const {
    size_t count = 0;
    SAFERL_RETURN_IF_ERROR(Check(api_, api_.count[side](session_.get(), &count), source_));
    for (size_t i = 0; i < count; ++i) {
      SAFERL_RETURN_IF_ERROR(ReadPort(side, i, &ports->emplace_back()));
    }
    return absl::OkStatus();
  }

  /// Moves the pairs out of the ports.
  void TakeStates(std::vector<OnnxPort>* inputs, std::vector<OnnxPort>* outputs) {
    if (inputs->size() < 2) return;
    std::erase_if(*inputs, [&](const OnnxPort& input) {
      const std::string name = StateOutput(input.name);
      const auto same = [&](const OnnxPort& port) {
        return port.name == name && port.shape == input.shape;
      };
      const auto output = std::find_if(outputs->begin(), outputs->end(), same);
      if (name.empty() || output == outputs->end()) return false;
      OnnxState& state = states_.emplace_back(input.name, name, input.shape);
      std::replace_if(state.shape.begin(), state.shape.end(), [](int64_t d) { return d < 0; }, 1);
      outputs->erase(output);
      return true;
    });
  }

  Status ReadPort(int side, size_t index, OnnxPort* port) const {
    const char* what = side == 0 ? "input" : "output";
    Handle allocator = nullptr;  // the library's own: not released
    SAFERL_RETURN_IF_ERROR(Check(api_, api_.allocator(&allocator), source_));
    char* name = nullptr;
    SAFERL_RETURN_IF_ERROR(
        Check(api_, api_.name[side](session_.get(), index, allocator, &name), source_));
    port->name = name;
    SAFERL_RETURN_IF_ERROR(Check(api_, api_.free(allocator, name), source_));
    SAFERL_ASSIGN_OR_RETURN(const Owned type, Make(api_, api_.release_type, source_,
                                                   api_.type[side], session_.get(), index));
    Handle tensor = nullptr;  // part of `type`
    SAFERL_RETURN_IF_ERROR(Check(api_, api_.tensor_of_type(type.get(), &tensor), source_));
    int element = 0;
    if (tensor != nullptr)
      SAFERL_RETURN_IF_ERROR(Check(api_, api_.element(tensor, &element), source_));
    if (element != kFloat32)
      return absl::InvalidArgumentError(
          Cat(source_, ": ", what, " '", JsonEscape(port->name),
              "' is not a float32 tensor; export the model with float32 ends"));
    return ReadShape(tensor, &port->shape);
  }

  std::shared_ptr<const Library> library_;
  const Api& api_;
  std::string source_;
  Owned session_, memory_;
};

/// "1.20.1" is 1020; 0: no version.
int VersionNumber(const std::string& text) {
  int major = 0, minor = 0;
  return std::sscanf(text.c_str(), "%d.%d", &major, &minor) == 2 ? 1000 * major + minor : 0;
}

Status Missing(std::string_view why) {
  return absl::FailedPreconditionError(
      Cat("ONNX Runtime: ", why,
          "; get it by `pip install onnxruntime` (its folder onnxruntime/capi holds "
          "libonnxruntime.so.*) and name that file by inference.onnxruntime or "
          "$ONNXRUNTIME_LIBRARY"));
}

class Library final : public OnnxRuntime, public std::enable_shared_from_this<Library> {
 public:
  explicit Library(OnnxRuntimeOptions options) : options_(std::move(options)) {}

  /// The library stays loaded to the end of the process: it keeps state that cannot be unloaded.
  Status Start() {
    void* opened = nullptr;
    std::string why;
    const std::vector<std::string> names =
        options_.library.empty()
            ? std::vector<std::string>{"libonnxruntime.so.1", "libonnxruntime.so"}
            : std::vector<std::string>{options_.library};
    for (const std::string& name : names) {
      opened = ::dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
      if (opened != nullptr) break;
      if (why.empty()) why = ::dlerror();
    }
    if (opened == nullptr) return Missing(Cat("the library is not here (", why, ")"));
    const auto base = reinterpret_cast<const Base* (*)()>(::dlsym(opened, "OrtGetApiBase"));
    if (base == nullptr)
      return Missing(Cat("'", options_.library, "' is another library: it has no OrtGetApiBase"));
    version_ = base()->version();
    if (VersionNumber(version_) < 1000 + static_cast<int>(kApiVersion) ||
        VersionNumber(version_) >= 2000)
      return Missing(Cat("version ", version_, " does not fit; 1.", kApiVersion, " or later of 1"));
    Handle const* table = base()->get_api(kApiVersion);
    if (table == nullptr)
      return Missing(Cat("version ", version_, " does not offer its C API ", kApiVersion));
    api_ = TakeApi(table);
    api_.more_memory = options_.gpu < 0 ? "send fewer rows, or give the process more memory"
                                        : "send fewer rows, or raise inference.gpu_memory_limit "
                                          "(GPU_MEMORY_LIMIT), which is of each model";
    SAFERL_ASSIGN_OR_RETURN(
        env_, Make(api_, api_.release_env, "ONNX Runtime", api_.create_env, kLogErrors, "saferl"));
    Status proof = Prove();
    if (proof.ok() || options_.gpu < 0) return proof;
    return absl::FailedPreconditionError(
        Cat(proof.message(), "; inference.gpu (INFERENCE_GPU) is ", options_.gpu,
            ": name a device that nvidia-smi lists, use the library of `pip install "
            "onnxruntime-gpu` with its CUDA and cuDNN, or set it to off"));
  }

  StatusOr<std::unique_ptr<const OnnxSession>> Open(std::string_view model,
                                                    std::string_view source) const override {
    SAFERL_RETURN_IF_ERROR(CheckSelfContained(model, source));
    SAFERL_ASSIGN_OR_RETURN(const Owned options,
                            Make(api_, api_.release_options, source, api_.create_options));
    const auto set = [&](Error error) { return Check(api_, error, source); };
    SAFERL_RETURN_IF_ERROR(set(api_.set_optimisation(options.get(), kAllOptimisations)));
    SAFERL_RETURN_IF_ERROR(set(api_.set_intra_threads(options.get(), 1)));
    SAFERL_RETURN_IF_ERROR(set(api_.set_inter_threads(options.get(), 1)));
    if (options_.gpu >= 0) SAFERL_RETURN_IF_ERROR(AppendCuda(options.get()));
    SAFERL_ASSIGN_OR_RETURN(
        Owned opened, Make(api_, api_.release_session, source, api_.create_session, env_.get(),
                           static_cast<const void*>(model.data()), model.size(), options.get()));
    SAFERL_ASSIGN_OR_RETURN(Owned memory, Make(api_, api_.release_memory, source,
                                               api_.create_memory, kArena, kDefaultMemory));
    auto session = std::make_unique<Session>(shared_from_this(), api_, std::move(opened),
                                             std::move(memory), std::string(source));
    SAFERL_RETURN_IF_ERROR(session->Describe());
    if (options_.gpu < 0) return session;
    return OnOneThread(std::move(session));
  }

 private:
  /// Convolutions are planned by rule: measured plans are no faster, and each new number of rows
  /// waits for its own. Answers of a GPU are those of the processor up to rounding: no
  /// TensorFloat-32, which has a mantissa of 10 bits and is the library's default (an option since
  /// version 1.18).
  Status AppendCuda(Handle options) const {
    constexpr std::string_view kWhat = "CUDA execution provider";
    SAFERL_ASSIGN_OR_RETURN(const Owned cuda,
                            Make(api_, api_.release_cuda, kWhat, api_.create_cuda));
    const std::string device = Cat(options_.gpu), limit = Cat(options_.gpu_memory_limit);
    std::vector<const char*> keys = {"device_id", "cudnn_conv_algo_search"};
    std::vector<const char*> values = {device.c_str(), "HEURISTIC"};
    if (options_.gpu_memory_limit > 0) {
      keys.push_back("gpu_mem_limit");
      values.push_back(limit.c_str());
    }
    if (VersionNumber(version_) >= 1018) {
      keys.push_back("use_tf32");
      values.push_back("0");
    }
    SAFERL_RETURN_IF_ERROR(
        Check(api_, api_.update_cuda(cuda.get(), keys.data(), values.data(), keys.size()), kWhat));
    return Check(api_, api_.append_cuda(options, cuda.get()), kWhat);
  }

  /// relu(A x + b) with known answers, through every function that serving uses.
  Status Prove() const {
    OnnxGraph graph;
    graph.name = "proof";
    graph.input = "x";
    graph.output = "y";
    graph.input_dims = {-1, 2};
    graph.output_dims = {-1, 3};
    graph.constants = {{"A", {3, 2}, {1, 2, -3, 4, 0.5F, -1}}, {"b", {3}, {0.25F, -1, 2}}};
    graph.nodes.push_back({"layer", "Gemm", {"x", "A", "b"}, {"z"}, {}, {{"transB", 1}}, {}});
    graph.nodes.push_back({"bend", "Relu", {"z"}, {"y"}, {}, {}, {}});
    const float x[] = {1, -2, 3, 0.5F};
    const float y[] = {0, 0, 4.5F, 4.25F, 0, 3};
    const int64_t shape[] = {2, 2};
    SAFERL_ASSIGN_OR_RETURN(const auto session, Open(SerializeOnnx(graph), "proof"));
    std::string bytes;
    std::vector<int64_t> out_shape;
    SAFERL_RETURN_IF_ERROR(session->Run(x, shape, {}, &bytes, &out_shape));
    const bool right = session->input().name == "x" && session->output().name == "y" &&
                       session->input().shape == graph.input_dims &&
                       out_shape == std::vector<int64_t>({2, 3}) && bytes.size() == sizeof y &&
                       std::memcmp(bytes.data(), y, sizeof y) == 0;
    if (right) return absl::OkStatus();
    return Missing(Cat("version ", version_, " gives wrong answers to a model with known ones"));
  }

  OnnxRuntimeOptions options_;
  Api api_{};
  Owned env_{nullptr, [](Handle) {}};
};

}  // namespace

std::string StateOutput(std::string_view input) {
  std::string output(input);
  for (size_t at = 0; at < input.size();) {  // the words between "_" and "."
    const size_t end = std::min(input.find_first_of("_.", at), input.size());
    const bool whole = at == 0 && end == input.size();  // the one input of many a model
    if (!whole && input.substr(at, end - at) == "in") return output.replace(at, 2, "out");
    at = end + 1;
  }
  if (input.size() < 2 || input.back() != '0') return "";
  output.back() = 'n';
  return output;
}

size_t OnnxSession::state_size() const {
  size_t n = 0;
  for (const OnnxState& part : states_) n += Count(part.shape);
  return n;
}

StatusOr<std::shared_ptr<const OnnxRuntime>> OnnxRuntime::Load(const OnnxRuntimeOptions& options) {
  auto library = std::make_shared<Library>(options);
  SAFERL_RETURN_IF_ERROR(library->Start());
  return library;
}

}  // namespace saferl::policy
