#include "so100_hardware/servo_group.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <thread>
#include <utility>

#include "so100_hardware/servo_access.hpp"

namespace so100 {
namespace {

constexpr const Register& kModel = register_named("model_number");
constexpr const Register& kMode = register_named("operating_mode");
constexpr const Register& kTorqueEnable = register_named("torque_enable");
constexpr const Register& kAcceleration = register_named("acceleration");
constexpr const Register& kGoalPosition = register_named("goal_position");
constexpr const Register& kGoalVelocity = register_named("goal_velocity");
constexpr const Register& kPresentVelocity = register_named("present_velocity");
constexpr const Register& kPresentLoad = register_named("present_load");
constexpr const Register& kVoltage = register_named("present_voltage");
constexpr const Register& kTemperature = register_named("present_temperature");
constexpr const Register& kMoving = register_named("moving");

// The profile block, acceleration to goal velocity: all but the goal are zero, which is "no profile". What another
// program left there would otherwise slow this one down or delay it.
constexpr std::size_t kSeedBytes = kGoalVelocity.address + kGoalVelocity.size - kAcceleration.address;
constexpr std::size_t kGoalInSeed = kGoalPosition.address - kAcceleration.address;
constexpr int kSeedTries = 3;  // a sync write has no acknowledgement

int32_t value_in(const uint8_t* block, uint8_t block_address, const Register& r) noexcept {
  const uint8_t* p = block + (r.address - block_address);
  return r.decode(static_cast<uint16_t>(r.size == 2 ? p[0] | p[1] << 8 : p[0]));
}

void put(uint8_t* out, const Register& r, int32_t value) noexcept {
  const uint16_t raw = r.encode(value);
  out[0] = static_cast<uint8_t>(raw);
  if (r.size == 2) out[1] = static_cast<uint8_t>(raw >> 8);
}

[[noreturn]] void bad_joint(const ServoJoint& joint, const std::string& field, const std::string& expected,
                            const std::string& found) {
  throw BusError(ErrorKind::kBadRequest,
                 "joint " + joint.name + ": " + field + ": expected " + expected + ", found " + found);
}

}  // namespace

ServoGroup::ServoGroup(Bus& bus, std::vector<ServoJoint> joints) : bus_(bus), joints_(std::move(joints)) {
  if (joints_.empty() || joints_.size() > kMaxServos) {
    throw BusError(ErrorKind::kBadRequest,
                   "joints: expected 1 to " + std::to_string(kMaxServos) + ", found " + std::to_string(joints_.size()));
  }
  for (std::size_t i = 0; i < joints_.size(); ++i) {
    const ServoJoint& joint = joints_[i];
    if (joint.servo_id >= kBroadcastId) {
      bad_joint(joint, "servo_id", "0 to 253", std::to_string(joint.servo_id));
    }
    for (std::size_t other = 0; other < i; ++other) {
      if (joints_[other].servo_id == joint.servo_id) {
        bad_joint(joint, "servo_id", "an id of its own",
                  std::to_string(joint.servo_id) + ", " + joints_[other].name + "'s");
      }
    }
    if (std::abs(joint.sign) != 1) bad_joint(joint, "sign", "1 or -1", std::to_string(joint.sign));
    if (joint.range_min >= joint.range_max || joint.range_min < -32767 || joint.range_max > 32767) {
      bad_joint(joint, "range_ticks", "min below max",
                std::to_string(joint.range_min) + ", " + std::to_string(joint.range_max));
    }
    if (!(joint.lower_rad < joint.upper_rad)) {
      bad_joint(joint, "limits_rad", "lower below upper",
                std::to_string(joint.lower_rad) + ", " + std::to_string(joint.upper_rad));
    }
    // Ticks that are inside both limits: the angles' ends rounded inwards.
    const double a = joint.ticks(joint.lower_rad);
    const double b = joint.ticks(joint.upper_rad);
    constexpr double kRounding = 1e-6;  // an end that is meant to be a whole tick counts as inside
    lowest_ticks_[i] =
        std::max(joint.range_min, static_cast<int>(std::ceil(std::max(std::min(a, b), -32767.0) - kRounding)));
    highest_ticks_[i] =
        std::min(joint.range_max, static_cast<int>(std::floor(std::min(std::max(a, b), 32767.0) + kRounding)));
    if (lowest_ticks_[i] > highest_ticks_[i]) {
      bad_joint(joint, "limits_rad", "angles that overlap range_ticks", "none in common; check zero_ticks and sign");
    }
    ids_[i] = joint.servo_id;
    last_goal_rad_[i] = joint.radians(std::clamp(0, lowest_ticks_[i], highest_ticks_[i]));
    listening_[i] = true;
  }
}

void ServoGroup::check_servos() {
  // Who stays silent is asked again before anything is said of cables.
  std::array<bool, kMaxServos> there{};
  std::size_t present = 0;
  bool garbage = false;
  for (int round = 0; round < kLookRounds && present < joints_.size(); ++round) {
    if (round > 0) std::this_thread::sleep_for(kLookPause);
    for (std::size_t i = 0; i < joints_.size(); ++i) {
      if (there[i]) continue;
      const Fault fault = bus_.ping(ids_[i], nullptr);
      if (fault == Fault::kPortLost) throw_fault(fault, bus_.port(), "looking for the servos");
      garbage = garbage || fault == Fault::kCorruptReply;
      there[i] = fault == Fault::kNone;
      present += there[i] ? 1 : 0;
    }
  }
  std::string missing;
  for (std::size_t i = 0; i < joints_.size(); ++i) {
    if (!there[i]) missing += (missing.empty() ? "" : ", ") + servo_text(joints_[i]);
  }
  if (present == 0) {
    const std::string found = garbage ? "something answers, but not as servos do" : "nothing answers";
    throw BusError(ErrorKind::kNoBus,
                   bus_.port() + ": " + found + ". Expected " + std::to_string(joints_.size()) +
                       " servos; either this is not the arm's port (usb_port), the servos have no power, or they use "
                       "another baud_rate. `so100 doctor` looks further.");
  }
  if (!missing.empty()) {
    const std::string remedy = garbage ? "Broken answers came too: two servos may have one id; `so100 doctor` tells."
                                       : "Check the cable from the servo before it in the chain, and the ids.";
    throw BusError(ErrorKind::kMissingServo, bus_.port() + ": no answer from " + missing + ", but from " +
                                                 std::to_string(present) + " other(s). " + remedy);
  }
  for (std::size_t i = 0; i < joints_.size(); ++i) {
    const int32_t model = read_register(bus_, joints_[i], kModel);
    if (model != kModelSts3215) {
      throw BusError(ErrorKind::kWrongModel, bus_.port() + ": " + servo_text(joints_[i]) + ": expected model " +
                                                 std::to_string(kModelSts3215) + " (STS3215), found " +
                                                 std::to_string(model) + ". Is this another arm's port?");
    }
    const int32_t mode = read_register(bus_, joints_[i], kMode);
    if (mode != 0) {
      throw BusError(ErrorKind::kWrongMode, bus_.port() + ": " + servo_text(joints_[i]) +
                                                ": expected operating_mode 0 (position), found " +
                                                std::to_string(mode) + ". Set it to 0 with torque off and lock 0.");
    }
  }
}

void ServoGroup::seed_goals(const std::array<int, kMaxServos>& ticks) {
  std::array<uint8_t, kMaxServos * kSeedBytes> seed{};
  for (std::size_t i = 0; i < joints_.size(); ++i) put(&seed[i * kSeedBytes + kGoalInSeed], kGoalPosition, ticks[i]);
  Fault fault = Fault::kNone;
  for (int attempt = 0; attempt < kSeedTries; ++attempt) {
    fault = bus_.sync_write(kAcceleration.address, kSeedBytes, ids_.data(), joints_.size(), seed.data());
    if (fault != Fault::kNone) break;
    std::array<uint8_t, kMaxServos * kSeedBytes> found{};
    std::array<uint8_t, kMaxServos> statuses{};
    std::array<bool, kMaxServos> fresh{};
    fault = bus_.sync_read(kAcceleration.address, kSeedBytes, ids_.data(), joints_.size(), found.data(),
                           statuses.data(), fresh.data());
    if (fault == Fault::kPortLost) break;
    if (fault == Fault::kNone && found == seed) return;
  }
  throw_fault(fault == Fault::kNone ? Fault::kCorruptReply : fault, bus_.port(), "setting the goals to the positions");
}

void ServoGroup::activate(GroupState* state) {
  // Torque stays as it was until the goals are known good: an arm that another program held goes on being held.
  Fault fault = read(state);
  if (fault != Fault::kNone) {
    torque_off();
    throw_fault(fault, bus_.port(), "reading the positions before torque on");
  }
  std::array<int, kMaxServos> ticks{};
  for (std::size_t i = 0; i < joints_.size(); ++i) {
    ticks[i] = static_cast<int>(std::lround(joints_[i].ticks(state->position_rad[i])));
  }
  try {
    seed_goals(ticks);
    for (std::size_t i = 0; i < joints_.size(); ++i) {
      const uint8_t on = 1;
      fault = bus_.write(ids_[i], kTorqueEnable.address, &on, 1);
      if (fault != Fault::kNone) throw_fault(fault, bus_.port(), "turning torque on at " + servo_text(joints_[i]));
    }
  } catch (const BusError&) {
    torque_off();
    throw;
  }
  for (std::size_t i = 0; i < joints_.size(); ++i) last_goal_rad_[i] = joints_[i].radians(ticks[i]);
}

Fault ServoGroup::read(GroupState* state) noexcept {
  std::array<uint8_t, kMaxServos> ids{};
  std::array<std::size_t, kMaxServos> rows{};
  std::size_t count = 0;
  for (std::size_t i = 0; i < joints_.size(); ++i) {
    state->fresh[i] = false;
    if (!listening_[i]) continue;
    ids[count] = ids_[i];
    rows[count++] = i;
  }
  std::array<uint8_t, kMaxServos * kFeedbackBytes> blocks;
  std::array<uint8_t, kMaxServos> statuses;
  std::array<bool, kMaxServos> fresh;
  const Fault fault =
      bus_.sync_read(kFeedbackAddress, kFeedbackBytes, ids.data(), count, blocks.data(), statuses.data(), fresh.data());
  for (std::size_t k = 0; k < count; ++k) {
    if (!fresh[k]) continue;
    const std::size_t i = rows[k];
    const uint8_t* block = &blocks[k * kFeedbackBytes];
    const auto value = [block](const Register& r) { return value_in(block, kFeedbackAddress, r) * r.per_count; };
    const ServoJoint& joint = joints_[i];
    state->fresh[i] = true;
    state->error_bits[i] = statuses[k];
    state->position_rad[i] = joint.radians(value_in(block, kFeedbackAddress, kPresentPosition));
    state->velocity_rad_s[i] = joint.sign * value(kPresentVelocity);
    state->effort[i] = joint.sign * value(kPresentLoad);
    state->voltage_v[i] = value(kVoltage);
    state->temperature_c[i] = value(kTemperature);
    state->current_a[i] = joint.sign * value(kPresentCurrent);
    state->moving[i] = value_in(block, kFeedbackAddress, kMoving) != 0;
  }
  return fault;
}

// The goal itself where its tick is inside the limits, or leads no further out of them than the last goal did.
double ServoGroup::clamped(std::size_t joint, double rad) noexcept {
  const double asked = std::round(joints_[joint].ticks(rad));
  const double last = std::round(joints_[joint].ticks(last_goal_rad_[joint]));
  const double inside =
      std::clamp(asked, std::min<double>(lowest_ticks_[joint], last), std::max<double>(highest_ticks_[joint], last));
  if (inside == asked) return rad;
  ++clamped_goals_;
  return joints_[joint].radians(inside);
}

Fault ServoGroup::write(const double* goal_rad, const double* max_step_rad) noexcept {
  for (std::size_t i = 0; i < joints_.size(); ++i) {
    if (!std::isfinite(goal_rad[i])) return Fault::kBadGoal;
  }
  std::array<uint8_t, kMaxServos * 2> data;
  for (std::size_t i = 0; i < joints_.size(); ++i) {
    double goal = clamped(i, goal_rad[i]);
    if (max_step_rad != nullptr) {
      const double last = last_goal_rad_[i];
      const double near = std::clamp(goal, last - max_step_rad[i], last + max_step_rad[i]);
      if (near != goal) ++slowed_goals_;
      goal = near;
    }
    last_goal_rad_[i] = goal;
    put(&data[i * 2], kGoalPosition, static_cast<int>(std::lround(joints_[i].ticks(goal))));
  }
  return bus_.sync_write(kGoalPosition.address, kGoalPosition.size, ids_.data(), joints_.size(), data.data());
}

Fault ServoGroup::torque_off() noexcept {
  Fault first = Fault::kNone;
  for (std::size_t i = 0; i < joints_.size(); ++i) {
    const uint8_t off = 0;
    const Fault fault = bus_.write(ids_[i], kTorqueEnable.address, &off, 1);
    if (first == Fault::kNone) first = fault;
  }
  return first;
}

}  // namespace so100
