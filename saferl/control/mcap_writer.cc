#include <cerrno>
#include <cstdio>

#include "saferl/base/file.h"
#include "saferl/base/text.h"
#include "saferl/control/crc32.h"
#include "saferl/control/mcap.h"
#include "saferl/control/mcap_format.h"

namespace saferl::control {

namespace {

using mcap::Op;
using mcap::Packer;

constexpr size_t kChunkBytes = size_t{1} << 20;

struct IndexEntry {
  uint64_t time_ns = 0, offset = 0;
};

struct ChunkIndex {
  uint64_t first_ns = 0, last_ns = 0, start = 0, length = 0, index_length = 0, size = 0;
  std::map<uint16_t, uint64_t> index_offset;
};

struct MetadataPlace {
  uint64_t offset = 0, length = 0;
  std::string name;
};

std::string Record(Op op, std::string_view content) {
  std::string record;
  Packer(&record).Put(static_cast<uint8_t>(op)).Put(static_cast<uint64_t>(content.size()));
  record.append(content);
  return record;
}

std::string SchemaRecord(const McapSchema& schema) {
  std::string content;
  Packer(&content).Put(schema.id).Text(schema.name).Text(schema.encoding).Text(schema.data);
  return Record(Op::kSchema, content);
}

std::string ChannelRecord(const McapChannel& channel) {
  std::string content;
  Packer pack(&content);
  pack.Put(channel.id).Put(channel.schema_id).Text(channel.topic).Text(channel.encoding);
  pack.Map(channel.metadata);
  return Record(Op::kChannel, content);
}

}  // namespace

struct McapWriter::State {
  std::FILE* file = nullptr;
  std::string path;
  uint64_t offset = 0;
  uint32_t crc = 0;
  std::string chunk;
  uint64_t chunk_first_ns = UINT64_MAX, chunk_last_ns = 0;
  std::map<uint16_t, std::vector<IndexEntry>> chunk_messages;
  std::vector<McapSchema> schemas;
  std::vector<McapChannel> channels;
  std::vector<ChunkIndex> chunks;
  std::vector<MetadataPlace> metadata;
  std::map<uint16_t, uint64_t> counts;
  uint64_t first_ns = UINT64_MAX, last_ns = 0, messages = 0;

