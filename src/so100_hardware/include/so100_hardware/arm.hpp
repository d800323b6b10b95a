// One arm: every rule between a robot description and its servos. The ros2_control plugin and so100_driver are shells
// around this class, so that neither has a rule of its own.
//
//   closed --open--> open --activate--> active --deactivate--> open --close--> closed
//
// `read` and `write` belong to the control cycle: they neither throw nor allocate, and a call takes no longer than the
// bus's timeouts. The other calls must not run at the same time, but `report` may, from any thread.
#pragma once

#include <array>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "so100_hardware/arm_config.hpp"
#include "so100_hardware/bus.hpp"
#include "so100_hardware/plausibility.hpp"
#include "so100_hardware/servo_group.hpp"

namespace so100 {

constexpr double kMuteAfterS = 0.1;        // silence after which a servo is no longer waited for
constexpr double kLostAfterS = 0.5;        // silence of all servos after which the bus is lost
constexpr int kMissedCycles = 3;           // and at least so many cycles: a process that was stopped heard nothing
constexpr double kProbePeriodS = 0.5;      // how often a mute servo is asked again
constexpr double kSupervisePeriodS = 0.1;  // how often one servo, in turn, is asked whether it still has torque
constexpr double kBlockedRad = 0.2;        // off its goal for kBlockedAfterS: something is in the joint's way
constexpr double kBlockedAfterS = 1.0;
constexpr double kReturnSpeedRadS = 0.5;            // towards the commands after a hold, and towards the park pose
constexpr std::chrono::microseconds kGlance{5000};  // one look outside of the sync read

enum class ArmPhase : uint8_t { kClosed, kOpen, kActive };
enum class Trouble : uint8_t {
  kNone = 0,
  kSilent,  // no answer in this cycle
  kMute,    // no answer for kMuteAfterS
  kLimp,    // answers, but has lost its torque: it was rebooted, or it protects itself
};

const char* trouble_name(Trouble trouble) noexcept;

struct ArmCounters {
  uint64_t cycles = 0;
  uint64_t failed_reads = 0;  // cycles without a whole reading
  uint64_t failed_writes = 0;
  uint64_t held_cycles = 0;    // cycles in which commands were not passed on
  uint64_t implausible = 0;    // servo readings with a right checksum that no arm could have
  uint64_t clamped_goals = 0;  // outside of the limits
  uint64_t slowed_goals = 0;   // faster than max_velocity, further than max_step, or catching up after a hold
  uint64_t lost = 0;           // times the whole bus fell silent or its device went
};

// What `report` needs, as of the last cycle.
struct ArmStatus {
  ArmPhase phase = ArmPhase::kClosed;
  bool held = false;  // a trouble keeps commands from the servos
  Fault lost = Fault::kNone;
  std::array<Trouble, kMaxServos> troubles{};
  std::array<bool, kMaxServos> blocked{};
  ArmCounters counters;
  BusCounters bus;
  GroupState state;
};

// One line of /diagnostics: level as in diagnostic_msgs/DiagnosticStatus.
struct Health {
  enum Level : uint8_t { kOk = 0, kWarn = 1, kError = 2 };
  Level level = kOk;
  std::string name;
  std::string message;
  std::vector<std::pair<std::string, std::string>> values;
};

std::string lost_text(Fault fault);  // of Arm::lost, for the operator; "" for kNone

// The names of a servo's error bits that are set, "" for none.
std::string error_text(uint8_t bits);

class Arm {
 public:
  explicit Arm(ArmConfig config);
  Arm(const Arm&) = delete;
  Arm& operator=(const Arm&) = delete;

  const ArmConfig& config() const noexcept { return config_; }

  // `now_s`, here and below, is the control cycle's clock in seconds, which must not go back.
  //
  // Opens the port and looks at every servo: there, model, firmware, mode, calibration; gains as the description asks.
  // Torque stays as it is. Throws BusError and is closed then: also where the first reading is not whole.
  void open(double now_s);

