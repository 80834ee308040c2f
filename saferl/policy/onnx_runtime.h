#pragma once
// OnnxRuntime: models that our own kernels cannot express (convolutions, normalisation layers,
// attention) run through ONNX Runtime where its library is present. The library is loaded when it
// is asked for, never linked, so that nothing here depends on it.
//
// Models: one float32 input and one float32 output of any rank, weights inside the file (a model
// that names another file is refused: no path in a model is ever followed). A model may keep a
// state besides (an LSTM's, say): further inputs and outputs in pairs of one shape, which are
// called alike but for "in" and "out" (h_in, h_out; state_in_0, state_out_0) or PyTorch's 0 and n
// (h0, hn). Who runs it hands its state in and gets the next one; it begins with zeros. Trust: the
// library's functions are called by their place in its append-only table (version 11, that is
// library 1.11 or later); before it is accepted its version is read and a model with known answers
// is run through every function that serving uses. Threads: Open and Run from any. Computes on the
// caller's thread: no pool, nothing spins; on a GPU on one thread of the session's own
// (onnx_thread.h), which CUDA lets spin while the device works. Errors: kFailedPrecondition: no
// library, or not one (what is missing, how to get it, which setting names it), or no GPU of that
// number; kInvalidArgument: the model or the shape; kResourceExhausted: no memory for it (which
// setting bounds it). RT: no; a robot's tick runs our own kernels. Cost: `saferl bench policy
// --onnxruntime LIB`. Source: onnxruntime_c_api.h (order of OrtApi), which says that the order
// never changes.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "saferl/base/status.h"

namespace saferl::policy {

inline constexpr size_t kMaxServedOnnxBytes = size_t{256} << 20;

struct OnnxRuntimeOptions {
  std::string library;            ///< libonnxruntime.so; empty: what the loader finds by that name
  int gpu = -1;                   ///< CUDA device; -1: none
  uint64_t gpu_memory_limit = 0;  ///< of one model's arena on the device [bytes]; 0: none
};

struct OnnxPort {
  std::string name;
  std::vector<int64_t> shape;  ///< -1: any size
};

/// A part of a model's state: where it goes in, and where the next one comes out.
struct OnnxState {
  std::string input, output;
  std::vector<int64_t> shape;  ///< of one row: 1 where the model takes any size
};
inline constexpr size_t kMaxStateNumbers = size_t{1} << 16;

/// The output that carries on the state of this input by its name; empty: it is no state.
std::string StateOutput(std::string_view input);

/// One loaded model.
class OnnxSession {
 public:
  virtual ~OnnxSession() = default;
  const OnnxPort& input() const { return input_; }
  const OnnxPort& output() const { return output_; }
  const std::vector<OnnxState>& states() const { return states_; }
  /// Numbers of the whole state, one part after the other; 0: the model keeps none.
  size_t state_size() const;
  /// `output`: float32, row by row. `state` has state_size() numbers and is the next one
  /// afterwards; after an error it is as it was.
  virtual Status Run(std::span<const float> input, std::span<const int64_t> shape,
                     std::span<float> state, std::string* output,
                     std::vector<int64_t>* output_shape) const = 0;
  /// The fastest way there is: input and output stay where they are from call to call. Without
  /// state only.
  class Bound {
   public:
    virtual ~Bound() = default;
    virtual bool Run() = 0;
  };
  /// The session and both memories must outlive it.
  virtual StatusOr<std::unique_ptr<Bound>> Bind(std::span<float> input,
                                                std::span<const int64_t> input_shape,
                                                std::span<float> output,
                                                std::span<const int64_t> output_shape) const = 0;

 protected:
  OnnxPort input_, output_;
  std::vector<OnnxState> states_;
};

class OnnxRuntime {
 public:
  /// Loads the library and proves that it computes what it should.
  static StatusOr<std::shared_ptr<const OnnxRuntime>> Load(const OnnxRuntimeOptions& options);
  virtual ~OnnxRuntime() = default;
  const std::string& version() const { return version_; }
  /// `source` names the model in messages.
  virtual StatusOr<std::unique_ptr<const OnnxSession>> Open(std::string_view model,
                                                            std::string_view source) const = 0;

 protected:
  std::string version_;
};

}  // namespace saferl::policy
