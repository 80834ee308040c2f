#pragma once
// Cursor pagination, the same for every list of the API: ?limit=1..1000 (100), ?cursor=OPAQUE.
//
//   SAFERL_ASSIGN_OR_RETURN(const Page page, ReadPage(request));      // page.after: the last key
//   ... read limit + 1 rows after it ...
//   return PageResponse(items, more ? MakeCursor({"17", "id"}) : "");
// The answer: {"items":[...],"next_cursor":"..."}; next_cursor is null on the last page. A cursor
// holds the last item's sort key, so that inserts and deletions between two pages neither repeat
// nor skip what stays. RT: no. Errors: kInvalidArgument.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "saferl/base/status.h"
#include "saferl/net/router.h"

namespace saferl::services {

struct Page {
  int limit = 100;
  std::vector<std::string> after;  ///< the parts given to MakeCursor; empty: from the start
};
/// `parts`: how many a cursor of this list has.
StatusOr<Page> ReadPage(const net::Request& request, size_t parts);
std::string MakeCursor(const std::vector<std::string>& parts);
/// Where a list by (time, id) goes on, of a cursor of those two; nothing: from the start.
StatusOr<std::optional<std::pair<int64_t, std::string>>> AfterTime(const Page& page);
/// `items`: JSON texts.
net::Response PageResponse(const std::vector<std::string>& items, std::string_view next_cursor);

/// The two query fields, for the OpenAPI document.
std::vector<net::FieldSpec> PageFields();
/// The schema of a page of `item_schema`.
std::string PageSchema(std::string_view item_schema);
/// Refuses query fields that the route does not list: a misspelt filter must not mean "all".
Status CheckQuery(const net::Request& request);

/// A filter of nanoseconds since 1970; `out` stays where it is not given.
Status ReadTime(const net::Request& request, const char* field, int64_t* out);

}  // namespace saferl::services
