#pragma once
// Points, rotations, poses, capsules and boxes in 3-D, and the distances between them.
// Everything that touches the world outside (robot links, people, furniture) is made of these
// shapes.
//
// Units: metres, radians. Frames: p_W is a point expressed in the world frame W (z up,
// right-handed); X_WB is the pose of body B in W, so p_W = X_WB * p_B (Drake's monogram notation).
// RT: yes: no allocation, total functions. NaN in gives NaN out.

#include <algorithm>
#include <cmath>

namespace saferl::math {

struct Vec3 {
  double x = 0, y = 0, z = 0;

  friend constexpr Vec3 operator+(Vec3 a, Vec3 b) { return {a.x + b.x, a.y + b.y, a.z + b.z}; }
  friend constexpr Vec3 operator-(Vec3 a, Vec3 b) { return {a.x - b.x, a.y - b.y, a.z - b.z}; }
  friend constexpr Vec3 operator-(Vec3 a) { return {-a.x, -a.y, -a.z}; }
  friend constexpr Vec3 operator*(double s, Vec3 a) { return {s * a.x, s * a.y, s * a.z}; }
  friend constexpr bool operator==(Vec3, Vec3) = default;
};

constexpr double Dot(Vec3 a, Vec3 b) { return a.x * b.x + a.y * b.y + a.z * b.z; }
constexpr Vec3 Cross(Vec3 a, Vec3 b) {
  return {a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x};
}
inline double Norm(Vec3 a) { return std::sqrt(Dot(a, a)); }
/// a / |a|, or the zero vector when |a| is 0.
inline Vec3 Normalized(Vec3 a) {
  const double n = Norm(a);
  return n > 0 ? (1.0 / n) * a : Vec3{};
}

/// Rotation matrix, row-major, orthonormal.
struct Mat3 {
  double m[3][3] = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}};

  friend constexpr Vec3 operator*(const Mat3& r, Vec3 v) {
    return {r.m[0][0] * v.x + r.m[0][1] * v.y + r.m[0][2] * v.z,
            r.m[1][0] * v.x + r.m[1][1] * v.y + r.m[1][2] * v.z,
            r.m[2][0] * v.x + r.m[2][1] * v.y + r.m[2][2] * v.z};
  }
  friend constexpr Mat3 operator*(const Mat3& a, const Mat3& b) {
    Mat3 c;
    for (int i = 0; i < 3; ++i)
      for (int j = 0; j < 3; ++j)
        c.m[i][j] = a.m[i][0] * b.m[0][j] + a.m[i][1] * b.m[1][j] + a.m[i][2] * b.m[2][j];
    return c;
  }
};

/// Rotation of `angle` [rad] about the unit vector `axis` (Rodrigues).
Mat3 AxisAngle(Vec3 axis, double angle);
/// Fixed-axis roll, pitch, yaw [rad]: Rz(yaw) Ry(pitch) Rx(roll), the URDF convention.
Mat3 RollPitchYaw(double roll, double pitch, double yaw);
Mat3 Transpose(const Mat3& r);

struct Pose {
  Mat3 r;
  Vec3 p;

  friend constexpr Vec3 operator*(const Pose& x, Vec3 v) { return x.r * v + x.p; }
  friend constexpr Pose operator*(const Pose& a, const Pose& b) {
    return {a.r * b.r, a.r * b.p + a.p};
  }
};
Pose Inverse(const Pose& x);

/// All points within `radius` of the segment from a to b. a == b is a ball.
struct Capsule {
  Vec3 a, b;
  double radius = 0;
};

/// The nearest pair of points of two shapes' axes and what follows from it.
struct Nearest {
  double distance = 0;  ///< surface to surface [m]; negative = depth of overlap of the capsules
  Vec3 on_first;        ///< nearest point on the first shape's axis [m]
  Vec3 on_second;       ///< nearest point on the second shape's axis [m]
  Vec3 direction;       ///< unit vector from first to second (zero when the axes cross)
};

/// Distance between capsules; exact also for parallel, crossing and degenerate (ball) axes.
/// Source: Ericson, Real-Time Collision Detection (2005), section 5.1.9.
Nearest NearestCapsules(const Capsule& first, const Capsule& second);
/// NearestCapsules(...).distance without the points: the fast path of verification.
double CapsuleDistance(const Capsule& first, const Capsule& second);

/// Axis-aligned-in-its-own-frame rectangle in the plane, for wheeled bases.
/// x in [rear, front], |y| <= half_width, in the body frame (x forward, y left).
struct Rectangle {
  double rear = 0, front = 0, half_width = 0;
};
/// Signed distance from a point in the body frame to the rectangle: negative inside.
inline double SignedDistance(const Rectangle& rectangle, double x, double y) {
  const double dx = std::max(rectangle.rear - x, x - rectangle.front);
  const double dy = std::abs(y) - rectangle.half_width;
  if (dx > 0 && dy > 0) return std::sqrt(dx * dx + dy * dy);
  return std::max(dx, dy);
}

/// Wraps an angle to (-pi, pi].
double WrapAngle(double angle);

}  // namespace saferl::math
