#pragma once
// MLflow's filter and order_by texts as the registry's conditions.
//
//   name = 'arm' AND tags.site ILIKE '%zur%'      run_id IN ('a', 'b')      version_number = '3'
// A text is quoted with ' or "; keys of tags may be quoted with ` or ". Everything else is an
// error that says what is known. Errors: kInvalidArgument. RT: no.

#include <string>
#include <string_view>
#include <vector>

#include "saferl/registry/records.h"

namespace saferl::services::mlflow {

StatusOr<std::vector<registry::Condition>> ParseFilter(std::string_view filter, bool versions);
StatusOr<std::vector<registry::Order>> ParseOrder(const std::vector<std::string>& order_by,
                                                  bool versions);

}  // namespace saferl::services::mlflow
