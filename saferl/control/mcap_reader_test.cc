// A log of another program, or a damaged one: what is wrong and at which byte.
#include <gtest/gtest.h>

#include "saferl/control/mcap.h"
#include "saferl/control/mcap_format.h"

namespace saferl::control {
namespace {

using mcap::Op;
using mcap::Packer;

std::string Record(Op op, std::string_view content) {
  std::string out;
  Packer(&out).Put(static_cast<uint8_t>(op)).Put(uint64_t{content.size()});
  return out.append(content);
}

/// A file that begins as it should, then `records`.
std::string File(std::string_view records) {
  std::string header;
  Packer(&header).Text("").Text("test");
  return std::string(mcap::kMagic) + Record(Op::kHeader, header) + std::string(records);
}

/// What reading it to its end says; empty when it is fine.
std::string Problem(std::string_view file) {
  const auto reader = McapReader::OpenBytes(file, "f.mcap");
  if (!reader.ok()) return std::string(reader.status().message());
  McapMessage message;
  while (true) {
    const StatusOr<bool> next = (*reader)->Next(&message);
    if (!next.ok()) {
      EXPECT_EQ((*reader)->Next(&message).status(), next.status()) << "it must keep failing";
      return std::string(next.status().message());
    }
    if (!*next) return "";
  }
}

std::string Schema(uint16_t id) {
  std::string out;
  Packer(&out).Put(id).Text("n").Text("e").Text("d");
  return out;
}
std::string Channel(uint16_t id) {
  std::string out;
  Packer(&out).Put(id).Put(uint16_t{0}).Text("/t").Text("e").Map({{"k", "v"}});
  return out;
}
std::string Message(uint16_t channel, std::string_view data) {
  std::string out;
  Packer(&out).Put(channel).Put(uint32_t{7}).Put(uint64_t{42}).Put(uint64_t{43});
  return out.append(data);
}
std::string Chunk(std::string_view records, std::string_view compression = "", uint64_t raw = 0) {
  std::string out;
  Packer(&out).Put(uint64_t{0}).Put(uint64_t{0}).Put(raw == 0 ? uint64_t{records.size()} : raw);
  Packer(&out).Put(uint32_t{0}).Text(compression).Put(uint64_t{records.size()});
  return out.append(records);
}
std::string End() {
  std::string data_end, footer;
  Packer(&data_end).Put(uint32_t{0});
  Packer(&footer).Put(uint64_t{0}).Put(uint64_t{0}).Put(uint32_t{0});
  return Record(Op::kDataEnd, data_end) + Record(Op::kFooter, footer) + std::string(mcap::kMagic);
}

TEST(McapReader, ReadsMessagesInsideAndOutsideOfChunksAndSkipsWhatItDoesNotKnow) {
  const std::string inside =
      Record(Op::kChannel, Channel(3)) + Record(Op::kMessage, Message(3, "a"));
  const std::string file =
      File(Record(Op::kSchema, Schema(1)) + Record(Op::kSchema, Schema(1)) +
           Record(Op::kChunk, Chunk(inside)) + Record(Op::kMessage, Message(3, "b")) +
           Record(Op::kAttachment, "?") + Record(static_cast<Op>(0x77), "newer") + End());
  const auto reader = McapReader::OpenBytes(file, "f.mcap");
  ASSERT_TRUE(reader.ok()) << reader.status();
  McapMessage message;
  std::string seen;
  while (*(*reader)->Next(&message)) seen += message.data;
  EXPECT_EQ(seen, "ab");
  EXPECT_EQ((*reader)->messages_read(), 2U);
  EXPECT_EQ((*reader)->channels().size(), 1U);
  EXPECT_EQ((*reader)->channel(3)->metadata.at("k"), "v");
  EXPECT_EQ((*reader)->channel(4), nullptr);
  EXPECT_FALSE((*reader)->truncated());
}

TEST(McapReader, EachDamagedRecordIsSaidWithItsByte) {
  const struct {
    std::string records;
    const char* says;
  } cases[] = {
      {Record(Op::kSchema, "x"), "a schema record is too short"},
      {Record(Op::kSchema, Schema(0)), "schema id 0 is reserved"},
      {Record(Op::kChannel, "xy"), "a channel record is too short"},
      {Record(Op::kMetadata, "x"), "a metadata record is too short"},
      {Record(Op::kMessage, "x"), "a message record is too short"},
      {Record(Op::kMessage, Message(9, "")), "a message on channel 9, which was not declared"},
      {Record(Op::kChunk, "x"), "a chunk record is too short"},
      {Record(Op::kChunk, Chunk("", "zstd")), "the chunk is compressed (zstd)"},
      {Record(Op::kChunk, Chunk("abc", "", 99)), "a chunk's sizes disagree"},
      {Record(Op::kChunk, Chunk("abc")), "a record runs over the end of its chunk"},
      {Record(Op::kChunk, Chunk(Record(Op::kFooter, ""))), "opcode 2 inside a chunk"},
      {Record(Op::kHeader, ""), "a record in the wrong place"},
      {Record(Op::kFooter, ""), "a record in the wrong place"},
      {Record(Op::kDataEnd, "x"), "DataEnd is too short"},
      {Record(Op::kDataEnd, std::string(4, '\0')) + Record(Op::kFooter, "x"),
       "the footer has the wrong size"},
      {Record(Op::kDataEnd, std::string("\1\0\0\0", 4)), "the CRC of the data section"},
      {Record(static_cast<Op>(0), ""), "opcode 0"},
      {End() + "more", "does not end with the footer"},
  };
  for (const auto& one : cases) {
    const std::string problem = Problem(File(one.records));
    EXPECT_NE(problem.find(one.says), std::string::npos) << one.says << ": " << problem;
    EXPECT_NE(problem.find("f.mcap: byte "), std::string::npos) << problem;
  }
  EXPECT_EQ(Problem(File(End())), "");
  std::string huge;
  Packer(&huge).Put(static_cast<uint8_t>(Op::kSchema)).Put(mcap::kMaxRecordBytes + 1);
  EXPECT_NE(Problem(File(huge)).find("over the limit of 64 MiB"), std::string::npos);
  EXPECT_NE(Problem(std::string(mcap::kMagic) + Record(Op::kSchema, Schema(1)))
                .find("the first record is not a header"),
            std::string::npos);
  EXPECT_NE(Problem("\x89PNG").find("not an MCAP file"), std::string::npos);
}

TEST(McapReader, AFolderIsNoLog) {
  const Status status = McapReader::Open(testing::TempDir()).status();
  EXPECT_NE(status.message().find("not a regular file"), std::string_view::npos) << status;
}

}  // namespace
}  // namespace saferl::control
