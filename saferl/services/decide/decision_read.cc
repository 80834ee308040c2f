// The reading side of EncodeDecisionJson: for programs that ask a service elsewhere.
#include <algorithm>
#include <cmath>

#include "saferl/base/json.h"
#include "saferl/base/text.h"
#include "saferl/services/decide/decide_message.h"

namespace saferl::services {
namespace {

template <class Enum>
Status ReadName(const Node& node, int count, Enum* out) {
  for (int i = 0; i < count; ++i) {
    if (node.text() != safety::Name(static_cast<Enum>(i))) continue;
    *out = static_cast<Enum>(i);
    return absl::OkStatus();
  }
  return node.Error(Cat("'", node.text(), "' is not known here; is the service newer?"));
}

Status ReadCommand(const Node& node, int n, safety::Command* command) {
  SAFERL_ASSIGN_OR_RETURN(const Node* u, node.Get("u"));
  SAFERL_ASSIGN_OR_RETURN(const std::vector<double> values, u->AsDoubles(n));
  std::copy(values.begin(), values.end(), command->u.begin());
  SAFERL_ASSIGN_OR_RETURN(const Node* issued, node.Get("issued_ns"));
  SAFERL_ASSIGN_OR_RETURN(command->issued_ns, issued->AsInt64());
  SAFERL_ASSIGN_OR_RETURN(const Node* valid, node.Get("valid_for_ns"));
  SAFERL_ASSIGN_OR_RETURN(command->valid_for_ns, valid->AsInt64());
  return absl::OkStatus();
}

Status ReadMargins(const Node& node, safety::FilterResult* filter) {
  for (int i = 0; i < safety::kNumConstraints; ++i) {
    const Node* margin = node.Find(safety::Name(static_cast<safety::ConstraintId>(i)));
    double value = INFINITY;  // what is left out is not near
    if (margin != nullptr) {
      SAFERL_ASSIGN_OR_RETURN(value, margin->AsDouble());
    }
    filter->margin[static_cast<size_t>(i)] = value;
  }
  return absl::OkStatus();
}

}  // namespace

StatusOr<std::string> DecodeDecisionJson(std::string_view text, const robot::RobotModel& robot,
                                         control::Decision* d) {
  const int n = robot.n();
  SAFERL_ASSIGN_OR_RETURN(const Node body, ParseJson(text, "answer"));
  SAFERL_ASSIGN_OR_RETURN(const Node* command, body.Get("command"));
  SAFERL_RETURN_IF_ERROR(ReadCommand(*command, n, &d->command));
  SAFERL_ASSIGN_OR_RETURN(const Node* mode, body.Get("mode"));
  SAFERL_RETURN_IF_ERROR(
      ReadName(*mode, static_cast<int>(safety::Mode::kProtectiveStop) + 1, &d->command.mode));
  SAFERL_ASSIGN_OR_RETURN(const Node* reason, body.Get("reason"));
  SAFERL_RETURN_IF_ERROR(
      ReadName(*reason, static_cast<int>(safety::Reason::kCount), &d->command.reason));
  SAFERL_ASSIGN_OR_RETURN(const Node* blend, body.Get("blend"));
  SAFERL_ASSIGN_OR_RETURN(const Node* authority, blend->Get("authority"));
  SAFERL_ASSIGN_OR_RETURN(d->authority, authority->AsDouble());
  SAFERL_ASSIGN_OR_RETURN(const Node* blended, blend->Get("blended_u"));
  SAFERL_ASSIGN_OR_RETURN(const std::vector<double> wish, blended->AsDoubles(n));
  std::copy(wish.begin(), wish.end(), d->blended.begin());
  SAFERL_ASSIGN_OR_RETURN(const Node* filter, body.Get("filter"));
  SAFERL_ASSIGN_OR_RETURN(const Node* intervened, filter->Get("intervened"));
  SAFERL_ASSIGN_OR_RETURN(d->filter.intervened, intervened->AsBool());
  SAFERL_ASSIGN_OR_RETURN(const Node* proof, filter->Get("proof"));
  d->filter.proof = proof->text() == "none" ? safety::Proof::kNone : safety::Proof::kFresh;
  SAFERL_ASSIGN_OR_RETURN(const Node* margins, body.Get("margins"));
  SAFERL_RETURN_IF_ERROR(ReadMargins(*margins, &d->filter));
  const Node* model = body.Find("model");
  const Node* version = model == nullptr ? nullptr : model->Find("version");
  return version == nullptr ? std::string() : version->text();
}

}  // namespace saferl::services
