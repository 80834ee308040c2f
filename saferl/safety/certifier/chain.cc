#include "saferl/safety/certifier/chain.h"

#include <algorithm>

namespace saferl::safety::certifier {

using math::Cross;
using math::Norm;
using math::Pose;
using math::Vec3;

int TurningBefore(const RobotData& data, int k) {
  int turning = 0;
  for (int j = 0; j <= data.capsules[static_cast<size_t>(k)].joint; ++j) {
    turning += data.chain[static_cast<size_t>(j)].fixed ? 0 : 1;
  }
  return turning;
}

ChainPlace PlaceChain(const RobotData& data, const robot::Joints& q) {
  ChainPlace place;
  std::array<Pose, 2 * robot::kMaxDof + 1> frame;
  frame[0] = data.X_WBase;
  int turning = 0;
  for (size_t j = 0; j < data.chain.size(); ++j) {
    const ChainJoint& joint = data.chain[j];
    Pose x = frame[j] * joint.X_PJ;
    if (!joint.fixed) {
      place.axis_W[turning] = x.r * joint.axis;
      place.origin_W[turning] = x.p;
      x.r = x.r * math::AxisAngle(joint.axis, q[turning]);
      ++turning;
    }
    frame[j + 1] = x;
  }
  place.n = static_cast<int>(data.capsules.size());
  for (int k = 0; k < place.n; ++k) {
    const ChainCapsule& link = data.capsules[static_cast<size_t>(k)];
    const Pose& x = frame[static_cast<size_t>(link.joint + 1)];
    place.link_W[k] = {x * link.capsule.a, x * link.capsule.b, link.capsule.radius};
  }
  return place;
}

double LinkSpeed(const RobotData& data, const ChainPlace& place, int k, const robot::Joints& qd) {
  Vec3 at_a{}, at_b{}, omega{};
  const math::Capsule& c = place.link_W[k];
  for (int j = 0; j < TurningBefore(data, k); ++j) {
    at_a = at_a + qd[j] * Cross(place.axis_W[j], c.a - place.origin_W[j]);
    at_b = at_b + qd[j] * Cross(place.axis_W[j], c.b - place.origin_W[j]);
    omega = omega + qd[j] * place.axis_W[j];
  }
  return std::max(Norm(at_a), Norm(at_b)) + c.radius * Norm(omega);
}

double LeverAt(const ChainPlace& place, int k, int j) {
  const math::Capsule& c = place.link_W[k];
  return std::max(Norm(Cross(place.axis_W[j], c.a - place.origin_W[j])),
                  Norm(Cross(place.axis_W[j], c.b - place.origin_W[j]))) +
         c.radius;
}

}  // namespace saferl::safety::certifier
