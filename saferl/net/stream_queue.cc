#include "saferl/net/stream_queue.h"

#include <charconv>

#include "saferl/net/dispatcher.h"
#include "saferl/net/target.h"

namespace saferl::net {

std::string EventText(std::string_view event, std::string_view data) {
  std::string out;
  if (!event.empty()) {
    out += "event: ";
    for (const char c : event) out += c == '\n' || c == '\r' ? ' ' : c;
    out += '\n';
  }
  while (true) {
    const size_t end = data.find_first_of("\r\n");
    out += "data: ";
    out += data.substr(0, end);
    out += '\n';
    if (end == std::string_view::npos) break;
    data.remove_prefix(end + (data.substr(end).starts_with("\r\n") ? 2 : 1));
  }
  out += '\n';
  return out;
}

void StreamQueue::AppendLocked(std::string_view wire_bytes) {
  const bool first = waiting_.empty();
  if (waiting_.size() + wire_bytes.size() > limits_.queued_bytes) {
    overflowed_ = true;
    open_ = false;
  } else {
    waiting_ += wire_bytes;
  }
  if (wake_ && (first || overflowed_)) wake_();  // otherwise it is awake already
}

bool StreamQueue::Append(std::string_view wire_bytes) {
  const std::lock_guard lock(mutex_);
  if (!open_) return false;
  AppendLocked(wire_bytes);
  return open_;
}

/// Control frames and comments, which a closed stream takes too.
void StreamQueue::Push(std::string_view wire_bytes) {
  const std::lock_guard lock(mutex_);
  AppendLocked(wire_bytes);
}

bool StreamQueue::Send(std::string_view event, std::string_view data) {
  if (!is_websocket()) return Append(EventText(event, data));
  if (!IsUtf8(data)) return SendBinary(data);
  std::string frame;
  AppendFrame(Opcode::kText, data, &frame);
  return Append(frame);
}

bool StreamQueue::SendBinary(std::string_view data) {
  if (!is_websocket()) return false;
  std::string frame;
  AppendFrame(Opcode::kBinary, data, &frame);
  return Append(frame);
}

void StreamQueue::Close() {
  const std::lock_guard lock(mutex_);
  if (!open_) return;
  open_ = false;
  if (wake_) wake_();
}

bool StreamQueue::open() const {
  const std::lock_guard lock(mutex_);
  return open_;
}

bool StreamQueue::overflowed() const {
  const std::lock_guard lock(mutex_);
  return overflowed_;
}

void StreamQueue::Detach() {
  const std::lock_guard lock(mutex_);
  open_ = false;
  wake_ = nullptr;
}

std::string StreamQueue::Head(const Request& request) const {
  Headers fields;
  if (is_websocket()) {
    fields.Add("Upgrade", "websocket");
    fields.Add("Connection", "Upgrade");
    fields.Add("Sec-WebSocket-Accept", WebSocketAccept(*request.headers.Find("Sec-WebSocket-Key")));
    return StreamHead(request, 101, fields);
  }
  fields.Add("Content-Type", "text/event-stream");
  fields.Add("Cache-Control", "no-store");
  fields.Add("Connection", "close");
  if (kind_ == Kind::kChunkedEvents) fields.Add("Transfer-Encoding", "chunked");
  return StreamHead(request, 200, fields);
}

bool StreamQueue::Take(std::string* out) {
  out->clear();
  const std::lock_guard lock(mutex_);
  if (waiting_.empty()) return open_;
  if (kind_ != Kind::kChunkedEvents) {
    out->swap(waiting_);
    return true;
  }
  char size[20];
  const auto [end, error] = std::to_chars(size, size + sizeof size, waiting_.size(), 16);
  out->append(size, end);
  *out += "\r\n";
  *out += waiting_;
  *out += "\r\n";
  waiting_.clear();
  return true;
}

std::string StreamQueue::End(uint16_t code) {
  ended_ = true;
  std::string out;
  if (kind_ == Kind::kChunkedEvents) out = "0\r\n\r\n";
  if (is_websocket()) AppendClose(peer_code_ != 0 ? peer_code_ : code, "", &out);
  return out;
}

bool StreamQueue::Receive(std::string_view* bytes) {
  if (!is_websocket()) {
    bytes->remove_prefix(bytes->size());
    return true;
  }
  while (true) {
    switch (reader_.Next(bytes)) {
      case WebSocketReader::Result::kNeedMore:
        return true;
      case WebSocketReader::Result::kError:
        peer_code_ = reader_.error_code();
        return false;
      case WebSocketReader::Result::kMessage:
        break;
    }
    std::string pong;
    switch (reader_.opcode()) {
      case Opcode::kPing:
        AppendFrame(Opcode::kPong, reader_.payload(), &pong);
        Push(pong);
        break;
      case Opcode::kPong:
        break;
      case Opcode::kClose:
        peer_code_ = reader_.peer_code() == 0 ? close_code::kNormal : reader_.peer_code();
        return false;
      default:
        if (on_message && !ended_) {
          on_message(reader_.payload(), reader_.opcode() == Opcode::kBinary);
        }
    }
  }
}

void StreamQueue::Ping() {
  if (!is_websocket()) return Push(":\n\n");
  std::string frame;
  AppendFrame(Opcode::kPing, "", &frame);
  Push(frame);
}

}  // namespace saferl::net
