#pragma once
// OnOneThread: a session whose every Run computes on one thread of its own, calls in their order;
// the callers wait. For sessions on a GPU: ONNX Runtime holds cuBLAS and cuDNN handles for each
// thread that ever ran a session (on an H100 76 MiB of device memory and 2 ms of the thread's first
// run, bench/gpu_serving), so that the threads of a server would multiply what a model takes. A GPU
// computes one call at a time anyway. RT: no. Bind: on the caller's thread.

#include <memory>

#include "saferl/policy/onnx_runtime.h"

namespace saferl::policy {

std::unique_ptr<const OnnxSession> OnOneThread(std::unique_ptr<const OnnxSession> session);

}  // namespace saferl::policy
