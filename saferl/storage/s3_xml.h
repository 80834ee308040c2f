#pragma once
// The XML that S3 answers with, as a tree of names and texts. Nothing beyond that: attributes are
// skipped, document types and unknown entities refused.
//
// Limits: 16 levels, 100,000 elements. Errors: kUnavailable (it is the server's answer that is
// wrong, the next may be right), saying where. RT: no. Source: XML 1.0 (the subset S3 uses).

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "saferl/base/status.h"

namespace saferl::storage {

struct XmlElement {
  std::string name;  ///< without its namespace prefix
  std::string text;  ///< all of its own text, decoded
  std::vector<XmlElement> children = {};
  /// The text of the first child of that name; empty when there is none.
  std::string_view Text(std::string_view child) const;
};

StatusOr<XmlElement> ParseXml(std::string_view text);
/// Of <CompleteMultipartUpload>: an ETag has quotes.
std::string EscapeXml(std::string_view text);

/// ListObjectsV2: one page.
struct S3Page {
  struct Object {
    std::string key;
    uint64_t size = 0;
  };
  std::vector<Object> objects = {};
  std::string next_token = {};  ///< empty: the last page
};
StatusOr<S3Page> ParseS3Page(std::string_view xml);

}  // namespace saferl::storage
