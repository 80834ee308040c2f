#include "saferl/storage/resp.h"

#include <hiredis/hiredis.h>

#include <utility>

#include "saferl/base/text.h"

namespace saferl::storage {
namespace {

constexpr int kMaxElements = 1024;

/// Where a new value goes: into its parent's place, or onto the heap as the root.
RespValue* Place(const redisReadTask* task) {
  if (task->parent == nullptr) return new RespValue;
  auto* parent = static_cast<RespValue*>(task->parent->obj);
  return &parent->elements[static_cast<size_t>(task->idx)];
}

void* CreateString(const redisReadTask* task, char* data, size_t size) {
  RespValue* value = Place(task);
  value->kind = task->type == REDIS_REPLY_ERROR    ? RespValue::Kind::kError
                : task->type == REDIS_REPLY_STATUS ? RespValue::Kind::kText
                                                   : RespValue::Kind::kBytes;
  value->text.assign(data, size);
  return value;
}

void* CreateArray(const redisReadTask* task, int size) {
  if (size < 0 || size > kMaxElements) return nullptr;
  RespValue* value = Place(task);
  value->kind = RespValue::Kind::kArray;
  value->elements.resize(static_cast<size_t>(size));
  return value;
}

void* CreateInteger(const redisReadTask* task, long long integer) {
  RespValue* value = Place(task);
  value->kind = RespValue::Kind::kInteger;
  value->integer = integer;
  return value;
}

void* CreateNil(const redisReadTask* task) { return Place(task); }

void Free(void* root) { delete static_cast<RespValue*>(root); }

redisReplyObjectFunctions functions = {CreateString, CreateArray, CreateInteger, CreateNil, Free};

}  // namespace

std::string RespCommand(std::span<const std::string_view> words) {
  std::vector<const char*> data;
  std::vector<size_t> sizes;
  for (const std::string_view word : words) {
    data.push_back(word.data());
    sizes.push_back(word.size());
  }
  char* bytes = nullptr;
  const int size =
      redisFormatCommandArgv(&bytes, static_cast<int>(words.size()), data.data(), sizes.data());
  if (size < 0) throw std::bad_alloc();
  std::string command(bytes, static_cast<size_t>(size));
  redisFreeCommand(bytes);
  return command;
}

std::string RespCommand(std::initializer_list<std::string_view> words) {
  return RespCommand(std::span<const std::string_view>(words.begin(), words.size()));
}

struct RespReader::Impl {
  std::unique_ptr<redisReader, void (*)(redisReader*)> reader{
      redisReaderCreateWithFunctions(&functions), redisReaderFree};
};

RespReader::RespReader() : impl_(std::make_unique<Impl>()) {}
RespReader::~RespReader() = default;

void RespReader::Feed(std::string_view bytes) {
  redisReaderFeed(impl_->reader.get(), bytes.data(), bytes.size());
}

StatusOr<std::optional<RespValue>> RespReader::Next() {
  redisReader* reader = impl_->reader.get();
  void* root = nullptr;
  if (redisReaderGetReply(reader, &root) != REDIS_OK) {
    return absl::UnavailableError(Cat("not RESP: ", std::string_view(reader->errstr)));
  }
  if (root == nullptr) {
    if (reader->len - reader->pos > kMaxRespBytes) {
      return absl::UnavailableError(Cat("RESP: an answer beyond ", kMaxRespBytes, " bytes"));
    }
    return std::optional<RespValue>();
  }
  const std::unique_ptr<RespValue> value(static_cast<RespValue*>(root));
  return std::optional<RespValue>(std::move(*value));
}

bool RespReader::empty() const {
  const redisReader* reader = impl_->reader.get();
  return reader->pos == reader->len && reader->ridx == -1;
}

}  // namespace saferl::storage
