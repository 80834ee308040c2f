#pragma once
// MCAP files: the container of decision logs. Writer and strict, bounded reader; own code, no
// library.
//
// Covers what a log needs: Header, Metadata, Schema, Channel, uncompressed Chunk with MessageIndex,
// DataEnd, summary (Statistics, ChunkIndex, MetadataIndex, SummaryOffset), Footer. The reader also
// takes files that others wrote, as long as their chunks are not compressed; it skips attachments
// and unknown opcodes, as the specification asks. Units: times in ns. RT: no. Errors:
// kInvalidArgument "<file>: byte <offset>: <problem>; <next step>" for anything malformed;
//   kDataLoss for a file that ends in mid-record (accept_truncated: reads what is whole).
// Source: mcap.dev/spec; docs/formats/decision_log.md says which part we use.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "saferl/base/status.h"

namespace saferl::control {

struct McapSchema {
  uint16_t id = 0;
  std::string name, encoding, data;
};

struct McapChannel {
  uint16_t id = 0;
  uint16_t schema_id = 0;  ///< 0 = none
  std::string topic, encoding;
  std::map<std::string, std::string> metadata;
};

/// A message as read: `data` stays valid until the next call of Next().
struct McapMessage {
  uint16_t channel_id = 0;
  uint32_t sequence = 0;
  uint64_t log_time_ns = 0;
  std::string_view data;
};

/// Writes one file, front to back. Every call may report the disk's error; Close() completes the
/// file.
class McapWriter {
 public:
  static StatusOr<std::unique_ptr<McapWriter>> Create(const std::string& path,
                                                      std::string_view profile,
                                                      std::string_view library);
  ~McapWriter();  ///< closes without reporting; a file that was not closed reads as truncated
  McapWriter(const McapWriter&) = delete;
  McapWriter& operator=(const McapWriter&) = delete;

  Status AddMetadata(std::string_view name, const std::map<std::string, std::string>& values);
  /// Ids count from 1 for schemas and from 0 for channels, in the order of the calls.
  uint16_t AddSchema(std::string_view name, std::string_view encoding, std::string_view data);
  uint16_t AddChannel(uint16_t schema_id, std::string_view topic, std::string_view encoding);
  Status Write(uint16_t channel_id, uint32_t sequence, uint64_t time_ns, std::string_view data);
  /// Ends the chunk so that all that was written so far is on its way to the disk.
  Status Flush();
  Status Close();
  uint64_t bytes() const;

 private:
  McapWriter();
  struct State;
  std::unique_ptr<State> state_;
};

struct McapReadOptions {
  bool accept_truncated = false;
};

/// Reads messages front to back.
class McapReader {
 public:
  static StatusOr<std::unique_ptr<McapReader>> Open(const std::string& path,
                                                    const McapReadOptions& options = {});
  /// The same over bytes in memory, which must outlive the reader.
  static StatusOr<std::unique_ptr<McapReader>> OpenBytes(std::string_view bytes,
                                                         std::string_view name,
                                                         const McapReadOptions& options = {});
  ~McapReader();
  McapReader(const McapReader&) = delete;
  McapReader& operator=(const McapReader&) = delete;

  /// The next message; false at a proper end. Once it failed it keeps failing.
  StatusOr<bool> Next(McapMessage* message);
  /// What has been declared so far; complete after Next() returned false.
  const std::vector<McapSchema>& schemas() const;
  const std::vector<McapChannel>& channels() const;
  const McapChannel* channel(uint16_t id) const;
  /// Merged Metadata records by name.
  const std::map<std::string, std::map<std::string, std::string>>& metadata() const;
  uint64_t messages_read() const;
  bool truncated() const;  ///< accept_truncated was needed

 private:
  McapReader();
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace saferl::control
