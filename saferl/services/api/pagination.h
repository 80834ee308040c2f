#pragma once
// Cursor pagination, the same for every list of the API: ?limit=1..1000 (100), ?cursor=OPAQUE.
//
//   return ListPage(
//       request, 2, [&](const Page& page, int rows) { ... up to `rows` rows after page.after ... },
//       [](const Row& row) { return RowJson(row); },
//       [](const Row& row) { return std::vector{Cat(row.at_ns), row.id}; });
// The answer: {"items":[...],"next_cursor":"..."}; next_cursor is null on the last page. A cursor
// holds the last item's sort key, so that inserts and deletions between two pages neither repeat
// nor skip what stays. RT: no. Errors: kInvalidArgument.

#include <algorithm>
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

/// Refuses query fields that the route does not list: a misspelt filter must not mean "all".
Status CheckQuery(const net::Request& request);
/// A whole list. `read(page, rows)` answers StatusOr of a vector of up to `rows` rows that come
/// after `page.after`, in the order of the list; `item` is a row's JSON, `key` the `parts` of its
/// cursor.
template <class Read, class Item, class Key>
net::Response ListPage(const net::Request& request, size_t parts, Read read, Item item, Key key) {
  if (const Status known = CheckQuery(request); !known.ok()) return Problem(request, known);
  const StatusOr<Page> page = ReadPage(request, parts);
  if (!page.ok()) return Problem(request, page.status());
  const auto rows = read(*page, page->limit + 1);  // one more says whether the list goes on
  if (!rows.ok()) return Problem(request, rows.status());
  const size_t n = std::min(rows->size(), static_cast<size_t>(page->limit));
  std::vector<std::string> items;
  for (size_t i = 0; i < n; ++i) items.push_back(item((*rows)[i]));
  return PageResponse(items, rows->size() > n ? MakeCursor(key((*rows)[n - 1])) : "");
}

/// The two query fields, for the OpenAPI document.
std::vector<net::FieldSpec> PageFields();
/// The schema of a page of `item_schema`.
std::string PageSchema(std::string_view item_schema);

/// A filter of nanoseconds since 1970; `out` stays where it is not given.
Status ReadTime(const net::Request& request, const char* field, int64_t* out);

}  // namespace saferl::services
