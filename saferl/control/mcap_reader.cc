#include <sys/stat.h>
#include <cerrno>
#include <cstdio>

#include "saferl/base/file.h"
#include "saferl/base/text.h"
#include "saferl/control/crc32.h"
#include "saferl/control/mcap.h"
#include "saferl/control/mcap_format.h"

namespace saferl::control {

using mcap::Op;
using mcap::Unpacker;

struct McapReader::State {
  std::FILE* file = nullptr;  // or
  std::string_view bytes;     // memory
  std::string name;
  McapReadOptions options;
  uint64_t size = 0, offset = 0;
  uint32_t crc = 0;           // of everything read so far
  std::string record;         // the record in hand
  std::string_view chunk;     // what is left of the chunk in hand, inside `record`
  uint64_t chunk_offset = 0;  // of its first byte in the file
  std::vector<McapSchema> schemas;
  std::vector<McapChannel> channels;
  std::vector<bool> known;  // channel ids seen
  std::map<std::string, std::map<std::string, std::string>> metadata;
  uint64_t messages = 0;
  bool truncated = false, ended = false;
  Status failed;

  Status Bad(uint64_t at, std::string_view problem) const {
    return absl::InvalidArgumentError(Cat(name, ": byte ", at, ": ", problem,
                                          "; the file is damaged or not a log: record it again"));
  }
  Status Truncated(uint64_t at) const {
    return absl::DataLossError(
        Cat(name, ": byte ", at, ": the file ends in mid-record; ", messages,
            " messages before it are intact; read these with --truncated, or "
            "copy the file again"));
  }
  Status Begin();
  Status Read(uint64_t count, std::string* out);
  Status ReadRecord(Op* op);
  Status Handle(Op op, std::string_view content, uint64_t at);
  Status AddSchema(std::string_view content, uint64_t at);
  Status AddChannel(std::string_view content, uint64_t at);
  Status OpenChunk(std::string_view content, uint64_t at);
  Status Finish(uint64_t data_end_offset, uint32_t crc_before, std::string_view content);
  StatusOr<bool> FromChunk(McapMessage* message);
  Status ParseMessage(std::string_view content, uint64_t at, McapMessage* message);
  StatusOr<bool> Next(McapMessage* message);
};

McapReader::McapReader() : state_(std::make_unique<State>()) {}
McapReader::~McapReader() {
  if (state_->file != nullptr) std::fclose(state_->file);
}
const std::vector<McapSchema>& McapReader::schemas() const { return state_->schemas; }
const std::vector<McapChannel>& McapReader::channels() const { return state_->channels; }
const std::map<std::string, std::map<std::string, std::string>>& McapReader::metadata() const {
  return state_->metadata;
}
uint64_t McapReader::messages_read() const { return state_->messages; }
bool McapReader::truncated() const { return state_->truncated; }
const McapChannel* McapReader::channel(uint16_t id) const {
  for (const McapChannel& channel : state_->channels)
    if (channel.id == id) return &channel;
  return nullptr;
}

StatusOr<std::unique_ptr<McapReader>> McapReader::Open(const std::string& path,
                                                       const McapReadOptions& options) {
  std::unique_ptr<McapReader> reader(new McapReader());
  State& state = *reader->state_;
  state.name = path;
  state.options = options;
  state.file = std::fopen(path.c_str(), "rbe");
  if (state.file == nullptr) return ErrnoStatus(errno, path, "cannot open the log");
  struct stat status{};
  if (fstat(fileno(state.file), &status) != 0 || !S_ISREG(status.st_mode))
    return absl::InvalidArgumentError(
        Cat(path, ": not a regular file; give the path of a .mcap log"));
  state.size = static_cast<uint64_t>(status.st_size);
  SAFERL_RETURN_IF_ERROR(state.Begin());
  return reader;
}

StatusOr<std::unique_ptr<McapReader>> McapReader::OpenBytes(std::string_view bytes,
                                                            std::string_view name,
                                                            const McapReadOptions& options) {
  std::unique_ptr<McapReader> reader(new McapReader());
  State& state = *reader->state_;
  state.name = name;
  state.options = options;
  state.bytes = bytes;
  state.size = bytes.size();
  SAFERL_RETURN_IF_ERROR(state.Begin());
  return reader;
}

Status McapReader::State::Begin() {
  std::string magic;
  if (size < mcap::kMagic.size() || !Read(mcap::kMagic.size(), &magic).ok() ||
      magic != mcap::kMagic)
    return absl::InvalidArgumentError(
        Cat(name, ": byte 0: not an MCAP file; give the path of a .mcap log"));
  Op op{};
  SAFERL_RETURN_IF_ERROR(ReadRecord(&op));
  return op == Op::kHeader ? absl::OkStatus()
                           : Bad(mcap::kMagic.size(), "the first record is not a header");
}

/// Reads exactly `count` bytes at the current offset; kDataLoss when the file has fewer.
Status McapReader::State::Read(uint64_t count, std::string* out) {
  if (count > size - offset) return Truncated(offset);
  if (file == nullptr) {
    out->assign(bytes.substr(offset, count));
  } else {
    out->resize(count);
    if (std::fread(out->data(), 1, count, file) != count)
      return std::ferror(file) != 0 ? ErrnoStatus(errno, name, "cannot read the log")
                                    : Truncated(offset);
  }
  offset += count;
  crc = Crc32(crc, out->data(), out->size());
  return absl::OkStatus();
}

Status McapReader::State::ReadRecord(Op* op) {
  const uint64_t at = offset;
  std::string head;
  SAFERL_RETURN_IF_ERROR(Read(mcap::kRecordHead, &head));
  uint8_t code = 0;
  uint64_t length = 0;
  Unpacker unpack(head);
  unpack.Get(&code);
  unpack.Get(&length);
  if (code == 0) return Bad(at, "opcode 0");
  if (length > mcap::kMaxRecordBytes)
    return Bad(at, Cat("a record of ", length, " bytes is over the limit of 64 MiB"));
  *op = static_cast<Op>(code);
  return Read(length, &record);
}

Status McapReader::State::AddSchema(std::string_view content, uint64_t at) {
  McapSchema schema;
  Unpacker unpack(content);
  if (!unpack.Get(&schema.id) || !unpack.Text(&schema.name) || !unpack.Text(&schema.encoding) ||
      !unpack.Text(&schema.data))
    return Bad(at, "a schema record is too short");
  if (schema.id == 0) return Bad(at, "schema id 0 is reserved");
  for (const McapSchema& other : schemas)
    if (other.id == schema.id) return absl::OkStatus();
  schemas.push_back(std::move(schema));
  return absl::OkStatus();
}

Status McapReader::State::AddChannel(std::string_view content, uint64_t at) {
  McapChannel channel;
  Unpacker unpack(content);
  if (!unpack.Get(&channel.id) || !unpack.Get(&channel.schema_id) || !unpack.Text(&channel.topic) ||
      !unpack.Text(&channel.encoding) || !unpack.Map(&channel.metadata))
    return Bad(at, "a channel record is too short");
  if (known.size() <= channel.id) known.resize(size_t{channel.id} + 1);
  if (known[channel.id]) return absl::OkStatus();
  known[channel.id] = true;
  channels.push_back(std::move(channel));
  return absl::OkStatus();
}

Status McapReader::State::OpenChunk(std::string_view content, uint64_t at) {
  uint64_t first = 0, last = 0, raw = 0, stored = 0;
  uint32_t wanted = 0;
  std::string compression;
  Unpacker unpack(content);
  if (!unpack.Get(&first) || !unpack.Get(&last) || !unpack.Get(&raw) || !unpack.Get(&wanted) ||
      !unpack.Text(&compression) || !unpack.Get(&stored) || !unpack.Bytes(stored, &chunk))
    return Bad(at, "a chunk record is too short");
  if (!compression.empty())
    return absl::InvalidArgumentError(
        Cat(name, ": byte ", at, ": the chunk is compressed (", compression,
            "); saferl logs are not: convert with 'mcap compress --compression none'"));
  if (raw != stored || !unpack.empty()) return Bad(at, "a chunk's sizes disagree");
  if (wanted != 0 && wanted != Crc32(0, chunk.data(), chunk.size()))
    return Bad(at, "a chunk's CRC does not match");
  chunk_offset = at + mcap::kRecordHead + (content.size() - chunk.size());
  return absl::OkStatus();
}

Status McapReader::State::Finish(uint64_t at, uint32_t crc_before, std::string_view content) {
  uint32_t wanted = 0;
  if (!Unpacker(content).Get(&wanted)) return Bad(at, "DataEnd is too short");
  if (wanted != 0 && wanted != crc_before)
    return Bad(at, "the CRC of the data section does not match");
  const uint64_t summary_start = offset;
  uint32_t summary_crc = 0;  // up to the footer's own CRC field
  for (;;) {
    const uint64_t record_at = offset;
    crc = summary_crc;
    Op op{};
    SAFERL_RETURN_IF_ERROR(ReadRecord(&op));
    if (op != Op::kFooter) {
      summary_crc = crc;
      continue;
    }
    uint64_t start = 0, offsets = 0;
    uint32_t footer_crc = 0;
    Unpacker unpack(record);
    if (!unpack.Get(&start) || !unpack.Get(&offsets) || !unpack.Get(&footer_crc) || !unpack.empty())
      return Bad(record_at, "the footer has the wrong size");
    std::string covered;  // the footer up to its CRC field
    mcap::Packer(&covered).Put(static_cast<uint8_t>(op)).Put(uint64_t{20}).Put(start).Put(offsets);
    if (footer_crc != 0 && footer_crc != Crc32(summary_crc, covered.data(), covered.size()))
      return Bad(record_at, "the CRC of the summary does not match");
    if (start != 0 && start != summary_start)
      return Bad(record_at, "the footer points elsewhere than the summary");
    std::string magic;
    SAFERL_RETURN_IF_ERROR(Read(mcap::kMagic.size(), &magic));
    if (magic != mcap::kMagic || offset != size)
      return Bad(record_at, "the file does not end with the footer");
    ended = true;
    return absl::OkStatus();
  }
}

Status McapReader::State::Handle(Op op, std::string_view content, uint64_t at) {
  switch (op) {
    case Op::kSchema:
      return AddSchema(content, at);
    case Op::kChannel:
      return AddChannel(content, at);
    case Op::kChunk:
      return OpenChunk(content, at);
    case Op::kMetadata: {
      std::string key;
      std::map<std::string, std::string> values;
      Unpacker unpack(content);
      if (!unpack.Text(&key) || !unpack.Map(&values))
        return Bad(at, "a metadata record is too short");
      metadata[key].merge(values);
      return absl::OkStatus();
    }
    case Op::kHeader:
    case Op::kFooter:
      return Bad(at, "a record in the wrong place");
    default:
      return absl::OkStatus();  // indexes, attachments, newer records: skipped, as the
                                // specification asks
  }
}

Status McapReader::State::ParseMessage(std::string_view content, uint64_t at,
                                       McapMessage* message) {
  uint64_t publish_time = 0;
  Unpacker unpack(content);
  if (!unpack.Get(&message->channel_id) || !unpack.Get(&message->sequence) ||
      !unpack.Get(&message->log_time_ns) || !unpack.Get(&publish_time))
    return Bad(at, "a message record is too short");
  if (message->channel_id >= known.size() || !known[message->channel_id])
    return Bad(at, Cat("a message on channel ", message->channel_id, ", which was not declared"));
  message->data = content.substr(content.size() - unpack.size());
  ++messages;
  return absl::OkStatus();
}

StatusOr<bool> McapReader::State::FromChunk(McapMessage* message) {
  while (!chunk.empty()) {
    const uint64_t at = chunk_offset;
    Unpacker unpack(chunk);
    uint8_t code = 0;
    uint64_t length = 0;
    std::string_view content;
    if (!unpack.Get(&code) || !unpack.Get(&length) || !unpack.Bytes(length, &content))
      return Bad(at, "a record runs over the end of its chunk");
    chunk.remove_prefix(mcap::kRecordHead + content.size());
    chunk_offset += mcap::kRecordHead + content.size();
    const Op op = static_cast<Op>(code);
    if (op == Op::kMessage) {
      SAFERL_RETURN_IF_ERROR(ParseMessage(content, at, message));
      return true;
    }
    if (op != Op::kSchema && op != Op::kChannel)
      return Bad(at, Cat("opcode ", code, " inside a chunk"));
    SAFERL_RETURN_IF_ERROR(Handle(op, content, at));
  }
  return false;
}

StatusOr<bool> McapReader::State::Next(McapMessage* message) {
  while (!ended) {
    SAFERL_ASSIGN_OR_RETURN(const bool found, FromChunk(message));
    if (found) return true;
    const uint64_t at = offset;
    const uint32_t crc_before = crc;
    Op op{};
    SAFERL_RETURN_IF_ERROR(ReadRecord(&op));
    if (op == Op::kMessage) {
      SAFERL_RETURN_IF_ERROR(ParseMessage(record, at, message));
      return true;
    }
    SAFERL_RETURN_IF_ERROR(op == Op::kDataEnd ? Finish(at, crc_before, record)
                                              : Handle(op, record, at));
  }
  return false;
}

StatusOr<bool> McapReader::Next(McapMessage* message) {
  State& state = *state_;
  SAFERL_RETURN_IF_ERROR(state.failed);
  StatusOr<bool> next = state.Next(message);
  if (next.ok()) return next;
  if (absl::IsDataLoss(next.status()) && state.options.accept_truncated) {
    state.truncated = state.ended = true;
    return false;
  }
  state.failed = next.status();
  return next;
}

}  // namespace saferl::control
