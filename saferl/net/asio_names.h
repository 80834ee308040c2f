#pragma once
// The names under which the server's files use Boost.Asio: one executor type, so that nothing is
// type-erased on the way of a request. Internal. RT: no.

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <exception>

namespace saferl::net {

namespace asio = boost::asio;
using boost::system::error_code;
using Executor = asio::io_context::executor_type;
using Socket = asio::basic_stream_socket<asio::ip::tcp, Executor>;
using Timer = asio::basic_waitable_timer<std::chrono::steady_clock,
                                         asio::wait_traits<std::chrono::steady_clock>, Executor>;
/// Rule of all that uses it: co_await stands alone in its statement. g++ 12 makes wrong code
/// of some loops and conditions that await.
template <class T>
using Task = asio::awaitable<T, Executor>;
constexpr asio::as_tuple_t<asio::use_awaitable_t<Executor>> kResult{};

/// What a task that was spawned ends with: an exception here is a bug, and is said.
void SayException(const std::exception_ptr& error);

}  // namespace saferl::net
