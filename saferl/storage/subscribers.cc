#include "saferl/storage/subscribers.h"

#include <utility>

namespace saferl::storage {

struct Subscribers::Table {
  mutable std::mutex mutex;
  std::map<std::string, Listeners, std::less<>> channels;
  std::function<void(const std::string&)> last;
};

class Subscribers::Handle final : public Cache::Subscription {
 public:
  Handle(std::shared_ptr<Table> table, std::string channel, std::shared_ptr<Entry> entry)
      : table_(std::move(table)), channel_(std::move(channel)), entry_(std::move(entry)) {}
  ~Handle() override {
    {
      const std::lock_guard<std::mutex> lock(table_->mutex);
      const auto found = table_->channels.find(channel_);
      if (found != table_->channels.end()) {
        std::erase(found->second, entry_);
        if (found->second.empty()) {
          table_->channels.erase(found);
          if (table_->last) table_->last(channel_);
        }
      }
    }
    const std::lock_guard<std::recursive_mutex> lock(entry_->running);
    entry_->ended = true;
  }

 private:
  std::shared_ptr<Table> table_;
  std::string channel_;
  std::shared_ptr<Entry> entry_;
};

Subscribers::Subscribers(std::function<void(const std::string&)> last)
    : table_(std::make_shared<Table>()) {
  table_->last = std::move(last);
}

Subscribers::~Subscribers() {
  const std::lock_guard<std::mutex> lock(table_->mutex);
  table_->last = {};  // a handle that outlives its cache tells nobody
}

std::unique_ptr<Cache::Subscription> Subscribers::Add(std::string_view channel, Receive receive,
                                                      std::shared_ptr<Entry>* entry) {
  *entry = std::make_shared<Entry>();
  (*entry)->receive = std::move(receive);
  std::string name(channel);
  const std::lock_guard<std::mutex> lock(table_->mutex);
  table_->channels[name].push_back(*entry);
  return std::make_unique<Handle>(table_, std::move(name), *entry);
}

Subscribers::Listeners Subscribers::Of(std::string_view channel) const {
  const std::lock_guard<std::mutex> lock(table_->mutex);
  const auto found = table_->channels.find(channel);
  return found == table_->channels.end() ? Listeners() : found->second;
}

void Subscribers::Dispatch(const Listeners& listeners, std::string_view message) {
  for (const std::shared_ptr<Entry>& entry : listeners) {
    const std::lock_guard<std::recursive_mutex> lock(entry->running);
    if (entry->active && !entry->ended) entry->receive(message);
  }
}

std::vector<std::string> Subscribers::Channels() const {
  const std::lock_guard<std::mutex> lock(table_->mutex);
  std::vector<std::string> names;
  for (const auto& [name, listeners] : table_->channels) names.push_back(name);
  return names;
}

}  // namespace saferl::storage
