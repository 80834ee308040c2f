#include "saferl/net/request_reader.h"

#include <algorithm>
#include <boost/beast/http/basic_parser.hpp>
#include <charconv>

#include "saferl/base/text.h"
#include "saferl/net/target.h"

namespace saferl::net {
namespace {

namespace beast = boost::beast;
using beast::error_code;

constexpr size_t kMaxFields = 100;
constexpr size_t kMaxMethod = 32;
constexpr uint64_t kReserve = 1 << 20;  // a length that is only claimed buys no more

bool IsTokenByte(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
         (c != '\0' && std::string_view("!#$%&'*+-.^_`|~").contains(c));
}

bool IsToken(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), IsTokenByte);
}

bool IsHost(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           std::string_view("-._~%!$&'()*+,;=:[]").contains(c);
  });
}

std::string_view Trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::string_view View(beast::string_view text) { return {text.data(), text.size()}; }

}  // namespace

/// Beast's reading of a whole head, into the reader.
class RequestReader::Parser final : public beast::http::basic_parser<true> {
 public:
  explicit Parser(RequestReader* reader) : head_(reader->head_) {
    header_limit(static_cast<uint32_t>(reader->max_header_bytes_ + 4));
    body_limit(boost::none);
  }

 private:
  void on_request_impl(beast::http::verb, beast::string_view method, beast::string_view target,
                       int version, error_code&) override {
    head_.method = View(method);
    head_.target = View(target);
    head_.minor_version = version % 10;
  }
  void on_field_impl(beast::http::field, beast::string_view name, beast::string_view value,
                     error_code&) override {
    head_.fields.Add(std::string(View(name)), std::string(View(value)));
  }
  void on_response_impl(int, beast::string_view, int, error_code&) override {}
  void on_header_impl(error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  std::size_t on_body_impl(beast::string_view, error_code&) override { return 0; }
  void on_chunk_header_impl(std::uint64_t, beast::string_view, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, beast::string_view, error_code&) override {
    return 0;
  }
  void on_finish_impl(error_code&) override {}

  RequestHead& head_;
};

void RequestReader::Reset() {
  scanned_ = trailer_bytes_ = 0;
  state_ = State::kHead;
  step_ = Step::kSize;
  head_.fields.Clear();
  head_.content_length.reset();
  head_.chunked = false;
  body_.clear();
  body_limit_ = left_ = 0;
}

bool RequestReader::Fail(int status, std::string_view detail) {
  state_ = State::kError;
  error_status_ = status;
  error_detail_ = detail;
  return false;
}

size_t RequestReader::Put(std::string_view bytes) {
  switch (state_) {
    case State::kHead:
      return PutHead(bytes);
    case State::kBody:
      return PutBody(bytes);
    default:
      return 0;
  }
}

size_t RequestReader::PutHead(std::string_view bytes) {
  // A line that ends in a bare LF would never meet CRLF CRLF: refuse it as soon as it is seen.
  size_t end = std::string_view::npos;
  for (size_t at = bytes.find('\n', scanned_); at != std::string_view::npos;
       at = bytes.find('\n', at + 1)) {
    if (at == 0 || bytes[at - 1] != '\r') {
      Fail(400, "a header line ends in LF alone; end lines in CRLF");
      return 0;
    }
    if (at == 1) {
      Fail(400, "an empty line stands before the request line");
      return 0;
    }
    if (bytes[at - 2] == '\n') {
      end = at + 1;
      break;
    }
  }
  if ((end == std::string_view::npos ? bytes.size() : end) > max_header_bytes_) {
    Fail(431, Cat("the header has more than ", max_header_bytes_, " bytes; send less"));
    return 0;
  }
  if (end == std::string_view::npos) {
    scanned_ = bytes.size();
    return 0;
  }
  const std::string_view head = bytes.substr(0, end);
  if (!CheckHead(head.substr(0, end - 2))) return 0;
  Parser parser(this);
  error_code error;
  const size_t taken = parser.put({head.data(), head.size()}, error);
  if (error || taken != head.size() || !parser.is_header_done()) {
    Fail(400, Cat("bad request head: ", error.message()));
    return 0;
  }
  head_.keep_alive = parser.keep_alive();
  left_ = head_.content_length.value_or(0);
  state_ = left_ > 0 || head_.chunked ? State::kBody : State::kDone;
  return taken;
}

/// `head`: the request line and the fields, each with its CRLF.
bool RequestReader::CheckHead(std::string_view head) {
  const size_t line_end = head.find("\r\n");
  const std::string_view line = head.substr(0, line_end);
  const size_t first = line.find(' '), last = line.rfind(' ');
  if (first == std::string_view::npos || first == last || first > kMaxMethod ||
      !IsToken(line.substr(0, first))) {
    return Fail(400, "the request line is not 'METHOD target HTTP/1.1'");
  }
  const std::string_view target = line.substr(first + 1, last - first - 1);
  const bool clean = std::all_of(target.begin(), target.end(),
                                 [](char c) { return static_cast<uint8_t>(c - 0x21) < 0x5e; });
  if (target.empty() || !clean) {
    return Fail(400, "the request target has a space, control or non-ASCII character; encode it");
  }
  const std::string_view version = line.substr(last + 1);
  if (version.size() == 8 && version.starts_with("HTTP/") && version[6] == '.' &&
      version != "HTTP/1.1" && version != "HTTP/1.0") {
    return Fail(505, "this port speaks HTTP/1.1");
  }
  if (version != "HTTP/1.1" && version != "HTTP/1.0") {
    return Fail(400, "the request line does not end in HTTP/1.1");
  }
  int hosts = 0;
  size_t count = 0;
  for (std::string_view rest = head.substr(line_end + 2); !rest.empty();) {
    const size_t end = rest.find("\r\n");
    if (++count > kMaxFields) return Fail(431, Cat("more than ", kMaxFields, " header fields"));
    if (!CheckField(rest.substr(0, end), &hosts)) return false;
    rest.remove_prefix(end + 2);
  }
  if (hosts > 1) return Fail(400, "more than one Host");
  if (version == "HTTP/1.1" && hosts == 0) return Fail(400, "Host is missing");
  if (head_.chunked && head_.content_length) {
    return Fail(400, "Content-Length and Transfer-Encoding together");
  }
  if (head_.chunked && version == "HTTP/1.0") return Fail(400, "Transfer-Encoding in HTTP/1.0");
  return true;
}

bool RequestReader::CheckField(std::string_view line, int* hosts) {
  if (line.starts_with(' ') || line.starts_with('\t')) {
    return Fail(400, "a header line is folded; send one line a field");
  }
  const size_t colon = line.find(':');
  const std::string_view name = line.substr(0, colon);
  if (colon == std::string_view::npos || !IsToken(name)) {
    return Fail(400, "a header line is not 'Name: value' without a space before the colon");
  }
  const std::string_view value = Trim(line.substr(colon + 1));
  for (const char c : value) {
    if ((static_cast<uint8_t>(c) < 0x20 && c != '\t') || c == 0x7f) {
      return Fail(400, Cat("header ", name, " has a control character"));
    }
  }
  if (!IsUtf8(value)) return Fail(400, Cat("header ", name, " is not UTF-8"));
  if (EqualIgnoringCase(name, "Host")) {
    ++*hosts;
    if (!IsHost(value)) return Fail(400, "Host is not a host name");
  }
  return CheckFraming(name, value);
}

/// Content-Length and Transfer-Encoding, and names that a careless proxy takes for them.
bool RequestReader::CheckFraming(std::string_view name, std::string_view value) {
  if (name.size() == 14 && EqualIgnoringCase(name, "Content-Length")) {
    if (head_.content_length) return Fail(400, "more than one Content-Length");
    uint64_t length = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), length);
    if (value.empty() || value.size() > 18 || error != std::errc() ||
        end != value.data() + value.size()) {
      return Fail(400, "Content-Length is not a number of bytes");
    }
    head_.content_length = length;
  } else if (name.size() == 17 && EqualIgnoringCase(name, "Transfer-Encoding")) {
    if (head_.chunked) return Fail(400, "more than one Transfer-Encoding");
    if (!EqualIgnoringCase(value, "chunked")) {
      return Fail(400, "Transfer-Encoding is not 'chunked'; compress with Content-Encoding");
    }
    head_.chunked = true;
  } else if (name.contains('_')) {
    std::string dashed(name);
    std::replace(dashed.begin(), dashed.end(), '_', '-');
    if (EqualIgnoringCase(dashed, "Content-Length") ||
        EqualIgnoringCase(dashed, "Transfer-Encoding")) {
      return Fail(400, Cat("header ", name, " looks like ", dashed, "; write it with a dash"));
    }
  }
  return true;
}

