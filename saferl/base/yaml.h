#pragma once
// YAML to a Node tree, with lines. The subset that people write by hand: maps, lists, scalars,
// block texts.
//
// Refused, each with file:line: duplicate keys, keys that are not plain texts, anchors and aliases
// (no expansion bombs), tags, a second document, depth and size beyond ParseLimits. RT: no.

#include <string>
#include <string_view>

#include "saferl/base/node.h"
#include "saferl/base/status.h"

namespace saferl {

inline constexpr ParseLimits kYamlLimits{
    .max_bytes = size_t{4} << 20, .max_nodes = 200'000, .max_depth = 32};

/// `name` is the file for messages. An empty text is a null node.
StatusOr<Node> ParseYaml(std::string_view text, std::string_view name,
                         const ParseLimits& limits = kYamlLimits);
StatusOr<Node> LoadYaml(const std::string& path, const ParseLimits& limits = kYamlLimits);

}  // namespace saferl
