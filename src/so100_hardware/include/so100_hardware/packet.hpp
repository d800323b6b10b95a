// Framing of the servo bus: FF FF id length code parameters checksum, length = parameters + 2,
// checksum = ~(id + length + code + parameters). `code` is the instruction of a request, the error bits of a reply.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace so100 {

enum class Instruction : uint8_t {
  kPing = 1,
  kRead = 2,
  kWrite = 3,
  kRegWrite = 4,
  kAction = 5,
  kSyncRead = 0x82,
  kSyncWrite = 0x83,
};

constexpr uint8_t kHeaderByte = 0xFF;
constexpr uint8_t kBroadcastId = 0xFE;
constexpr std::size_t kOverheadBytes = 6;  // everything but the parameters
constexpr std::size_t kMaxParameters = 250;
constexpr std::size_t kMaxPacketBytes = kOverheadBytes + kMaxParameters;

uint8_t checksum(const uint8_t* from_id, std::size_t count) noexcept;

// Writes a packet of `count` <= kMaxParameters parameters to `out` (room for kOverheadBytes + count); returns its size.
std::size_t encode_packet(uint8_t id, uint8_t code, const uint8_t* parameters, std::size_t count,
                          uint8_t* out) noexcept;

// A packet inside a parser's buffer, valid until the parser's next push.
struct PacketView {
  uint8_t id;
  uint8_t code;
  const uint8_t* parameters;
  std::size_t count;
};

// Cuts a byte stream into packets. After garbage it looks for the next header one byte further on, so a packet that
// follows a false header is still found. No allocation.
class PacketParser {
 public:
  // Packets with more parameters than this are taken for garbage at once instead of being waited for.
  void expect_at_most(std::size_t parameters) noexcept { max_length_ = parameters + 2; }

  // Appends bytes; when they do not fit, the oldest go and count as discarded.
  void push(const uint8_t* bytes, std::size_t count) noexcept;

  // The next whole packet with a right checksum, or false when more bytes are needed.
  bool next(PacketView* packet) noexcept;

  // Gives up the packet that is being waited for and looks for another header behind its first byte.
  void skip() noexcept;
  void clear() noexcept;

  std::size_t pending() const noexcept { return end_ - begin_; }
  uint64_t discarded_bytes() const noexcept { return discarded_bytes_; }
  uint64_t checksum_errors() const noexcept { return checksum_errors_; }

 private:
  void drop_one() noexcept;

  std::array<uint8_t, 4 * kMaxPacketBytes> buffer_{};
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::size_t max_length_ = kMaxParameters + 2;
  uint64_t discarded_bytes_ = 0;
  uint64_t checksum_errors_ = 0;
};

}  // namespace so100
