#pragma once
// Power and force limiting: how fast a link may be where it can touch a region of the body.
//
//   v_rel,max = F_max / sqrt(mu k),   1/mu = 1/m_H + 1/m_R,   F_max = transient factor x
//   quasi-static force
//
// The table (data/standards/iso_ts_15066_contact.yaml) is data with its source and version; entries
// that nobody has checked against the standard's text say `verified: false`. Skull, face and neck
// never qualify: their limit is 0. The robot's speed alone is compared: what a person adds by
// running into a robot is the person's.
//
// Units: SI. RT: ContactSpeedLimit yes, LoadContactTable no. Errors: name file, line, field and the
// next step. Source: ISO/TS 15066:2016 Annex A (A.3.5, tables A.2 and A.3).

#include <array>
#include <string>

#include "saferl/base/status.h"
#include "saferl/robot/types.h"

namespace saferl::safety {

inline constexpr size_t kNumRegions = static_cast<size_t>(robot::Region::kCount);

struct ContactRegion {
  double force_n = 0;  ///< quasi-static limit [N]
  double transient_factor =
      0;  ///< transient limit / quasi-static limit; 0 = contact is never allowed
  double stiffness_n_per_m = 0;  ///< effective spring constant of the region [N/m]
  double mass_kg = 0;            ///< effective mass of the region [kg]
  bool verified = false;         ///< checked against the standard's own text
};

struct ContactTable {
  std::string source, version;
  std::array<ContactRegion, kNumRegions> region{};
};

/// Transient contact speed limit [m/s] for a robot of effective mass `robot_mass_kg`; 0 where
/// contact is not allowed.
double ContactSpeedLimit(const ContactRegion& region, double robot_mass_kg);

/// "chest", "upper_arm", ...: the names in the table and in robot files.
std::string RegionName(robot::Region region);

StatusOr<ContactTable> LoadContactTable(const std::string& path);

}  // namespace saferl::safety
