#include "so100_hardware/arm.hpp"

#include <algorithm>
#include <cmath>
#include <thread>
#include <utility>

#include "so100_hardware/servo_access.hpp"
#include "so100_hardware/servo_settings.hpp"

namespace so100 {
namespace {

constexpr const Register& kTorqueEnable = register_named("torque_enable");
constexpr double kParkPeriodS = 0.01;
constexpr double kParkedRad = 0.05;  // a servo under load stands off its goal by some ticks

void copy_row(const GroupState& from, std::size_t i, GroupState* to) noexcept {
  to->position_rad[i] = from.position_rad[i];
  to->velocity_rad_s[i] = from.velocity_rad_s[i];
  to->effort[i] = from.effort[i];
  to->voltage_v[i] = from.voltage_v[i];
  to->temperature_c[i] = from.temperature_c[i];
  to->current_a[i] = from.current_a[i];
  to->error_bits[i] = from.error_bits[i];
  to->moving[i] = from.moving[i];
}

std::vector<ServoJoint> servo_joints(const ArmConfig& config) {
  std::vector<ServoJoint> joints;
  for (const ArmJoint& joint : config.joints) joints.push_back(joint.servo);
  return joints;
}

}  // namespace

const char* trouble_name(Trouble trouble) noexcept {
  switch (trouble) {
    case Trouble::kNone:
      return "";
    case Trouble::kSilent:
      return "silent";
    case Trouble::kMute:
      return "mute";
    case Trouble::kLimp:
      return "limp";
  }
  return "unknown";
}

Arm::Arm(ArmConfig config) : config_(std::move(config)) {}

void Arm::open(double now_s) {
  close();
  try {
    bus_ = std::make_unique<Bus>(config_.usb_port, config_.bus);
    group_ = std::make_unique<ServoGroup>(*bus_, servo_joints(config_));
    group_->check_servos();
    check_firmware(*bus_, config_.joints);
    check_calibration(*bus_, config_.joints);
    gains_written_ = write_gains(*bus_, config_.joints);
    const Fault fault = group_->read(&state_);
    if (fault != Fault::kNone) throw_fault(fault, bus_->port(), "reading the positions for the first time");
  } catch (...) {
    close();
    throw;
  }
  for (std::size_t i = 0; i < size(); ++i) plausibility_.believe(i, state_.position_rad[i], now_s);
  heard_s_.fill(now_s);
  missed_.fill(0);
  troubles_.fill(Trouble::kNone);
  missed_all_ = 0;
  lost_ = Fault::kNone;
  phase_ = ArmPhase::kOpen;
  publish_status(false);
}

void Arm::activate(double now_s) {
  if (phase_ == ArmPhase::kClosed) {
    throw BusError(ErrorKind::kBadRequest, config_.usb_port + ": expected an open arm to activate, found it closed");
  }
  phase_ = ArmPhase::kOpen;
  for (std::size_t i = 0; i < size(); ++i) group_->listen(i, true);
  try {
    write_torque_limits(*bus_, config_.joints);
  } catch (const BusError&) {
    (void)group_->torque_off();
    throw;
  }
  group_->activate(&state_);
  for (std::size_t i = 0; i < size(); ++i) plausibility_.believe(i, state_.position_rad[i], now_s);
  heard_s_.fill(now_s);
  missed_.fill(0);
  troubles_.fill(Trouble::kNone);
  missed_all_ = 0;
  held_ = returning_ = false;
  followed_s_.fill(now_s);
  blocked_.fill(false);
  probed_s_ = supervised_s_ = now_s;
  written_s_ = HUGE_VAL;  // however long this took, the first write moves nothing
  sent_s_ = now_s;
  phase_ = ArmPhase::kActive;
  publish_status(false);
}

Fault Arm::read(double now_s) noexcept {
  if (!group_) return Fault::kPortLost;
  if (lost_ != Fault::kNone) return lost_;
  ++counters_.cycles;
  GroupState reading;
  const Fault fault = group_->read(&reading);
  if (fault == Fault::kPortLost) {
    lose(fault);
    return fault;
  }
  const bool heard = take(&reading, now_s);
  attend(heard, fault, now_s);
  if (lost_ == Fault::kNone && phase_ == ArmPhase::kActive) {
    probe(now_s);
    supervise(now_s);
  }
  held_ = std::any_of(troubles_.begin(), troubles_.end(), [](Trouble t) { return t != Trouble::kNone; });
  if (phase_ == ArmPhase::kActive) look_for_blocked(now_s);
  const bool silent = std::find(troubles_.begin(), troubles_.end(), Trouble::kSilent) != troubles_.end();
  if (silent) ++counters_.failed_reads;
  publish_status(true);
  if (lost_ != Fault::kNone) return lost_;
  if (!silent) return Fault::kNone;
  return fault == Fault::kNone ? Fault::kCorruptReply : fault;  // an implausible row came in a whole reading
}

// Believes what can be true; whether any servo was heard.
bool Arm::take(GroupState* reading, double now_s) noexcept {
  bool heard = false;
  for (std::size_t i = 0; i < size(); ++i) {
    if (reading->fresh[i] && !plausibility_.check(*reading, i, now_s)) {
      reading->fresh[i] = false;
      ++counters_.implausible;
    }
    state_.fresh[i] = reading->fresh[i];
    if (!reading->fresh[i]) continue;
    heard = true;
    copy_row(*reading, i, &state_);
    heard_s_[i] = now_s;
    missed_[i] = 0;
    if (troubles_[i] == Trouble::kSilent) troubles_[i] = Trouble::kNone;
  }
  return heard;
}

// Who is silent, who is no longer waited for, and whether all are.
void Arm::attend(bool heard, Fault fault, double now_s) noexcept {
  double last_heard_s = heard_s_[0];
  for (std::size_t i = 0; i < size(); ++i) {
    last_heard_s = std::max(last_heard_s, heard_s_[i]);
    if (state_.fresh[i] || !group_->listens(i)) continue;
    ++missed_[i];
    if (troubles_[i] == Trouble::kNone) troubles_[i] = Trouble::kSilent;
    if (heard && missed_[i] >= kMissedCycles && now_s - heard_s_[i] > kMuteAfterS) {
      troubles_[i] = Trouble::kMute;
      group_->listen(i, false);
    }
  }
  missed_all_ = heard ? 0 : missed_all_ + 1;
  if (missed_all_ >= kMissedCycles && now_s - last_heard_s > kLostAfterS) {
    lose(fault == Fault::kNone ? Fault::kCorruptReply : fault);
  }
}

bool Arm::without_torque(std::size_t joint, bool* answered) noexcept {
  uint8_t torque = 1;
  const Fault fault = bus_->glance(config_.joints[joint].servo.servo_id, kTorqueEnable.address, &torque, 1, kGlance);
  if (fault == Fault::kPortLost) lose(fault);
  *answered = fault == Fault::kNone;
  return *answered && torque == 0;
}

// One mute servo after the other is asked again. One that answers is listened to again; whether it kept its torque
// decides whether the arm goes on.
void Arm::probe(double now_s) noexcept {
  if (now_s - probed_s_ < kProbePeriodS) return;
  for (std::size_t n = 0; n < size(); ++n) {
    const std::size_t i = (next_probed_ + n) % size();
    if (troubles_[i] != Trouble::kMute) continue;
    probed_s_ = now_s;
    next_probed_ = i + 1;
    bool answered = false;
    const bool limp = without_torque(i, &answered);
    if (!answered) return;
    troubles_[i] = limp ? Trouble::kLimp : Trouble::kSilent;  // silent until the next cycle has its position
    heard_s_[i] = now_s;
    missed_[i] = 0;
    group_->listen(i, true);
    return;
  }
}

// A servo that was rebooted or protects itself answers as ever, but its torque is off.
void Arm::supervise(double now_s) noexcept {
  if (now_s - supervised_s_ < kSupervisePeriodS) return;
  supervised_s_ = now_s;
  const std::size_t i = next_supervised_;
  next_supervised_ = (i + 1) % size();
  if (troubles_[i] != Trouble::kNone) return;
  bool answered = false;
  // Asked twice: one garbled answer must not stop an arm.
  if (without_torque(i, &answered) && without_torque(i, &answered)) troubles_[i] = Trouble::kLimp;
}

void Arm::look_for_blocked(double now_s) noexcept {
  for (std::size_t i = 0; i < size(); ++i) {
    const double away = std::abs(group_->last_goal_rad(i) - state_.position_rad[i]);
    if (held_ || away < kBlockedRad) followed_s_[i] = now_s;
    blocked_[i] = now_s - followed_s_[i] > kBlockedAfterS;
  }
}

Fault Arm::write(const double* goal_rad, double now_s) noexcept {
  if (phase_ != ArmPhase::kActive) return Fault::kNone;
  if (lost_ != Fault::kNone) return lost_;
  const double since_s = std::max(0.0, now_s - written_s_);
  written_s_ = now_s;
  if (held_) {
    ++counters_.held_cycles;
    // A lost reply is no hold: at kReturnSpeedRadS the arm would be seconds behind commands that move on.
    if (now_s - sent_s_ > kMuteAfterS) returning_ = true;
    return Fault::kNone;
  }
  sent_s_ = now_s;
  std::array<double, kMaxServos> step;
  for (std::size_t i = 0; i < size(); ++i) {
    const double fastest = config_.joints[i].max_velocity_rad_s;
    const double speed = returning_ ? std::min(kReturnSpeedRadS, fastest) : fastest;
    step[i] = std::min(speed * since_s, config_.max_step_rad);
  }
  const uint64_t slowed_before = group_->slowed_goals();
  const Fault fault = group_->write(goal_rad, step.data());
  if (fault != Fault::kNone) {
    ++counters_.failed_writes;
    if (fault == Fault::kPortLost) lose(fault);
  } else if (group_->slowed_goals() == slowed_before) {
    returning_ = false;
  }
  return fault;
}

Fault Arm::deactivate() noexcept {
  if (phase_ != ArmPhase::kActive) return Fault::kNone;
  if (lost_ == Fault::kNone && config_.parks()) park();
  phase_ = ArmPhase::kOpen;
  const Fault fault = config_.torque_off_on_deactivate ? group_->torque_off() : Fault::kNone;
  publish_status(false);
  return fault;
}

Fault Arm::release() noexcept {
  if (phase_ == ArmPhase::kClosed) return Fault::kPortLost;
  phase_ = ArmPhase::kOpen;
  const Fault fault = group_->torque_off();
  publish_status(false);
  return fault;
}

// By its own clock: nobody else runs the cycle meanwhile. Ends where it is on any fault and at the time limit.
void Arm::park() noexcept {
  using Clock = std::chrono::steady_clock;
  const auto period = std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(kParkPeriodS));
  const auto end = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                      std::chrono::duration<double>(config_.park_time_limit_s));
  std::array<double, kMaxServos> target;
  std::array<double, kMaxServos> step;
  for (std::size_t i = 0; i < size(); ++i) {
    if (troubles_[i] != Trouble::kNone) return;
    target[i] = config_.joints[i].park_rad.value_or(group_->last_goal_rad(i));
    step[i] = std::min(kReturnSpeedRadS, config_.joints[i].max_velocity_rad_s) * kParkPeriodS;
  }
  for (auto next = Clock::now() + period; Clock::now() < end; next += period) {
    GroupState reading;
    if (group_->read(&reading) != Fault::kNone) return;
    bool there = true;
    for (std::size_t i = 0; i < size(); ++i) {
      there = there && (!config_.joints[i].park_rad || std::abs(reading.position_rad[i] - target[i]) < kParkedRad);
    }
    if (there || group_->write(target.data(), step.data()) != Fault::kNone) return;
    std::this_thread::sleep_until(next);
  }
}