  Status Put(std::string_view bytes) {
    if (std::fwrite(bytes.data(), 1, bytes.size(), file) != bytes.size())
      return ErrnoStatus(errno, path, "cannot write the log");
    offset += bytes.size();
    crc = Crc32(crc, bytes.data(), bytes.size());
    return absl::OkStatus();
  }
  Status EndChunk();
  std::string ChunkIndexRecord(const ChunkIndex& index) const;
  std::string StatisticsRecord() const;
};

McapWriter::McapWriter() : state_(std::make_unique<State>()) {}

McapWriter::~McapWriter() {
  if (state_->file != nullptr) std::fclose(state_->file);
}

StatusOr<std::unique_ptr<McapWriter>> McapWriter::Create(const std::string& path,
                                                         std::string_view profile,
                                                         std::string_view library) {
  std::unique_ptr<McapWriter> writer(new McapWriter());
  State& state = *writer->state_;
  state.path = path;
  state.file = std::fopen(path.c_str(), "wbe");
  if (state.file == nullptr) return ErrnoStatus(errno, path, "cannot create the log");
  std::string content;
  Packer(&content).Text(profile).Text(library);
  SAFERL_RETURN_IF_ERROR(state.Put(mcap::kMagic));
  SAFERL_RETURN_IF_ERROR(state.Put(Record(Op::kHeader, content)));
  return writer;
}

uint64_t McapWriter::bytes() const { return state_->offset; }

Status McapWriter::AddMetadata(std::string_view name,
                               const std::map<std::string, std::string>& values) {
  SAFERL_RETURN_IF_ERROR(state_->EndChunk());
  std::string content;
  Packer(&content).Text(name).Map(values);
  const std::string record = Record(Op::kMetadata, content);
  state_->metadata.push_back({state_->offset, record.size(), std::string(name)});
  return state_->Put(record);
}

uint16_t McapWriter::AddSchema(std::string_view name, std::string_view encoding,
                               std::string_view data) {
  const auto id = static_cast<uint16_t>(state_->schemas.size() + 1);
  state_->schemas.push_back({id, std::string(name), std::string(encoding), std::string(data)});
  state_->chunk += SchemaRecord(state_->schemas.back());
  return id;
}

uint16_t McapWriter::AddChannel(uint16_t schema_id, std::string_view topic,
                                std::string_view encoding) {
  const auto id = static_cast<uint16_t>(state_->channels.size());
  state_->channels.push_back({id, schema_id, std::string(topic), std::string(encoding), {}});
  state_->chunk += ChannelRecord(state_->channels.back());
  return id;
}

Status McapWriter::Write(uint16_t channel_id, uint32_t sequence, uint64_t time_ns,
                         std::string_view data) {
  State& state = *state_;
  const uint64_t length = 22 + data.size();
  if (length > mcap::kMaxRecordBytes / 2)
    return absl::InvalidArgumentError(
        Cat(state.path, ": a message of ", data.size(), " bytes is too long"));
  state.chunk_messages[channel_id].push_back({time_ns, state.chunk.size()});
  Packer pack(&state.chunk);
  pack.Put(static_cast<uint8_t>(Op::kMessage)).Put(length);
  pack.Put(channel_id).Put(sequence).Put(time_ns).Put(time_ns);
  state.chunk.append(data);
  state.chunk_first_ns = std::min(state.chunk_first_ns, time_ns);
  state.chunk_last_ns = std::max(state.chunk_last_ns, time_ns);
  ++state.counts[channel_id];
  ++state.messages;
  return state.chunk.size() >= kChunkBytes ? state.EndChunk() : absl::OkStatus();
}

Status McapWriter::State::EndChunk() {
  if (chunk.empty()) return absl::OkStatus();
  const bool any = !chunk_messages.empty();
  ChunkIndex index;
  index.first_ns = any ? chunk_first_ns : 0;
  index.last_ns = any ? chunk_last_ns : 0;
  index.start = offset;
  index.size = chunk.size();
  std::string content;
  Packer pack(&content);
  pack.Put(index.first_ns)
      .Put(index.last_ns)
      .Put(index.size)
      .Put(Crc32(0, chunk.data(), chunk.size()));
  pack.Text("").Put(index.size);
  content += chunk;
  SAFERL_RETURN_IF_ERROR(Put(Record(Op::kChunk, content)));
  index.length = offset - index.start;
  const uint64_t index_start = offset;
  for (const auto& [channel, entries] : chunk_messages) {
    index.index_offset[channel] = offset;
    std::string record;
    Packer out(&record);
    out.Put(channel).Put(static_cast<uint32_t>(16 * entries.size()));
    for (const IndexEntry& entry : entries) out.Put(entry.time_ns).Put(entry.offset);
    SAFERL_RETURN_IF_ERROR(Put(Record(Op::kMessageIndex, record)));
  }
  index.index_length = offset - index_start;
  if (any) {
    first_ns = std::min(first_ns, index.first_ns);
    last_ns = std::max(last_ns, index.last_ns);
  }
  chunks.push_back(std::move(index));
  chunk.clear();
  chunk_messages.clear();
  chunk_first_ns = UINT64_MAX;
  chunk_last_ns = 0;
  return absl::OkStatus();
}

std::string McapWriter::State::ChunkIndexRecord(const ChunkIndex& index) const {
  std::string content;
  Packer pack(&content);
  pack.Put(index.first_ns).Put(index.last_ns).Put(index.start).Put(index.length);
  pack.Put(static_cast<uint32_t>(10 * index.index_offset.size()));
  for (const auto& [channel, place] : index.index_offset) pack.Put(channel).Put(place);
  pack.Put(index.index_length).Text("").Put(index.size).Put(index.size);
  return Record(Op::kChunkIndex, content);
}

std::string McapWriter::State::StatisticsRecord() const {
  std::string content;
  Packer pack(&content);
  pack.Put(messages)
      .Put(static_cast<uint16_t>(schemas.size()))
      .Put(static_cast<uint32_t>(channels.size()));
  pack.Put(uint32_t{0})
      .Put(static_cast<uint32_t>(metadata.size()))
      .Put(static_cast<uint32_t>(chunks.size()));
  pack.Put(messages > 0 ? first_ns : 0).Put(last_ns);
  pack.Put(static_cast<uint32_t>(10 * counts.size()));
  for (const auto& [channel, count] : counts) pack.Put(channel).Put(count);
  return Record(Op::kStatistics, content);
}

Status McapWriter::Flush() {
  SAFERL_RETURN_IF_ERROR(state_->EndChunk());
  if (std::fflush(state_->file) != 0)
    return ErrnoStatus(errno, state_->path, "cannot flush the log");
  return absl::OkStatus();
}

Status McapWriter::Close() {
  State& state = *state_;
  if (state.file == nullptr) return absl::OkStatus();
  SAFERL_RETURN_IF_ERROR(state.EndChunk());
  std::string end;
  Packer(&end).Put(state.crc);
  SAFERL_RETURN_IF_ERROR(state.Put(Record(Op::kDataEnd, end)));

  const uint64_t summary_start = state.offset;
  std::string summary, offsets;
  const auto group = [&](Op op, const std::string& records) {
    if (records.empty()) return;
    std::string content;
    Packer(&content).Put(static_cast<uint8_t>(op)).Put(summary_start + summary.size());
    Packer(&content).Put(static_cast<uint64_t>(records.size()));
    offsets += Record(Op::kSummaryOffset, content);
    summary += records;
  };
  std::string schemas, channels, chunks, metadata;
  for (const McapSchema& schema : state.schemas) schemas += SchemaRecord(schema);
  for (const McapChannel& channel : state.channels) channels += ChannelRecord(channel);
  for (const ChunkIndex& index : state.chunks) chunks += state.ChunkIndexRecord(index);
  for (const MetadataPlace& place : state.metadata) {
    std::string content;
    Packer(&content).Put(place.offset).Put(place.length).Text(place.name);
    metadata += Record(Op::kMetadataIndex, content);
  }
  group(Op::kSchema, schemas);
  group(Op::kChannel, channels);
  group(Op::kStatistics, state.StatisticsRecord());
  group(Op::kChunkIndex, chunks);
  group(Op::kMetadataIndex, metadata);

  const uint64_t summary_offset_start = summary_start + summary.size();
  summary += offsets;
  Packer pack(&summary);
  pack.Put(static_cast<uint8_t>(Op::kFooter)).Put(uint64_t{20});
  pack.Put(summary_start).Put(summary_offset_start);
  pack.Put(Crc32(0, summary.data(), summary.size()));
  summary.append(mcap::kMagic);
  Status status = state.Put(summary);
  if (std::fclose(state.file) != 0 && status.ok())
    status = ErrnoStatus(errno, state.path, "cannot close the log");
  state.file = nullptr;
  return status;
}

}  // namespace saferl::control
