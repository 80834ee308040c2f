#include "saferl/base/config.h"
#include "saferl/base/text.h"
#include "saferl/base/yaml.h"
#include "saferl/safety/constraints/contact.h"

namespace saferl::safety {
namespace {

constexpr std::array<const char*, kNumRegions> kRegionNames = {
    "pedestrian", "skull",     "face",    "neck", "back",  "chest",    "abdomen",
    "pelvis",     "upper_arm", "forearm", "hand", "thigh", "lower_leg"};

struct RegionEntry {
  robot::Region name = robot::Region::kCount;
  ContactRegion values;
  template <class V>
  static void Visit(V& v, RegionEntry& s) {
    v.Field("name", s.name,
            {.doc = "region of the body",
             .required = true,
             .names = {kRegionNames.begin(), kRegionNames.end()}});
    v.Field("force_n", s.values.force_n,
            {.doc = "quasi-static limit", .unit = "N", .min = 0, .max = 1000, .required = true});
    v.Field("transient_factor", s.values.transient_factor,
            {.doc = "transient over quasi-static; 0 = never",
             .unit = "1",
             .min = 0,
             .max = 3,
             .required = true});
    v.Field("stiffness_n_per_m", s.values.stiffness_n_per_m,
            {.doc = "effective spring constant",
             .unit = "N/m",
             .min = 1,
             .max = 1e6,
             .required = true});
    v.Field("mass_kg", s.values.mass_kg,
            {.doc = "effective mass", .unit = "kg", .min = 0.01, .max = 200, .required = true});
    v.Field("verified", s.values.verified,
            {.doc = "checked against the standard's text", .required = true});
  }
};

struct TableFile {
  std::string source, version;
  std::vector<RegionEntry> regions;
  template <class V>
  static void Visit(V& v, TableFile& s) {
    v.Field("source", s.source, {.doc = "where the numbers come from", .required = true});
    v.Field("version", s.version, {.doc = "edition of the source", .required = true});
    v.Field("regions", s.regions,
            {.doc = "one entry per region", .required = true, .max_size = kNumRegions});
  }
};

/// The head and the neck are never touched, whatever a table says.
bool IsCritical(robot::Region region) {
  return region == robot::Region::kSkull || region == robot::Region::kFace ||
         region == robot::Region::kNeck || region == robot::Region::kPedestrian;
}

}  // namespace

std::string RegionName(robot::Region region) {
  const auto i = static_cast<size_t>(region);
  return i < kNumRegions ? kRegionNames[i] : "unknown";
}

StatusOr<ContactTable> LoadContactTable(const std::string& path) {
  SAFERL_ASSIGN_OR_RETURN(const Node node, LoadYaml(path));
  SAFERL_ASSIGN_OR_RETURN(const TableFile file, config::Read<TableFile>(node));
  ContactTable table{file.source, file.version, {}};
  std::array<bool, kNumRegions> seen{};
  for (const RegionEntry& entry : file.regions) {
    const auto i = static_cast<size_t>(entry.name);
    if (seen[i])
      return node.Error(Cat("regions: '", RegionName(entry.name), "' stands twice; keep one"));
    if (IsCritical(entry.name) && entry.values.transient_factor > 0) {
      return node.Error(Cat("regions: '", RegionName(entry.name),
                            "': contact is never allowed there; give transient_factor: 0"));
    }
    seen[i] = true;
    table.region[i] = entry.values;
  }
  for (size_t i = 0; i < kNumRegions; ++i) {
    if (!seen[i]) return node.Error(Cat("regions: '", kRegionNames[i], "' is missing; add it"));
  }
  return table;
}

}  // namespace saferl::safety
