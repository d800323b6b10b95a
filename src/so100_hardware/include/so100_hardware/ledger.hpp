// What truly happened on a virtual bus, for whoever tests a driver against it. Times are wire.hpp's monotonic_s.
#pragma once

#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include "so100_hardware/fault_command.hpp"

namespace so100 {

// Bytes as they were on the wire. Without wire timing they take no time.
struct CapturedBytes {
  double begin_s;
  double end_s;
  bool to_servos;
  std::vector<uint8_t> bytes;
};

struct FaultEvent {
  enum class What : uint8_t { kStruck, kBegan, kEnded };
  double time_s;
  FaultKind kind;
  What what;     // struck: one packet
  int servo_id;  // -1: the whole bus
};

// A reply, as the servo made it and as the master got it. Untampered: `faults` is empty and both are equal.
struct ReplyRecord {
  uint64_t request;  // how many requests had been heard before it; replies to one request have the same
  double request_s;  // when the last byte of the request had come
  double sent_s;     // when the last byte of the reply goes out
  uint8_t servo_id;
  uint8_t address;  // of the first register in it; with no data 0
  std::vector<uint8_t> truth;
  std::vector<uint8_t> sent;  // with the foreign bytes before it; empty: lost
  std::vector<FaultKind> faults;
};

// A write that a servo took, and how the servo stood right after it.
struct WriteRecord {
  uint64_t request;
  double time_s;
  uint8_t servo_id;
  uint8_t address;
  std::vector<uint8_t> data;
  bool tampered;  // on its way to the servo
  bool torque_before;
  bool torque_after;
  int32_t goal_ticks;
  int32_t present_ticks;
};

// Bytes, replies and writes are kept only while asked for, and until they are taken; of fault events the newest.
struct Ledger {
  static constexpr std::size_t kMostEvents = 100000;

  bool capturing = false;
  bool recording = false;
  std::vector<CapturedBytes> captured;
  std::vector<ReplyRecord> replies;
  std::vector<WriteRecord> writes;
  std::vector<FaultEvent> events;
  std::array<uint64_t, kFaultKinds> fault_counts{};

  void note(const FaultEvent& event) {
    if (event.what != FaultEvent::What::kEnded) ++fault_counts[static_cast<std::size_t>(event.kind)];
    if (events.size() == kMostEvents) events.erase(events.begin(), events.begin() + kMostEvents / 2);
    events.push_back(event);
  }
};

template <typename T>
std::vector<T> take(std::vector<T>& records) {
  return std::exchange(records, {});
}

}  // namespace so100