void Arm::close() noexcept {
  if (group_) {
    counters_.clamped_goals += group_->clamped_goals();
    counters_.slowed_goals += group_->slowed_goals();
  }
  group_.reset();
  bus_.reset();
  phase_ = ArmPhase::kClosed;
  publish_status(false);
}

void Arm::lose(Fault fault) noexcept {
  if (lost_ == Fault::kNone) ++counters_.lost;
  lost_ = fault;
  held_ = true;
  state_.fresh.fill(false);
}

ArmCounters Arm::counters() const noexcept {
  ArmCounters counters = counters_;
  if (group_) {
    counters.clamped_goals += group_->clamped_goals();
    counters.slowed_goals += group_->slowed_goals();
  }
  return counters;
}

BusCounters Arm::bus_counters() const noexcept { return bus_ ? bus_->counters() : BusCounters{}; }

void Arm::publish_status(bool in_cycle) noexcept {
  std::unique_lock<std::mutex> lock(status_mutex_, std::defer_lock);
  if (!in_cycle) {
    lock.lock();
  } else if (!lock.try_lock()) {
    return;
  }
  status_.phase = phase_;
  status_.held = held_;
  status_.lost = lost_;
  status_.troubles = troubles_;
  status_.blocked = blocked_;
  status_.counters = counters();
  if (bus_) status_.bus = bus_->counters();
  status_.state = state_;
}

}  // namespace so100
