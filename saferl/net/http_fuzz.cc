// Fuzz target: the bytes of a connection through the request reader and the dispatcher, as the
// server runs them: head, route, body (chunked, gzip), answer. The input's first byte sets the size
// of the pieces that arrive.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "saferl/net/dispatcher.h"
#include "saferl/net/target.h"

namespace {

using saferl::net::Request;
using saferl::net::RequestReader;
using saferl::net::Response;
using saferl::net::Route;

constexpr size_t kMaxBody = 4096;

void Require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

saferl::net::Router& TestRouter() {
  static auto* router = [] {
    auto* made = new saferl::net::Router;
    for (const auto method : {saferl::net::Method::kGet, saferl::net::Method::kPost}) {
      Route route;
      route.method = method;
      route.pattern = "/a/{name}";
      route.operation_id = std::string(Name(method));
      route.max_body_bytes = kMaxBody;
      route.handler = [](const Request& request) {
        Require(!request.path.contains('\0') && !request.path.contains("/../"), "path");
        Require(saferl::net::IsUtf8(request.path), "path is UTF-8");
        Require(request.body.size() <= kMaxBody, "body limit");
        Require(!request.Param("name").empty(), "param");
        Response response = Response::Text(request.body);
        response.headers.Add("X-Name", request.query.empty() ? "" : request.query[0].second);
        return response;
      };
      made->Add(std::move(route));
    }
    return made;
  }();
  return *router;
}

/// One complete message: routed, unpacked, handled, written.
void Serve(RequestReader* reader, const saferl::net::Dispatcher& dispatcher, Request* request,
           const Route* route, std::optional<Response> answer) {
  if (!answer) answer = dispatcher.Body(*route, &reader->body(), request);
  if (!answer) answer = dispatcher.Call(*route, *request);
  Require(answer->status >= 200 && answer->status < 600, "status");
  std::string out;
  dispatcher.Write(*request, *std::move(answer), {}, &out);
  const size_t end = out.find("\r\n\r\n");
  Require(out.starts_with("HTTP/1.1 ") && end != std::string::npos, "answer");
  for (size_t i = 0; i < end; ++i) {
    Require(out[i] != '\n' || out[i - 1] == '\r', "a bare LF in the answer's head");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const size_t piece = 1 + data[0] * size_t{16};
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const saferl::net::Dispatcher dispatcher(TestRouter(), {});
  RequestReader reader(1024);
  std::string held;
  size_t next = 0;
  Request request;
  const Route* route = nullptr;
  std::optional<Response> answer;
  bool routed = false;
  while (true) {
    const size_t taken = reader.Put(held);
    Require(taken <= held.size(), "taken");
    held.erase(0, taken);
    if (reader.state() == RequestReader::State::kError) {
      Require(reader.error_status() >= 400 && !reader.error_detail().empty(), "error");
      return 0;
    }
    if (!routed && reader.state() != RequestReader::State::kHead) {
      routed = true;
      answer = dispatcher.Head(&reader.head(), &request, &route);
      Require(answer.has_value() || route != nullptr, "route or answer");
      reader.SetBodyLimit(kMaxBody);
    }
    if (reader.state() == RequestReader::State::kDone) {
      Require(reader.body().size() <= kMaxBody, "raw body limit");
      Serve(&reader, dispatcher, &request, route, std::move(answer));
      answer.reset();
      reader.Reset();
      routed = false;
      continue;
    }
    if (taken > 0) continue;
    if (next == bytes.size()) return 0;
    const std::string_view more = bytes.substr(next, piece);
    held += more;
    next += more.size();
    Require(held.size() <= 1024 + piece, "what waits is bounded");
  }
}
