#include "saferl/net/websocket.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <algorithm>
#include <cstdlib>

#include "saferl/base/text.h"
#include "saferl/net/target.h"

namespace saferl::net {
namespace {

constexpr std::string_view kGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
constexpr size_t kMaxControl = 125;

bool IsControl(Opcode opcode) { return opcode >= Opcode::kClose; }

bool IsKey(std::string_view key) {  // base64 of 16 bytes
  return key.size() == 24 && key.ends_with("==") &&
         std::all_of(key.begin(), key.end() - 2, [](char c) {
           return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                  c == '+' || c == '/';
         });
}

/// Codes that a peer may send (RFC 6455 section 7.4).
bool IsCloseCode(uint16_t code) {
  return (code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006) ||
         (code >= 3000 && code <= 4999);
}

void AppendHead(Opcode opcode, uint64_t size, int mask_bit, std::string* out) {
  out->push_back(static_cast<char>(0x80 | static_cast<uint8_t>(opcode)));
  if (size < 126) {
    out->push_back(static_cast<char>(mask_bit | static_cast<int>(size)));
    return;
  }
  const int bytes = size <= 0xffff ? 2 : 8;
  out->push_back(static_cast<char>(mask_bit | (bytes == 2 ? 126 : 127)));
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) {
    out->push_back(static_cast<char>(size >> shift));
  }
}

}  // namespace

std::string WebSocketAccept(std::string_view key) {
  const std::string text = Cat(key, kGuid);
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  EVP_Digest(text.data(), text.size(), digest, &size, EVP_sha1(), nullptr);
  unsigned char base64[64];
  const int length = EVP_EncodeBlock(base64, digest, static_cast<int>(size));
  return {reinterpret_cast<char*>(base64), static_cast<size_t>(length)};
}

std::optional<UpgradeError> CheckUpgrade(const Request& request) {
  const Headers& headers = request.headers;
  if (!headers.HasToken("Upgrade", "websocket") || !headers.HasToken("Connection", "upgrade")) {
    return UpgradeError{426, "this path speaks WebSocket; send Upgrade: websocket"};
  }
  const std::string* version = headers.Find("Sec-WebSocket-Version");
  if (version == nullptr || *version != "13") {
    return UpgradeError{426, "Sec-WebSocket-Version: this server speaks 13"};
  }
  const std::string* key = headers.Find("Sec-WebSocket-Key");
  if (key == nullptr || !IsKey(*key)) {
    return UpgradeError{400, "Sec-WebSocket-Key: not the base64 of 16 bytes"};
  }
  const std::string* origin = headers.Find("Origin");
  const std::string* host = headers.Find("Host");
  if (origin != nullptr) {
    const size_t scheme = origin->find("://");
    const std::string_view authority =
        scheme == std::string::npos ? "" : std::string_view(*origin).substr(scheme + 3);
    if (host == nullptr || !EqualIgnoringCase(authority, *host)) {
      return UpgradeError{403, "Origin: a page of another host may not open this stream"};
    }
  }
  return std::nullopt;
}

void AppendFrame(Opcode opcode, std::string_view payload, std::string* out) {
  AppendHead(opcode, payload.size(), 0, out);
  out->append(payload);
}

void AppendClientFrame(Opcode opcode, std::string_view payload, std::string* out) {
  unsigned char mask[4];
  if (RAND_bytes(mask, sizeof mask) != 1) std::abort();  // no randomness: nothing can be trusted
  AppendHead(opcode, payload.size(), 0x80, out);
  for (const unsigned char byte : mask) out->push_back(static_cast<char>(byte));
  for (size_t i = 0; i < payload.size(); ++i)
    out->push_back(static_cast<char>(static_cast<uint8_t>(payload[i]) ^ mask[i & 3]));
}

std::string WebSocketKey() {
  unsigned char bytes[16], base64[32];
  if (RAND_bytes(bytes, sizeof bytes) != 1) std::abort();
  const int length = EVP_EncodeBlock(base64, bytes, sizeof bytes);
  return {reinterpret_cast<char*>(base64), static_cast<size_t>(length)};
}

void AppendClose(uint16_t code, std::string_view reason, std::string* out) {
  std::string payload;
  payload.push_back(static_cast<char>(code >> 8));
  payload.push_back(static_cast<char>(code));
  payload.append(reason.substr(0, kMaxControl - 2));
  AppendFrame(Opcode::kClose, payload, out);
}

