#include "saferl/sim/seen_people.h"

#include <algorithm>
#include <limits>

namespace saferl::sim {
namespace {

constexpr double kWalking_m_s = 0.2;  // slower counts as standing
constexpr int64_t kStanding_ns = 400'000'000;
constexpr double kAhead_s = 3.0;  // how far ahead walkers are taken to keep their course
constexpr double kNewest = 0.3;   // share of the newest velocity: eyes see no jerks

}  // namespace

void SeenPeople::Watch(int64_t now_ns, std::span<const robot::HumanPart> people, const Box& body) {
  const double dt = 1e-9 * static_cast<double>(now_ns - watched_ns_);
  const int n = static_cast<int>(std::min(people.size(), seen_.size()));
  const bool known = n == n_ && dt > 1e-6 && dt < 0.5;
  standing_.clear();
  ahead_m_ = behind_m_ = std::numeric_limits<double>::infinity();
  for (int i = 0; i < n; ++i) {
    Seen& one = seen_[static_cast<size_t>(i)];
    const math::Capsule& capsule = people[static_cast<size_t>(i)].capsule_W;
    const Point p{capsule.a.x, capsule.a.y};
    const Point velocity = known ? (1.0 / dt) * (p - one.disc.p) : Point{};
    one.velocity = known ? one.velocity + kNewest * (velocity - one.velocity) : velocity;
    one.disc = {p, capsule.radius};
    one.gap_m = Distance(body, p) - capsule.radius;
    const bool ahead = ToBody({body.x, body.y, body.yaw}, p).x > 0;
    double& nearest = ahead ? ahead_m_ : behind_m_;
    nearest = std::min(nearest, one.gap_m);
    if (!known || Norm(one.velocity) > kWalking_m_s) one.moved_ns = now_ns;
    if (now_ns - one.moved_ns > kStanding_ns) standing_.push_back(one.disc);
  }
  n_ = n;
  watched_ns_ = now_ns;
}

double SeenPeople::Spare(const Box& body, double t_s, double room_m) const {
  double spare = std::numeric_limits<double>::infinity();
  for (int i = 0; i < n_; ++i) {
    const Seen& one = seen_[static_cast<size_t>(i)];
    const double gap = Distance(body, one.disc.p + t_s * one.velocity) - one.disc.radius;
    spare = std::min(spare, gap - std::max(0.03, std::min(room_m, one.gap_m - 0.01)));
  }
  return spare;
}

double SeenPeople::InTheWay(const Box& body, double room_m) const {
  double worst = 0;
  for (int i = 0; i < n_; ++i) {
    const Seen& one = seen_[static_cast<size_t>(i)];
    const double speed = Norm(one.velocity);
    if (speed < kWalking_m_s) continue;
    const Point ahead = (1 / speed) * one.velocity;
    const double along = Dot(ahead, Point{body.x, body.y} - one.disc.p);
    if (along < 0 || along > speed * kAhead_s) continue;
    const double gap = Distance(body, one.disc.p + along * ahead) - one.disc.radius;
    worst = std::max(worst, (room_m - gap) * (1 - 0.5 * along / (speed * kAhead_s)));
  }
  return worst;
}

}  // namespace saferl::sim
