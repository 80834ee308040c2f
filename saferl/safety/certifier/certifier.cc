#include "saferl/safety/certifier/certifier.h"

#include <cmath>
#include <limits>

#include "saferl/safety/certifier/models.h"

namespace saferl::safety {

StatusOr<std::shared_ptr<const CertifierModel>> LoadCertifier(const std::string& name_or_path) {
  SAFERL_ASSIGN_OR_RETURN(const certifier::RobotData data, certifier::ReadRobotData(name_or_path));
  switch (data.kind) {
    case certifier::RobotKind::kWheelchair:
      return certifier::MakeWheelchair(data);
    case certifier::RobotKind::kArm:
      return certifier::MakeArm(data);
    case certifier::RobotKind::kExoskeleton:
      return certifier::MakeExoskeleton(data);
  }
  return absl::InternalError("a robot kind without a certifier");
}

Certificate CertifyTick(const CertifierModel& model, const TickRecord& record,
                        CertifierData* data) {
  Certificate certificate;
  if (model.IsStandstill(record, *data)) {
    certificate = {true, std::numeric_limits<double>::infinity(), CertificateRule::kStandstill,
                   "at rest"};
  } else {
    certificate.margin = model.Fresh(record, *data, &certificate.why);
    if (certificate.margin >= 0) {
      certificate.valid = true;
      certificate.rule = CertificateRule::kFresh;
    } else if (data->chain_valid && model.IsBraking(record)) {
      certificate.valid = true;
      certificate.rule = CertificateRule::kPlan;
    }
  }
  data->chain_valid = certificate.valid;
  for (int i = CertifierData::kRemembered - 1; i > 0; --i) {
    data->sent[i] = data->sent[i - 1];
    data->sent_ns[i] = data->sent_ns[i - 1];
  }
  data->sent[0] = record.command;
  data->sent_ns[0] = record.now_ns;
  if (data->n_sent < CertifierData::kRemembered) ++data->n_sent;
  return certificate;
}

}  // namespace saferl::safety