WebSocketReader::Result WebSocketReader::TakeHeader(std::string_view* bytes) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>((*bytes)[i]); };
  if (bytes->size() < 2) return Result::kNeedMore;
  Header header;
  header.final = (byte(0) & 0x80) != 0;
  header.opcode = static_cast<Opcode>(byte(0) & 0x0f);
  if ((byte(0) & 0x70) != 0) return Fail(close_code::kProtocol);
  const uint8_t code = byte(0) & 0x0f;
  if ((code > 2 && code < 8) || code > 10) return Fail(close_code::kProtocol);
  if (((byte(1) & 0x80) != 0) != masked_) return Fail(close_code::kProtocol);
  const uint8_t short_length = byte(1) & 0x7f;
  const bool control = IsControl(header.opcode);
  if (control && (!header.final || short_length > kMaxControl)) return Fail(close_code::kProtocol);
  if (!control && (header.opcode == Opcode::kContinuation) != in_message_) {
    return Fail(close_code::kProtocol);
  }
  const size_t extra = short_length == 126 ? 2 : short_length == 127 ? 8 : 0;
  const size_t head = 2 + extra + (masked_ ? 4 : 0);
  if (bytes->size() < head) return Result::kNeedMore;
  header.length = extra == 0 ? short_length : 0;
  for (size_t i = 0; i < extra; ++i) header.length = header.length << 8 | byte(2 + i);
  if ((extra == 2 && header.length < 126) || (extra == 8 && header.length <= 0xffff)) {
    return Fail(close_code::kProtocol);
  }
  const size_t held = control || !in_message_ ? 0 : message_.size();
  if (!control &&
      (header.length > max_message_bytes_ || held > max_message_bytes_ - header.length)) {
    return Fail(close_code::kTooBig);
  }
  for (size_t i = 0; masked_ && i < 4; ++i) header.mask[i] = byte(2 + extra + i);
  bytes->remove_prefix(head);
  frame_ = header;
  left_ = header.length;
  in_frame_ = true;
  if (control) {
    control_.clear();
  } else if (header.opcode != Opcode::kContinuation) {
    message_.clear();
    message_opcode_ = header.opcode;
    in_message_ = true;
  }
  return Result::kMessage;
}

WebSocketReader::Result WebSocketReader::Finish() {
  in_frame_ = false;
  if (!IsControl(frame_.opcode)) {
    if (!frame_.final) return Result::kNeedMore;
    in_message_ = false;
    opcode_ = message_opcode_;
    if (opcode_ == Opcode::kText && !IsUtf8(message_)) return Fail(close_code::kBadText);
    return Result::kMessage;
  }
  opcode_ = frame_.opcode;
  if (opcode_ != Opcode::kClose) return Result::kMessage;
  peer_code_ = 0;
  if (control_.empty()) return Result::kMessage;
  if (control_.size() == 1) return Fail(close_code::kProtocol);
  peer_code_ = static_cast<uint16_t>(static_cast<uint8_t>(control_[0]) << 8 |
                                     static_cast<uint8_t>(control_[1]));
  if (!IsCloseCode(peer_code_)) return Fail(close_code::kProtocol);
  if (!IsUtf8(std::string_view(control_).substr(2))) return Fail(close_code::kBadText);
  return Result::kMessage;
}

WebSocketReader::Result WebSocketReader::Next(std::string_view* bytes) {
  if (error_code_ != 0) return Result::kError;
  while (true) {
    if (!in_frame_) {
      const Result result = TakeHeader(bytes);
      if (result != Result::kMessage) return result;
    }
    std::string& target = IsControl(frame_.opcode) ? control_ : message_;
    const size_t take = static_cast<size_t>(std::min<uint64_t>(left_, bytes->size()));
    const uint64_t done = frame_.length - left_;
    for (size_t i = 0; i < take; ++i) {
      const uint8_t mask = frame_.mask[(done + i) & 3];
      target.push_back(static_cast<char>(static_cast<uint8_t>((*bytes)[i]) ^ mask));
    }
    left_ -= take;
    bytes->remove_prefix(take);
    if (left_ > 0) return Result::kNeedMore;
    const Result result = Finish();
    if (result != Result::kNeedMore) return result;
    if (bytes->empty()) return Result::kNeedMore;
  }
}

}  // namespace saferl::net
