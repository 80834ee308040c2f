#include "saferl/services/api/pagination.h"

#include <algorithm>
#include <charconv>

#include "saferl/base/json.h"
#include "saferl/base/text.h"

namespace saferl::services {
namespace {

constexpr int kMost = 1000;

std::string Hex(std::string_view bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (const char c : bytes) {
    out += kDigits[static_cast<unsigned char>(c) >> 4U];
    out += kDigits[static_cast<unsigned char>(c) & 15U];
  }
  return out;
}

bool Unhex(std::string_view text, std::string* out) {
  if (text.size() % 2 != 0) return false;
  for (size_t i = 0; i < text.size(); i += 2) {
    unsigned byte = 0;
    const auto [end, error] = std::from_chars(text.data() + i, text.data() + i + 2, byte, 16);
    if (error != std::errc() || end != text.data() + i + 2) return false;
    *out += static_cast<char>(byte);
  }
  return true;
}

}  // namespace

StatusOr<std::optional<std::pair<int64_t, std::string>>> AfterTime(const Page& page) {
  if (page.after.empty()) return std::nullopt;
  std::pair<int64_t, std::string> after{0, page.after[1]};
  const std::string& at = page.after[0];
  if (std::from_chars(at.data(), at.data() + at.size(), after.first).ec != std::errc())
    return absl::InvalidArgumentError("cursor: not one of this list; send next_cursor as it came");
  return after;
}

StatusOr<Page> ReadPage(const net::Request& request, size_t parts) {
  Page page;
  if (const std::string* limit = request.Query("limit")) {
    const auto [end, error] =
        std::from_chars(limit->data(), limit->data() + limit->size(), page.limit);
    if (error != std::errc() || end != limit->data() + limit->size() || page.limit < 1 ||
        page.limit > kMost)
      return absl::InvalidArgumentError(
          Cat("limit: '", limit->substr(0, 32), "' is not in 1 to ", kMost));
  }
  const std::string* cursor = request.Query("cursor");
  if (cursor == nullptr) return page;
  std::string text;
  bool good = cursor->size() <= 2048 && Unhex(*cursor, &text);
  if (good) {
    page.after.emplace_back();
    for (const char c : text) {
      if (c == '\n') {
        page.after.emplace_back();
      } else {
        page.after.back() += c;
      }
    }
    good = page.after.size() == parts;
  }
  if (!good)
    return absl::InvalidArgumentError(
        "cursor: not one of this list; send next_cursor of the page before as it came");
  return page;
}

std::string MakeCursor(const std::vector<std::string>& parts) { return Hex(Join(parts, "\n")); }

net::Response PageResponse(const std::vector<std::string>& items, std::string_view next_cursor) {
  JsonWriter w;
  w.BeginObject().Key("items").BeginArray();
  for (const std::string& item : items) w.Raw(item);
  w.EndArray().Key("next_cursor");
  if (next_cursor.empty()) {
    w.Null();
  } else {
    w.Value(next_cursor);
  }
  return net::Response::Json(w.EndObject().Take());
}

std::vector<net::FieldSpec> PageFields() {
  return {{.name = "limit", .type = "integer", .doc = "1 to 1000; without it 100"},
          {.name = "cursor", .type = "string", .doc = "next_cursor of the page before"}};
}

std::string PageSchema(std::string_view item_schema) {
  return Cat(R"({"type":"object","required":["items","next_cursor"],"properties":{)",
             R"("items":{"type":"array","items":)", item_schema,
             R"(},"next_cursor":{"type":["string","null"]}}})");
}

Status CheckQuery(const net::Request& request) {
  if (request.route == nullptr) return absl::OkStatus();
  const std::vector<net::FieldSpec>& known = request.route->query;
  for (size_t i = 0; i < request.query.size(); ++i) {
    const std::string& name = request.query[i].first;
    const auto is = [&name](const auto& field) { return field.name == name; };
    if (std::none_of(known.begin(), known.end(), is)) {
      std::vector<std::string> names;
      for (const net::FieldSpec& field : known) names.push_back(field.name);
      return absl::InvalidArgumentError(
          Cat("query: '", name.substr(0, 64), "' is unknown here; known are ", Join(names, ", ")));
    }
    for (size_t k = 0; k < i; ++k)
      if (request.query[k].first == name)
        return absl::InvalidArgumentError(Cat("query: '", name, "' is given twice; give it once"));
  }
  return absl::OkStatus();
}

Status ReadTime(const net::Request& request, const char* field, int64_t* out) {
  const std::string* text = request.Query(field);
  if (text == nullptr) return absl::OkStatus();
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), *out);
  if (error == std::errc() && end == text->data() + text->size()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      Cat(field, ": '", text->substr(0, 64), "' is no whole number; give nanoseconds since 1970"));
}

}  // namespace saferl::services
