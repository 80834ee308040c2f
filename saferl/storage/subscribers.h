#pragma once
// Who listens to which channel: the part of Cache::Subscribe that its adapters share.
//
// Dispatch runs on the adapter's one thread; Subscribe and the end of a subscription on any. When a
// subscription's destructor returns, its function neither runs nor will, unless that function is
// what destroys it. RT: no.

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "saferl/storage/cache.h"

namespace saferl::storage {

class Subscribers {
 public:
  using Receive = std::function<void(std::string_view message)>;

  struct Entry {
    std::recursive_mutex running;      ///< held while `receive` runs; recursive: it may end itself
    bool ended = false;                ///< under `running`
    std::atomic<bool> active = false;  ///< hears messages from when it is set
    Status refused;                    ///< what the adapter heard instead, under its own lock
    Receive receive;
  };
  using Listeners = std::vector<std::shared_ptr<Entry>>;

  /// `last` runs under the lock when a channel has no listener any more; may be empty.
  explicit Subscribers(std::function<void(const std::string& channel)> last = {});
  ~Subscribers();
  Subscribers(const Subscribers&) = delete;
  Subscribers& operator=(const Subscribers&) = delete;

  /// *entry: what the adapter sets active.
  std::unique_ptr<Cache::Subscription> Add(std::string_view channel, Receive receive,
                                           std::shared_ptr<Entry>* entry);
  /// Who listens now; Dispatch tells those of them that are active and have not ended.
  Listeners Of(std::string_view channel) const;
  static void Dispatch(const Listeners& listeners, std::string_view message);
  std::vector<std::string> Channels() const;

 private:
  struct Table;
  class Handle;
  std::shared_ptr<Table> table_;
};

}  // namespace saferl::storage
