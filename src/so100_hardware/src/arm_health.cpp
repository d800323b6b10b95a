// Arm::report: the last cycle as an operator reads it on /diagnostics.
#include <cstdio>

#include "so100_hardware/arm.hpp"

namespace so100 {
namespace {

constexpr double kHotC = 60.0;  // the servo turns itself off at max_temperature_limit, 70 as it leaves the factory

struct ErrorBit {
  uint8_t bit;
  const char* name;
};
constexpr ErrorBit kErrorBits[] = {
    {1, "voltage"}, {2, "angle sensor"}, {4, "overheating"}, {8, "over-current"}, {32, "overload"}};

std::string fixed(double value, int digits) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.*f", digits, value);
  return text;
}

Health joint_health(const ServoJoint& joint, const ArmStatus& status, std::size_t i) {
  Health health;
  health.name = "joint " + joint.name;
  health.message = "ok";
  const double temperature_c = status.state.temperature_c[i];
  const uint8_t bits = status.state.error_bits[i];
  if (temperature_c >= kHotC) {
    health.level = Health::kWarn;
    health.message = "hot: " + fixed(temperature_c, 0) + " C";
  }
  if (status.blocked[i]) {
    health.level = Health::kWarn;
    health.message = "does not reach its goal: something is in its way, or the load is too heavy";
  }
  if (bits != 0) {
    health.level = Health::kError;
    health.message = "servo reports: " + error_text(bits);
  }
  if (status.troubles[i] == Trouble::kMute) {
    health.level = Health::kError;
    health.message = "does not answer; the arm holds. Check its cable; it goes on when the servo answers again";
  } else if (status.troubles[i] == Trouble::kLimp) {
    health.level = Health::kError;
    health.message =
        "has lost its torque (rebooted, or protects itself); the arm holds. Support it, then call reconnect";
  }
  health.values = {{"servo_id", std::to_string(joint.servo_id)},
                   {"trouble", trouble_name(status.troubles[i])},
                   {"temperature_c", fixed(temperature_c, 0)},
                   {"voltage_v", fixed(status.state.voltage_v[i], 1)},
                   {"current_a", fixed(status.state.current_a[i], 3)},
                   {"load", fixed(status.state.effort[i], 3)},
                   {"error_bits", std::to_string(bits)}};
  return health;
}

}  // namespace

std::string lost_text(Fault fault) {
  if (fault == Fault::kNone) return "";
  return fault == Fault::kPortLost ? "the device is gone" : std::string("no servo answers (") + fault_name(fault) + ")";
}

std::string error_text(uint8_t bits) {
  std::string text;
  for (int k = 0; k < 8; ++k) {
    if ((bits >> k & 1) == 0) continue;
    std::string name = "bit " + std::to_string(k);
    for (const ErrorBit& known : kErrorBits) {
      if (known.bit == 1 << k) name = known.name;
    }
    text += (text.empty() ? "" : ", ") + name;
  }
  return text;
}

ArmStatus Arm::status() const {
  const std::lock_guard<std::mutex> lock(status_mutex_);
  return status_;
}

std::vector<Health> Arm::report() const {
  ArmStatus status;
  ArmCounters before;
  {
    const std::lock_guard<std::mutex> lock(status_mutex_);
    status = status_;
    before = reported_;
    reported_ = status.counters;
  }
  const ArmCounters& now = status.counters;
  Health bus;
  bus.name = "servo bus";
  std::string degraded;
  for (std::size_t i = 0; i < size(); ++i) {
    if (status.troubles[i] != Trouble::kMute && status.troubles[i] != Trouble::kLimp) continue;
    degraded += (degraded.empty() ? "" : ", ") + config_.joints[i].servo.name + " " + trouble_name(status.troubles[i]);
  }
  if (status.lost != Fault::kNone) {
    bus.level = Health::kError;
    bus.message = "bus lost: " + lost_text(status.lost) + "; " +
                  (config_.auto_reconnect ? "trying to reconnect" : "call reconnect when it is back");
  } else if (status.phase == ArmPhase::kClosed) {
    bus.level = Health::kWarn;
    bus.message = "closed";
  } else if (!degraded.empty()) {
    bus.level = Health::kError;
    bus.message = "degraded, the arm holds: " + degraded;
  } else if (now.failed_reads > before.failed_reads) {
    bus.level = Health::kWarn;
    bus.message = std::to_string(now.failed_reads - before.failed_reads) + " of the last " +
                  std::to_string(now.cycles - before.cycles) + " reads failed";
  } else {
    bus.message = status.phase == ArmPhase::kActive ? "active" : "open, torque not turned on";
  }
  for (const auto& [name, value] :
       {std::pair{"cycles", now.cycles}, std::pair{"failed_reads", now.failed_reads},
        std::pair{"failed_writes", now.failed_writes}, std::pair{"held_cycles", now.held_cycles},
        std::pair{"implausible", now.implausible}, std::pair{"clamped_goals", now.clamped_goals},
        std::pair{"slowed_goals", now.slowed_goals}, std::pair{"lost", now.lost},
        std::pair{"bus_requests", status.bus.requests}, std::pair{"bus_retries", status.bus.retries},
        std::pair{"bus_failures", status.bus.failures}, std::pair{"bus_discarded_bytes", status.bus.discarded_bytes},
        std::pair{"bus_checksum_errors", status.bus.checksum_errors},
        std::pair{"bus_foreign_packets", status.bus.foreign_packets}}) {
    bus.values.emplace_back(name, std::to_string(value));
  }
  std::vector<Health> rows = {bus};
  for (std::size_t i = 0; i < size() && now.cycles > 0; ++i) {
    rows.push_back(joint_health(config_.joints[i].servo, status, i));
  }
  return rows;
}

}  // namespace so100
