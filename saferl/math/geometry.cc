#include "saferl/math/geometry.h"

#include <algorithm>
#include <numbers>

namespace saferl::math {

Mat3 AxisAngle(Vec3 axis, double angle) {
  const double c = std::cos(angle), s = std::sin(angle), t = 1.0 - c;
  const auto [x, y, z] = axis;
  return {{{t * x * x + c, t * x * y - s * z, t * x * z + s * y},
           {t * x * y + s * z, t * y * y + c, t * y * z - s * x},
           {t * x * z - s * y, t * y * z + s * x, t * z * z + c}}};
}

Mat3 RollPitchYaw(double roll, double pitch, double yaw) {
  const double cr = std::cos(roll), sr = std::sin(roll);
  const double cp = std::cos(pitch), sp = std::sin(pitch);
  const double cy = std::cos(yaw), sy = std::sin(yaw);
  return {{{cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr},
           {sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr},
           {-sp, cp * sr, cp * cr}}};
}

Mat3 Transpose(const Mat3& r) {
  Mat3 t;
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 3; ++j) t.m[i][j] = r.m[j][i];
  return t;
}

Pose Inverse(const Pose& x) {
  const Mat3 t = Transpose(x.r);
  return {t, -(t * x.p)};
}

namespace {

/// Nearest points of segments a + s u and b + t v, s and t in [0, 1].
struct SegmentPair {
  Vec3 first, second;
};

SegmentPair NearestOnSegments(const Capsule& first, const Capsule& second) {
  const Vec3 u = first.b - first.a;
  const Vec3 v = second.b - second.a;
  const Vec3 w = first.a - second.a;
  const double uu = Dot(u, u), vv = Dot(v, v), vw = Dot(v, w);
  double s = 0, t = 0;
  if (uu <= 0 && vv <= 0) return {first.a, second.a};
  if (uu <= 0) {
    t = std::clamp(vw / vv, 0.0, 1.0);
  } else {
    const double uw = Dot(u, w);
    if (vv <= 0) {
      s = std::clamp(-uw / uu, 0.0, 1.0);
    } else {
      const double uv = Dot(u, v);
      const double denominator = uu * vv - uv * uv;
      // Parallel axes leave s free: any choice is nearest as long as t is then clamped and s
      // recomputed.
      s = denominator > 1e-14 * uu * vv ? std::clamp((uv * vw - uw * vv) / denominator, 0.0, 1.0)
                                        : 0.0;
      t = (uv * s + vw) / vv;
      if (t < 0) {
        t = 0;
        s = std::clamp(-uw / uu, 0.0, 1.0);
      } else if (t > 1) {
        t = 1;
        s = std::clamp((uv - uw) / uu, 0.0, 1.0);
      }
    }
  }
  return {first.a + s * u, second.a + t * v};
}

}  // namespace

Nearest NearestCapsules(const Capsule& first, const Capsule& second) {
  const SegmentPair pair = NearestOnSegments(first, second);
  const Vec3 between = pair.second - pair.first;
  const double gap = Norm(between);
  return {gap - first.radius - second.radius, pair.first, pair.second,
          gap > 0 ? (1.0 / gap) * between : Vec3{}};
}

double CapsuleDistance(const Capsule& first, const Capsule& second) {
  const SegmentPair pair = NearestOnSegments(first, second);
  return Norm(pair.second - pair.first) - first.radius - second.radius;
}

double WrapAngle(double angle) {
  const double two_pi = 2.0 * std::numbers::pi;
  const double wrapped = std::remainder(angle, two_pi);
  return wrapped <= -std::numbers::pi ? wrapped + two_pi : wrapped;
}

}  // namespace saferl::math