bool RequestReader::TooLarge() {
  return Fail(413, Cat("the body has more than ", body_limit_,
                       " bytes, the limit of this route; send less"));
}

size_t RequestReader::PutBody(std::string_view bytes) {
  if (head_.chunked) return PutChunks(bytes);
  if (*head_.content_length > body_limit_) {
    TooLarge();
    return 0;
  }
  if (body_.empty()) body_.reserve(static_cast<size_t>(std::min(left_, kReserve)));
  const size_t taken = static_cast<size_t>(std::min<uint64_t>(left_, bytes.size()));
  body_.append(bytes.substr(0, taken));
  left_ -= taken;
  if (left_ == 0) state_ = State::kDone;
  return taken;
}

size_t RequestReader::PutChunks(std::string_view bytes) {
  std::string_view rest = bytes;
  for (bool more = true; more && state_ == State::kBody;) {
    switch (step_) {
      case Step::kSize:
        more = TakeSize(&rest);
        break;
      case Step::kData:
        more = TakeData(&rest);
        break;
      case Step::kDataEnd:
        more = TakeDataEnd(&rest);
        break;
      case Step::kTrailer:
        more = TakeTrailer(&rest);
    }
  }
  return bytes.size() - rest.size();
}

/// "1a2B" CRLF and nothing else: extensions and blanks are where parsers differ.
bool RequestReader::TakeSize(std::string_view* bytes) {
  constexpr size_t kMaxDigits = 16;
  uint64_t size = 0;
  const char* const begin = bytes->data();
  const auto [end, error] = std::from_chars(begin, begin + bytes->size(), size, 16);
  const size_t digits = static_cast<size_t>(end - begin);
  if (bytes->empty() || (digits == bytes->size() && digits <= kMaxDigits)) return false;
  if (digits == 0 || digits > kMaxDigits || *begin == '-') {
    return Fail(400, "a chunk does not start with its size in hexadecimal digits");
  }
  const std::string_view line_end = bytes->substr(digits, 2);
  if (line_end == "\r") return false;
  if (line_end != "\r\n") {
    return Fail(400, "a chunk's size is not followed by CRLF; send plain chunks, no extensions");
  }
  bytes->remove_prefix(digits + 2);
  if (size == 0) {
    step_ = Step::kTrailer;
    return true;
  }
  if (size > body_limit_ || body_.size() > body_limit_ - size) return TooLarge();
  left_ = size;
  step_ = Step::kData;
  return true;
}

