#pragma once
// Adam with global gradient-norm clipping, on a flat parameter vector.
//
// Shapes: params, grad (n). RT: no (training). Errors: a non-finite gradient norm leaves the
// parameters untouched and returns false, so that one bad batch cannot destroy a run. Source:
// Kingma & Ba, "Adam" (2015), algorithm 1.

#include <cstdint>
#include <span>
#include <vector>

namespace saferl::learn {

struct Adam {
  std::vector<float> m, v;  ///< first and second moments (n)
  int64_t step = 0;         ///< updates done

  explicit Adam(int n = 0) : m(n), v(n) {}

  /// params -= learning_rate * m_hat / (sqrt(v_hat) + 1e-8), after scaling grad to at most
  /// `max_norm` (2-norm).
  bool Update(std::span<float> params, std::span<float> grad, double learning_rate,
              double max_norm);
};

}  // namespace saferl::learn
