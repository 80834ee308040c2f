#pragma once
// RequestReader: bytes of a connection to one HTTP/1.1 request after the other, without I/O.
//
// Strict: a message passes only when two readings of it agree: our own check of the head's grammar
// (CRLF alone ends a line, no folding, no space before the colon, one Content-Length of digits, one
// Transfer-Encoding that is "chunked", never both, one Host, fields in UTF-8) and Boost.Beast's
// parser, which sees whole heads only: its incremental chunk parser asserts on bytes that a client
// chooses, so bodies are read here, without chunk extensions. After an error the framing is in
// doubt: answer error_status and close. Limits: the head by max_header_bytes and 100 fields, the
// body by the limit set between head and body, the trailer (checked, then dropped) by
// max_header_bytes. RT: no. Source: RFC 9112.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "saferl/net/http.h"

namespace saferl::net {

struct RequestHead {
  std::string method, target;
  Headers fields;
  int minor_version = 1;  ///< HTTP/1.<minor_version>
  bool keep_alive = true;
  bool chunked = false;
  std::optional<uint64_t> content_length;
};

class RequestReader {
 public:
  enum class State : uint8_t { kHead, kBody, kDone, kError };

  explicit RequestReader(size_t max_header_bytes) : max_header_bytes_(max_header_bytes) {}

  /// Takes what it can from the front of `bytes` and returns how much; call again with the rest and
  /// what follows it. Stops after the head, so that the body's limit can be set.
  size_t Put(std::string_view bytes);
  State state() const { return state_; }
  /// Before the body: the most bytes it may have; more is error 413.
  void SetBodyLimit(uint64_t bytes) { body_limit_ = bytes; }
  /// Valid from the end of the head until Reset.
  const RequestHead& head() const { return head_; }
  RequestHead& head() { return head_; }
  std::string& body() { return body_; }
  int error_status() const { return error_status_; }
  const std::string& error_detail() const { return error_detail_; }
  /// Ready for the next request.
  void Reset();

 private:
  class Parser;
  enum class Step : uint8_t { kSize, kData, kDataEnd, kTrailer };

  size_t PutHead(std::string_view bytes);
  size_t PutBody(std::string_view bytes);
  size_t PutChunks(std::string_view bytes);
  /// Each takes off the front of `bytes`. False: more is needed, or it failed.
  bool TakeSize(std::string_view* bytes);
  bool TakeData(std::string_view* bytes);
  bool TakeDataEnd(std::string_view* bytes);
  bool TakeTrailer(std::string_view* bytes);
  bool CheckHead(std::string_view head);
  bool CheckField(std::string_view line, int* hosts);
  bool CheckFraming(std::string_view name, std::string_view value);
  bool Fail(int status, std::string_view detail);
  bool TooLarge();

  size_t max_header_bytes_;
  uint64_t body_limit_ = 0;
  size_t scanned_ = 0;  ///< bytes of the head that were searched for its end
  State state_ = State::kHead;
  Step step_ = Step::kSize;
  uint64_t left_ = 0;  ///< bytes of the body, or of its chunk, still to come
  size_t trailer_bytes_ = 0;
  RequestHead head_;
  std::string body_;
  int error_status_ = 0;
  std::string error_detail_;
};

}  // namespace saferl::net
