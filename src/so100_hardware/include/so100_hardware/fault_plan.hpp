// The faults of a virtual bus in time: which wait, which last, and whom they strike.
#pragma once

#include <cstdint>
#include <random>
#include <vector>

#include "so100_hardware/fault_command.hpp"
#include "so100_hardware/ledger.hpp"
#include "so100_hardware/virtual_servo.hpp"

namespace so100 {

// A packet on its way, and what came of it.
struct Emission {
  std::vector<uint8_t> before;  // foreign bytes
  std::vector<uint8_t> packet;  // empty: lost
  double late_s = 0.0;
  std::vector<FaultKind> faults;
};

// Draws come from each command's own generator, seeded from its seed and its place in its script: the same script and
// the same sequence of packets make the same faults.
class FaultPlan {
 public:
  // `servo_ids`: the servos that "all" stands for.
  void add(const std::vector<FaultCommand>& commands, const std::vector<uint8_t>& servo_ids, double now_s);

  // Begins and ends what is due, and notes it. Returns the commands that want something done at once: set, unasked.
  std::vector<FaultCommand> advance(double now_s, Ledger* ledger);
  double next_change_s() const noexcept;  // kForever when nothing waits or ends

  // As of the last advance.
  ServoConditions conditions(uint8_t servo_id) const noexcept;
  bool unplugged() const noexcept;
  bool unplugged_for_good() const noexcept;         // the link does not come back
  bool tampers_with(bool requests) const noexcept;  // else with replies

  void strike(uint8_t servo_id, bool request, double now_s, Emission* packet, Ledger* ledger);
  // Bytes of an unasked command.
  std::vector<uint8_t> unasked_bytes(const FaultCommand& command);

 private:
  enum class Phase : uint8_t { kWaiting, kLasting, kOver };
  struct Entry {
    FaultCommand command;
    double begin_s;
    double end_s;
    Phase phase = Phase::kWaiting;
    std::mt19937_64 random;
  };

  void end(Entry& entry, double time_s, Ledger* ledger);
  void clear_before(std::size_t place, const FaultCommand& command, double time_s, Ledger* ledger);

  std::vector<Entry> entries_;
  std::vector<uint8_t> servo_ids_;
};

}  // namespace so100
