// The bodies of Boost.Asio and Boost.Beast, compiled once (…_SEPARATE_COMPILATION).
#include <boost/asio/impl/src.hpp>
#include <boost/beast/src.hpp>
