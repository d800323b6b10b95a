#include "so100_hardware/packet.hpp"

#include <cstring>

namespace so100 {

uint8_t checksum(const uint8_t* from_id, std::size_t count) noexcept {
  uint8_t sum = 0;
  for (std::size_t i = 0; i < count; ++i) sum = static_cast<uint8_t>(sum + from_id[i]);
  return static_cast<uint8_t>(~sum);
}

std::size_t encode_packet(uint8_t id, uint8_t code, const uint8_t* parameters, std::size_t count,
                          uint8_t* out) noexcept {
  out[0] = out[1] = kHeaderByte;
  out[2] = id;
  out[3] = static_cast<uint8_t>(count + 2);
  out[4] = code;
  if (count > 0) std::memcpy(out + 5, parameters, count);
  out[5 + count] = checksum(out + 2, count + 3);
  return kOverheadBytes + count;
}

void PacketParser::push(const uint8_t* bytes, std::size_t count) noexcept {
  if (count > buffer_.size()) {
    discarded_bytes_ += count - buffer_.size();
    bytes += count - buffer_.size();
    count = buffer_.size();
  }
  if (end_ + count > buffer_.size()) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
    if (end_ + count > buffer_.size()) {
      const std::size_t overflow = end_ + count - buffer_.size();
      std::memmove(buffer_.data(), buffer_.data() + overflow, end_ - overflow);
      end_ -= overflow;
      discarded_bytes_ += overflow;
    }
  }
  std::memcpy(buffer_.data() + end_, bytes, count);
  end_ += count;
}

bool PacketParser::next(PacketView* packet) noexcept {
  while (pending() >= 2) {
    const uint8_t* p = buffer_.data() + begin_;
    if (p[0] != kHeaderByte || p[1] != kHeaderByte) {
      drop_one();
      continue;
    }
    if (pending() < 4) return false;
    const uint8_t id = p[2];
    const std::size_t length = p[3];
    if (id == kHeaderByte || length < 2 || length > max_length_) {
      drop_one();
      continue;
    }
    if (pending() < 4 + length) return false;
    if (checksum(p + 2, length + 1) != p[3 + length]) {
      ++checksum_errors_;
      drop_one();
      continue;
    }
    *packet = {id, p[4], p + 5, length - 2};
    begin_ += 4 + length;
    return true;
  }
  return false;
}

void PacketParser::skip() noexcept {
  if (pending() > 0) drop_one();
}

void PacketParser::clear() noexcept {
  discarded_bytes_ += pending();
  begin_ = end_ = 0;
}

void PacketParser::drop_one() noexcept {
  ++begin_;
  ++discarded_bytes_;
}

}  // namespace so100
