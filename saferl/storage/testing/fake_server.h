#pragma once
// A server that misbehaves: for each connection it runs a given function, one after the other, on
// a thread of its own. RT: no.

#include <atomic>
#include <functional>
#include <string>
#include <string_view>
#include <thread>

namespace saferl::storage::testing {

class FakeServer {
 public:
  /// One accepted connection; closed when `serve` returns.
  class Peer {
   public:
    explicit Peer(int fd, const std::atomic<bool>* stop) : fd_(fd), stop_(stop) {}
    /// What came next; empty when the client left or the server ends.
    std::string Receive() const;
    bool Send(std::string_view bytes) const;  ///< false: the client is gone, or the end
    /// Until the client leaves or the server ends.
    void Hang() const;

   private:
    const int fd_;
    const std::atomic<bool>* const stop_;
  };

  explicit FakeServer(std::function<void(const Peer& peer)> serve);
  ~FakeServer();
  FakeServer(const FakeServer&) = delete;
  FakeServer& operator=(const FakeServer&) = delete;
  int port() const { return port_; }
  int connections() const { return connections_; }

 private:
  void Run();
  const std::function<void(const Peer& peer)> serve_;
  int listener_ = -1, port_ = 0;
  std::atomic<bool> stop_ = false;
  std::atomic<int> connections_ = 0;
  std::thread thread_;
};

}  // namespace saferl::storage::testing
