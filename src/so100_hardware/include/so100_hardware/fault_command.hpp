// A fault of the virtual bus: what goes wrong, with whom, when, for how long and how often.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace so100 {

enum class FaultKind : uint8_t {
  // Of packets: each request or reply may be struck.
  kFlipBits,
  kLoseBytes,
  kDoubleBytes,
  kFalsifyBits,
  kLosePackets,
  kLateReplies,
  kForeignBytes,
  kForeignPackets,
  kWrongId,
  // Of servos, for as long as they last.
  kMute,
  kReboot,
  kStall,
  kOverload,
  kOverheat,
  kVoltage,
  kTakeId,
  // Of the whole bus.
  kBrownOut,
  kUnplug,
  // Done at once.
  kSet,
  kClear,
};
constexpr int kFaultKinds = static_cast<int>(FaultKind::kClear);  // those that are counted

const char* fault_kind_name(FaultKind kind) noexcept;
constexpr bool is_packet_fault(FaultKind kind) noexcept { return kind <= FaultKind::kWrongId; }

constexpr double kForever = std::numeric_limits<double>::infinity();
constexpr uint64_t kNoLimit = std::numeric_limits<uint64_t>::max();

struct FaultCommand {
  FaultKind kind = FaultKind::kClear;
  double at_s = 0.0;  // after it was given
  double for_s = kForever;
  std::vector<uint8_t> servos;  // empty: all
  double probability = 1.0;     // of a packet to be struck
  uint64_t count = kNoLimit;    // packets at most
  uint64_t seed = 0;
  int amount = 1;              // bits or bytes of a struck packet
  double value = 0.0;          // s, degC or V; the other id; a register's value
  bool has_value = false;      // where the value may be left out
  bool in_requests = false;    // instead of in replies
  bool unasked = false;        // foreign bytes and packets: at once, before no reply
  bool keeps_link = true;      // unplug: the link leads to the new port afterwards
  std::vector<uint8_t> bytes;  // foreign bytes; empty: drawn
  std::string name;            // the register to set
  bool clears_all = false;     // clear: every kind, else `cleared`
  FaultKind cleared = FaultKind::kClear;
};

}  // namespace so100
