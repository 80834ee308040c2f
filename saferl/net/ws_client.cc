#include "saferl/net/ws_client.h"

#include <algorithm>
#include <charconv>

#include "saferl/base/text.h"
#include "saferl/net/target.h"

namespace saferl::net {
namespace {

constexpr size_t kMaxHead = 16 << 10;

struct Address {
  bool tls = false;
  std::string host, authority, target = "/";
  int port = 0;
};

StatusOr<Address> ParseAddress(std::string_view url) {
  Address address;
  Status bad = absl::InvalidArgumentError(
      "url: not ws://HOST:PORT/PATH or wss://HOST:PORT/PATH; correct it");
  address.tls = url.starts_with("wss://");
  if (!address.tls && !url.starts_with("ws://")) return bad;
  url.remove_prefix(address.tls ? 6 : 5);
  const size_t path = std::min(url.find_first_of("/?"), url.size());
  std::string_view authority = url.substr(0, path);
  if (path < url.size()) address.target = Cat(url[path] == '?' ? "/" : "", url.substr(path));
  for (const char c : url)
    if (c <= ' ' || c == 0x7f || c == '@' || c == '#') return bad;
  address.authority = std::string(authority);
  address.port = address.tls ? 443 : 80;
  const size_t colon = authority.rfind(':');
  if (colon != std::string_view::npos && authority.find(']', colon) == std::string_view::npos) {
    const std::string_view port = authority.substr(colon + 1);
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), address.port);
    if (error != std::errc() || end != port.data() + port.size() || address.port < 1 ||
        address.port > 65535)
      return bad;
    authority = authority.substr(0, colon);
  }
  if (authority.starts_with('[') && authority.ends_with(']'))
    authority = authority.substr(1, authority.size() - 2);
  if (authority.empty()) return bad;
  address.host = std::string(authority);
  return address;
}

/// What is wrong with the answer to the upgrade.
Status CheckAnswer(std::string_view head, const std::string& key) {
  const auto take_line = [&head] {
    const size_t end = std::min(head.find("\r\n"), head.size());
    const std::string_view line = head.substr(0, end);
    head.remove_prefix(std::min(end + 2, head.size()));
    return line;
  };
  const std::string_view first = take_line();
  if (!first.starts_with("HTTP/1.1 101"))
    return absl::UnavailableError(
        Cat("not a WebSocket: the server answered '", first.substr(0, 80), "'"));
  while (!head.empty()) {
    const std::string_view line = take_line();
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos ||
        !EqualIgnoringCase(line.substr(0, colon), "Sec-WebSocket-Accept"))
      continue;
    std::string_view value = line.substr(colon + 1);
    while (value.starts_with(' ')) value.remove_prefix(1);
    while (value.ends_with(' ')) value.remove_suffix(1);
    if (value == WebSocketAccept(key)) return absl::OkStatus();
  }
  return absl::UnavailableError("not a WebSocket: Sec-WebSocket-Accept does not fit our key");
}

}  // namespace

StatusOr<std::unique_ptr<WsClient>> WsClient::Connect(const WsClientOptions& options) {
  SAFERL_ASSIGN_OR_RETURN(const Address address, ParseAddress(options.url));
  ClientStreamOptions stream;
  stream.host = address.host;
  stream.port = address.port;
  stream.tls = address.tls;
  stream.ca_file = options.ca_file;
  stream.cert_file = options.cert_file;
  stream.key_file = options.key_file;
  SAFERL_ASSIGN_OR_RETURN(const auto connector, Connector::Create(std::move(stream)));
  const Deadline deadline = Deadline::After(FromSeconds(options.connect_timeout_s));
  SAFERL_ASSIGN_OR_RETURN(auto connected, connector->Connect(deadline));
  std::unique_ptr<WsClient> client(new WsClient(options, std::move(connected)));
  SAFERL_RETURN_IF_ERROR(client->Shake(address.authority, address.target, deadline));
  return client;
}

Status WsClient::Shake(const std::string& host, const std::string& target,
                       const Deadline& deadline) {
  const std::string key = WebSocketKey();
  SAFERL_RETURN_IF_ERROR(stream_->Write(
      Cat("GET ", target, " HTTP/1.1\r\nHost: ", host,
          "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
          "Sec-WebSocket-Key: ",
          key, "\r\n\r\n"),
      deadline));
  size_t end = std::string::npos;
  while ((end = held_.find("\r\n\r\n")) == std::string::npos) {
    if (held_.size() > kMaxHead)
      return absl::UnavailableError("not a WebSocket: the answer's head has no end");
    SAFERL_RETURN_IF_ERROR(stream_->Read(&held_, deadline));
  }
  SAFERL_RETURN_IF_ERROR(CheckAnswer(std::string_view(held_).substr(0, end), key));
  held_.erase(0, end + 4);
  heard_ns_ = Nanos();
  return absl::OkStatus();
}

Status WsClient::Write(Opcode opcode, std::string_view payload) {
  frame_.clear();
  AppendClientFrame(opcode, payload, &frame_);
  return stream_->Write(frame_, Deadline::After(FromSeconds(options_.send_timeout_s)));
}

StatusOr<bool> WsClient::Next(const Deadline& deadline, std::string* message, bool* binary) {
  for (;;) {
    std::string_view bytes = held_;
    const WebSocketReader::Result result =
        bytes.empty() ? WebSocketReader::Result::kNeedMore : reader_.Next(&bytes);
    held_.erase(0, held_.size() - bytes.size());
    if (result == WebSocketReader::Result::kError)
      return absl::UnavailableError(Cat("the server broke the protocol: ", reader_.error_code()));
    if (result == WebSocketReader::Result::kMessage) {
      switch (reader_.opcode()) {
        case Opcode::kClose:
          return absl::UnavailableError(Cat("closed by the server: ", reader_.peer_code()));
        case Opcode::kPing:
          SAFERL_RETURN_IF_ERROR(Write(Opcode::kPong, reader_.payload()));
          continue;
        case Opcode::kPong:
          continue;
        default:
          *binary = reader_.opcode() == Opcode::kBinary;
          message->swap(reader_.payload());
          return true;
      }
    }
    if (Status read = stream_->Read(&held_, deadline); !read.ok()) {
      if (read.code() == absl::StatusCode::kDeadlineExceeded) return false;
      return read;
    }
    heard_ns_ = Nanos();
  }
}

}  // namespace saferl::net
