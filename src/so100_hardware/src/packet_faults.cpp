#include "so100_hardware/packet_faults.hpp"

#include <algorithm>

#include "so100_hardware/packet.hpp"

namespace so100 {
namespace {

constexpr std::size_t kIdAt = 2;
constexpr std::size_t kDataAt = 5;
constexpr std::size_t kMostForeignBytes = 8;

void mend_checksum(std::vector<uint8_t>* packet) {
  packet->back() = checksum(packet->data() + kIdAt, packet->size() - kIdAt - 1);
}

// As long as the packet it comes before, so that its length does not betray it.
std::vector<uint8_t> foreign_packet(const std::vector<uint8_t>& ids, std::mt19937_64& random,
                                    const std::vector<uint8_t>& model) {
  const uint8_t own = model.size() > kIdAt ? model[kIdAt] : kBroadcastId;
  uint8_t id = static_cast<uint8_t>((own + 1) % kBroadcastId);
  if (ids.size() > 1) {
    do {
      id = ids[draw_below(random, ids.size())];
    } while (id == own);
  }
  std::vector<uint8_t> data(model.size() > kOverheadBytes ? model.size() - kOverheadBytes : 0);
  for (uint8_t& byte : data) byte = static_cast<uint8_t>(random());
  std::vector<uint8_t> out(kOverheadBytes + data.size());
  encode_packet(id, 0, data.data(), data.size(), out.data());
  return out;
}

void append(std::vector<uint8_t>* to, const std::vector<uint8_t>& bytes) {
  to->insert(to->end(), bytes.begin(), bytes.end());
}

}  // namespace

double draw(std::mt19937_64& random) noexcept { return static_cast<double>(random() >> 11) * 0x1.0p-53; }

std::size_t draw_below(std::mt19937_64& random, std::size_t n) noexcept {
  return static_cast<std::size_t>(draw(random) * static_cast<double>(n));
}

bool tamper(const FaultCommand& fault, const std::vector<uint8_t>& servo_ids, std::mt19937_64& random,
            Emission* packet) {
  std::vector<uint8_t>& bytes = packet->packet;
  if (fault.kind == FaultKind::kForeignBytes) {
    std::vector<uint8_t> foreign = fault.bytes;
    if (foreign.empty()) {
      foreign.resize(1 + draw_below(random, kMostForeignBytes));
      for (uint8_t& byte : foreign) byte = static_cast<uint8_t>(random());
    }
    append(&packet->before, foreign);
    return true;
  }
  if (fault.kind == FaultKind::kForeignPackets) {
    append(&packet->before, foreign_packet(servo_ids, random, bytes));
    return true;
  }
  if (bytes.empty()) return false;  // lost already
  switch (fault.kind) {
    case FaultKind::kFlipBits:
      for (int i = 0; i < fault.amount; ++i) {
        const std::size_t bit = draw_below(random, 8 * bytes.size());
        bytes[bit / 8] = static_cast<uint8_t>(bytes[bit / 8] ^ 1U << bit % 8);
      }
      return true;
    case FaultKind::kLoseBytes:
      for (int i = 0; i < fault.amount && !bytes.empty(); ++i) {
        bytes.erase(bytes.begin() + static_cast<std::ptrdiff_t>(draw_below(random, bytes.size())));
      }
      return true;
    case FaultKind::kDoubleBytes:
      for (int i = 0; i < fault.amount; ++i) {
        const auto at = bytes.begin() + static_cast<std::ptrdiff_t>(draw_below(random, bytes.size()));
        const uint8_t byte = *at;
        bytes.insert(at, byte);
      }
      return true;
    case FaultKind::kFalsifyBits:
      if (bytes.size() <= kOverheadBytes) return false;
      for (int i = 0; i < fault.amount; ++i) {
        const std::size_t bit = draw_below(random, 8 * (bytes.size() - kOverheadBytes));
        bytes[kDataAt + bit / 8] = static_cast<uint8_t>(bytes[kDataAt + bit / 8] ^ 1U << bit % 8);
      }
      mend_checksum(&bytes);
      return true;
    case FaultKind::kLosePackets:
      bytes.clear();
      return true;
    case FaultKind::kLateReplies:
      packet->late_s += fault.value;
      return true;
    case FaultKind::kWrongId:
      if (bytes.size() < kOverheadBytes) return false;
      bytes[kIdAt] =
          fault.has_value ? static_cast<uint8_t>(fault.value) : static_cast<uint8_t>((bytes[kIdAt] + 1) % kBroadcastId);
      mend_checksum(&bytes);
      return true;
    default:
      return false;
  }
}

void collide(const uint8_t* other, std::size_t count, std::vector<uint8_t>* packet) {
  packet->resize(std::max(packet->size(), count + 1), 0xFF);  // an idle line is high
  for (std::size_t i = 0; i < count; ++i) (*packet)[i + 1] = (*packet)[i + 1] & other[i];
}

}  // namespace so100
