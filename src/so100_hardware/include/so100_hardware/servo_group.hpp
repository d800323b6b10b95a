// The arm's servos as joints: radians outside, ticks on the bus, and the rules that keep an arm from moving unasked.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "so100_hardware/bus.hpp"

namespace so100 {

struct ServoJoint {
  std::string name;
  uint8_t servo_id = 0;
  int sign = 1;        // +1 or -1: ticks grow with the angle, or against it
  int zero_ticks = 0;  // ticks = zero_ticks + sign * rad * 4096 / (2 pi)
  int range_min = 0;   // ticks that may be commanded
  int range_max = 4095;
  double lower_rad = 0.0;  // angles that may be commanded
  double upper_rad = 0.0;

  double radians(double ticks) const noexcept { return sign * (ticks - zero_ticks) * kRadPerTick; }
  double ticks(double rad) const noexcept { return zero_ticks + sign * rad / kRadPerTick; }
};

// One reading of all servos; the first size() entries of each array. Where fresh is false the row is the last that
// came.
struct GroupState {
  std::array<double, kMaxServos> position_rad{};
  std::array<double, kMaxServos> velocity_rad_s{};
  std::array<double, kMaxServos> effort{};  // load, the share of full drive: -1..1 in the joint's direction
  std::array<double, kMaxServos> voltage_v{};
  std::array<double, kMaxServos> temperature_c{};
  std::array<double, kMaxServos> current_a{};
  std::array<uint8_t, kMaxServos> error_bits{};
  std::array<bool, kMaxServos> moving{};
  std::array<bool, kMaxServos> fresh{};
};

class ServoGroup {
 public:
  // Throws BusError (kBadRequest) for joints that contradict themselves or each other. The bus must outlive the group.
  ServoGroup(Bus& bus, std::vector<ServoJoint> joints);

  // Every servo there, of the right model, in position mode. Throws BusError: kNoBus, kMissingServo, kWrongModel,
  // kWrongMode, kPortLost.
  void check_servos();

  // Reads the positions, makes them the goals, sees that they arrived, and only then turns torque on. Any failure
  // leaves torque off and throws BusError (kNoReply, kPortLost).
  void activate(GroupState* state);

  // One sync read of the servos that are listened to. kNone when all their rows are fresh; a partial answer still
  // updates what came. Neither throws nor allocates.
  Fault read(GroupState* state) noexcept;

  // One sync write. A goal outside its limits is clamped to them and counted. A joint that was activated outside of
  // its limits may stay where it is, but only move inwards. With `max_step_rad`, one bound a joint, no goal is further
  // than that from the one before; what is cut off is counted. kBadGoal, and nothing sent, when a goal is not finite.
  Fault write(const double* goal_rad, const double* max_step_rad = nullptr) noexcept;

  // A servo that is not listened to is left out of `read`, so that the cycle need not wait for it.
  void listen(std::size_t joint, bool listening) noexcept { listening_[joint] = listening; }
  bool listens(std::size_t joint) const noexcept { return listening_[joint]; }

  // Tries every servo, whatever happens with the others; the first fault, or kNone.
  Fault torque_off() noexcept;

  std::size_t size() const noexcept { return joints_.size(); }
  const std::vector<ServoJoint>& joints() const noexcept { return joints_; }
  double last_goal_rad(std::size_t joint) const noexcept { return last_goal_rad_[joint]; }
  uint64_t clamped_goals() const noexcept { return clamped_goals_; }  // outside of their limits
  uint64_t slowed_goals() const noexcept { return slowed_goals_; }    // further away than max_step_rad

 private:
  double clamped(std::size_t joint, double rad) noexcept;
  void seed_goals(const std::array<int, kMaxServos>& ticks);

  Bus& bus_;
  std::vector<ServoJoint> joints_;
  std::array<uint8_t, kMaxServos> ids_{};
  std::array<int, kMaxServos> lowest_ticks_{};
  std::array<int, kMaxServos> highest_ticks_{};
  std::array<double, kMaxServos> last_goal_rad_{};
  std::array<bool, kMaxServos> listening_{};
  uint64_t clamped_goals_ = 0;
  uint64_t slowed_goals_ = 0;
};

}  // namespace so100
