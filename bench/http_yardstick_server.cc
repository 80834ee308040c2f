// The two servers of bench/http_yardstick: ours, and the smallest honest Boost.Beast echo. Each
// answers GET / with a fixed JSON text and POST / with the body it got, on one thread.
//
//   http_yardstick_server saferl|beast    prints its port and serves until standard input ends
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <cstdio>
#include <exception>
#include <string>
#include <string_view>
#include <thread>

#include "saferl/net/http_server.h"

namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;

constexpr std::string_view kBody =
    R"({"action":[0.25,-0.5],"mode":"nominal","margin_m":0.42,"model":"wheelchair-7","sequence":1})";

void WaitForEnd() {
  while (std::getchar() != EOF) {
  }
}

asio::awaitable<void> Session(tcp::socket socket) {
  socket.set_option(tcp::no_delay(true));
  boost::beast::flat_buffer buffer;
  try {
    while (true) {
      http::request<http::string_body> request;
      co_await http::async_read(socket, buffer, request, asio::use_awaitable);
      http::response<http::string_body> response(http::status::ok, request.version());
      response.set(http::field::content_type, "application/json");
      response.keep_alive(request.keep_alive());
      response.body() =
          request.method() == http::verb::post ? std::move(request.body()) : std::string(kBody);
      response.prepare_payload();
      co_await http::async_write(socket, response, asio::use_awaitable);
      if (!response.keep_alive()) break;
    }
  } catch (const boost::system::system_error&) {
    // The client left.
  }
}

asio::awaitable<void> Listen(tcp::acceptor* acceptor) {
  while (true) {
    tcp::socket socket = co_await acceptor->async_accept(asio::use_awaitable);
    asio::co_spawn(acceptor->get_executor(), Session(std::move(socket)), [](std::exception_ptr) {});
  }
}

int RunBeast() {
  asio::io_context context(1);
  tcp::acceptor acceptor(context, {asio::ip::make_address("127.0.0.1"), 0});
  std::printf("%d\n", acceptor.local_endpoint().port());
  std::fflush(stdout);
  asio::co_spawn(context, Listen(&acceptor), [](std::exception_ptr) {});
  std::thread loop([&] { context.run(); });
  WaitForEnd();
  context.stop();
  loop.join();
  return 0;
}

int RunSaferl() {
  using namespace saferl::net;  // NOLINT(google-build-using-namespace): a program of one page
  Router router;
  Route get;
  get.pattern = "/";
  get.operation_id = "get";
  get.handler = [](const Request&) { return Response::Json(std::string(kBody)); };
  router.Add(get);
  Route post;
  post.method = Method::kPost;
  post.pattern = "/";
  post.operation_id = "post";
  post.handler = [](const Request& request) { return Response::Json(request.body); };
  router.Add(post);
  auto server = HttpServer::Start({}, router);
  if (!server.ok()) {
    std::fprintf(stderr, "%s\n", server.status().ToString().c_str());
    return 3;
  }
  std::printf("%d\n", (*server)->port());
  std::fflush(stdout);
  WaitForEnd();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view kind = argc == 2 ? argv[1] : "";
  if (kind == "saferl") return RunSaferl();
  if (kind == "beast") return RunBeast();
  std::fprintf(stderr, "usage: %s saferl|beast\n", argv[0]);
  return 2;
}