bool RequestReader::TakeData(std::string_view* bytes) {
  const size_t taken = static_cast<size_t>(std::min<uint64_t>(left_, bytes->size()));
  body_.append(bytes->substr(0, taken));
  bytes->remove_prefix(taken);
  left_ -= taken;
  if (left_ > 0) return false;
  step_ = Step::kDataEnd;
  return true;
}

bool RequestReader::TakeDataEnd(std::string_view* bytes) {
  const std::string_view line_end = bytes->substr(0, 2);
  if (!std::string_view("\r\n").starts_with(line_end)) {
    return Fail(400, "a chunk is longer than its size, or not followed by CRLF");
  }
  if (line_end.size() < 2) return false;
  bytes->remove_prefix(2);
  step_ = Step::kSize;
  return true;
}

bool RequestReader::TakeTrailer(std::string_view* bytes) {
  const size_t end = bytes->find('\n');
  const size_t seen = end == std::string_view::npos ? bytes->size() : end + 1;
  if (trailer_bytes_ + seen > max_header_bytes_) {
    return Fail(431, Cat("the trailer has more than ", max_header_bytes_, " bytes"));
  }
  if (end == std::string_view::npos) return false;
  if (end == 0 || (*bytes)[end - 1] != '\r') {
    return Fail(400, "a trailer line ends in LF alone; end lines in CRLF");
  }
  const std::string_view line = bytes->substr(0, end - 1);
  if (line.empty()) {
    bytes->remove_prefix(2);
    state_ = State::kDone;
    return false;
  }
  // Fields that would change the message are refused: in CheckFraming (twice the same), and here.
  int hosts = 0;
  const bool had_length = head_.content_length.has_value();
  if (!CheckField(line, &hosts)) return false;
  if (hosts > 0 || head_.content_length.has_value() != had_length) {
    return Fail(400, "a trailer may not have Host, Content-Length or Transfer-Encoding");
  }
  trailer_bytes_ += seen;
  bytes->remove_prefix(seen);
  return true;
}

}  // namespace saferl::net
