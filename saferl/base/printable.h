#pragma once
// Text from outside (a file's words in an error message) for a terminal. RT: no. Errors: none.

#include <string>
#include <string_view>

namespace saferl {

/// Control characters other than the newline (so every escape sequence) and bytes that are not
/// UTF-8 become \xNN. Source: RFC 3629.
std::string Printable(std::string_view text);

}  // namespace saferl
