// Fuzz target: a WebSocket client's bytes through the stream, as the server runs it. The input's
// first byte sets the size of the pieces that arrive.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "saferl/net/stream_queue.h"
#include "saferl/net/target.h"

namespace {

constexpr size_t kMaxMessage = 512;

void Require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  using saferl::net::StreamQueue;
  const size_t piece = 1 + data[0];
  std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  StreamQueue stream(StreamQueue::Kind::kWebSocket,
                     {.queued_bytes = 1 << 20, .message_bytes = kMaxMessage}, [] {});
  stream.on_message = [&](std::string_view message, bool binary) {
    Require(message.size() <= kMaxMessage, "message limit");
    Require(binary || saferl::net::IsUtf8(message), "text is UTF-8");
    stream.Send("", message);
  };
  std::string held, out;
  bool open = true;
  while (open && !bytes.empty()) {
    held += bytes.substr(0, piece);
    bytes.remove_prefix(std::min(piece, bytes.size()));
    std::string_view rest = held;
    open = stream.Receive(&rest);
    Require(rest.size() <= held.size(), "only taken from the front");
    held.erase(0, held.size() - rest.size());
    Require(!open || held.size() < 14, "only a frame's header waits");
    stream.Take(&out);
  }
  const std::string end = stream.End(1000);
  Require(end.size() >= 4 && static_cast<uint8_t>(end[0]) == 0x88, "a close frame with a code");
  return 0;
}