  // Reads the positions, sets limits and goals, and only then turns torque on. Throws BusError and leaves torque off.
  void activate(double now_s);

  // One sync read. kNone for a whole reading, and in degraded mode, when the servos that are listened to answered.
  // Any other fault: this cycle has no whole reading, the arm holds; `lost` says whether that is for good.
  Fault read(double now_s) noexcept;

  // One sync write towards `goal_rad` (one angle a joint): inside the limits, no faster than max_velocity and no
  // further than max_step. Nothing is sent in a cycle whose reading was not whole or while a servo is in trouble: the
  // servos then hold their last goals; where that lasted longer than kMuteAfterS, goals then approach the commands at
  // kReturnSpeedRadS.
  Fault write(const double* goal_rad, double now_s) noexcept;

  // Parks if the description says so, then torque off if it says so. The first fault, or kNone. Stays open.
  Fault deactivate() noexcept;

  // Torque off at once, whatever the description says and wherever the arm is: it falls unless somebody supports it.
  // It stays open and can be read; `activate` turns torque on again, with the goals at the positions.
  Fault release() noexcept;
  void close() noexcept;

  ArmPhase phase() const noexcept { return phase_; }
  // Why the bus is lost as a whole; kNone while it is not. Only `close` and `open` lead out of it.
  Fault lost() const noexcept { return lost_; }
  bool held() const noexcept { return held_; }
  const GroupState& state() const noexcept { return state_; }
  std::size_t size() const noexcept { return config_.joints.size(); }
  Trouble trouble(std::size_t joint) const noexcept { return troubles_[joint]; }
  // Away from its goal for long, though commands reach it. Told, and no reason to hold: grippers close on things.
  bool blocked(std::size_t joint) const noexcept { return blocked_[joint]; }
  ArmCounters counters() const noexcept;
  BusCounters bus_counters() const noexcept;  // since `open`
  const std::vector<std::string>& gains_written() const noexcept { return gains_written_; }

  // The bus first, then each joint. As of the last cycle; safe beside it.
  std::vector<Health> report() const;
  ArmStatus status() const;  // what `report` is made of; safe beside the cycle too

 private:
  bool take(GroupState* reading, double now_s) noexcept;
  void attend(bool heard, Fault fault, double now_s) noexcept;
  void probe(double now_s) noexcept;
  void supervise(double now_s) noexcept;
  void look_for_blocked(double now_s) noexcept;
  bool without_torque(std::size_t joint, bool* answered) noexcept;
  void lose(Fault fault) noexcept;
  void publish_status(bool in_cycle) noexcept;
  void park() noexcept;

  ArmConfig config_;
  std::unique_ptr<Bus> bus_;
  std::unique_ptr<ServoGroup> group_;
  ArmPhase phase_ = ArmPhase::kClosed;
  Fault lost_ = Fault::kNone;
  GroupState state_;
  Plausibility plausibility_;
  std::array<Trouble, kMaxServos> troubles_{};
  std::array<double, kMaxServos> heard_s_{};     // when each servo last answered
  std::array<int, kMaxServos> missed_{};         // cycles since
  std::array<double, kMaxServos> followed_s_{};  // when each was last near its goal
  std::array<bool, kMaxServos> blocked_{};
  int missed_all_ = 0;  // cycles since any did
  double probed_s_ = 0.0;
  double supervised_s_ = 0.0;
  double written_s_ = 0.0;
  double sent_s_ = 0.0;  // when commands were last passed on
  std::size_t next_supervised_ = 0;
  std::size_t next_probed_ = 0;
  bool held_ = false;       // this cycle
  bool returning_ = false;  // since a hold, until the goals have caught up with the commands
  ArmCounters counters_;    // of this object; the group's own are added by counters()
  std::vector<std::string> gains_written_;

  // Where the control thread and `report` meet: written after each cycle if free, and never waited for there.
  mutable std::mutex status_mutex_;
  ArmStatus status_;
  mutable ArmCounters reported_;  // at the report before
};

}  // namespace so100
