#include "so100_hardware/arm_config.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <set>

#include "so100_hardware/errors.hpp"

namespace so100 {
namespace {

[[noreturn]] void refuse(const std::string& field, const std::string& expected, const std::string& found) {
  throw BusError(ErrorKind::kDescription,
                 "robot_description: " + field + ": expected " + expected + ", found " + found);
}

std::string text_of(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.10g", value);
  return text;
}

// The parameters of one element. `finish` refuses what nobody asked for.
class Fields {
 public:
  Fields(const Parameters& parameters, std::string where) : parameters_(parameters), where_(std::move(where)) {}

  std::string path(const std::string& name) const { return where_ + "/" + name; }

  std::optional<std::string> optional_text(const std::string& name) {
    asked_.insert(name);
    const auto found = parameters_.find(name);
    if (found == parameters_.end() || found->second.empty()) return std::nullopt;
    return found->second;
  }

  std::string text(const std::string& name) {
    const auto value = optional_text(name);
    if (!value) refuse(path(name), "a value", "none");
    return *value;
  }

  std::optional<double> optional_number(const std::string& name, double lowest, double highest) {
    const auto found = optional_text(name);
    if (!found) return std::nullopt;
    return number_in(path(name), *found, lowest, highest);
  }

  std::optional<int> optional_whole(const std::string& name, int lowest, int highest) {
    const auto value = optional_number(name, lowest, highest);
    if (!value) return std::nullopt;
    if (*value != std::floor(*value)) refuse(path(name), "a whole number", text_of(*value));
    return static_cast<int>(*value);
  }

  int whole(const std::string& name, int lowest, int highest) {
    (void)text(name);
    return *optional_whole(name, lowest, highest);
  }

  double more_than_zero(const std::string& name) {
    const double value = number_in(path(name), text(name), -HUGE_VAL, HUGE_VAL);
    if (!(value > 0.0)) refuse(path(name), "more than 0", text_of(value));
    return value;
  }

  bool yes_or_no(const std::string& name, bool otherwise) {
    const auto found = optional_text(name);
    if (!found) return otherwise;
    if (*found == "true" || *found == "True") return true;
    if (*found == "false" || *found == "False") return false;
    refuse(path(name), "true or false", "'" + *found + "'");
  }

  void ignore(const std::string& name) { asked_.insert(name); }

  void finish() const {
    for (const auto& [name, value] : parameters_) {
      if (asked_.count(name) != 0) continue;
      std::string known;
      for (const std::string& each : asked_) known += (known.empty() ? "" : ", ") + each;
      refuse(path(name), "one of " + known, "'" + name + "'");
    }
  }

  static double number_in(const std::string& path, const std::string& text, double lowest, double highest) {
    double value = 0.0;
    const char* end = text.data() + text.size();
    const auto [stopped, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc() || stopped != end || !std::isfinite(value)) refuse(path, "a number", "'" + text + "'");
    if (value < lowest || value > highest) {
      refuse(path, text_of(lowest) + " to " + text_of(highest), text_of(value));
    }
    return value;
  }

 private:
  const Parameters& parameters_;
  std::string where_;
  std::set<std::string> asked_;
};

ArmJoint parse_joint(const JointBlock& block) {
  const std::string where = "joint " + block.name;
  Fields fields(block.parameters, where);
  ArmJoint joint;
  ServoJoint& servo = joint.servo;
  servo.name = block.name;
  for (const auto& [name, bound, value] : {std::tuple{"min", &block.command_min, &servo.lower_rad},
                                           std::tuple{"max", &block.command_max, &servo.upper_rad}}) {
    const std::string path = where + "/command_interface/" + name;
    if (bound->empty()) refuse(path, "a value", "none");
    *value = Fields::number_in(path, *bound, -1000.0, 1000.0);
  }
  if (!(servo.lower_rad < servo.upper_rad)) {
    refuse(where + "/command_interface", "min below max",
           text_of(servo.lower_rad) + " and " + text_of(servo.upper_rad));
  }
  servo.servo_id = static_cast<uint8_t>(fields.whole("id", 0, 253));
  servo.sign = fields.whole("sign", -32767, 32767);
  if (std::abs(servo.sign) != 1) refuse(fields.path("sign"), "1 or -1", std::to_string(servo.sign));
  servo.zero_ticks = fields.whole("zero_ticks", -32767, 32767);
  servo.range_min = fields.whole("range_min", -32767, 32767);
  servo.range_max = fields.whole("range_max", -32767, 32767);
  if (servo.range_min >= servo.range_max) {
    refuse(fields.path("range_min"), "less than range_max",
           std::to_string(servo.range_min) + " and " + std::to_string(servo.range_max));
  }
  joint.max_velocity_rad_s = fields.more_than_zero("max_velocity");
  joint.homing_offset = fields.optional_whole("homing_offset", -2047, 2047);
  joint.torque_limit = fields.optional_number("torque_limit", 0.0, 1.0);
  joint.p_coefficient = fields.optional_whole("p_coefficient", 0, 254);
  joint.i_coefficient = fields.optional_whole("i_coefficient", 0, 254);
  joint.d_coefficient = fields.optional_whole("d_coefficient", 0, 254);
  joint.park_rad = fields.optional_number("park", servo.lower_rad, servo.upper_rad);
  fields.ignore("max_acceleration");  // the controllers' business
  fields.finish();
  return joint;
}

}  // namespace

bool ArmConfig::parks() const noexcept {
  return std::any_of(joints.begin(), joints.end(), [](const ArmJoint& joint) { return joint.park_rad.has_value(); });
}

ArmConfig parse_arm_config(const Parameters& hardware, const std::vector<JointBlock>& joints) {
  Fields fields(hardware, "hardware");
  ArmConfig config;
  config.usb_port = fields.text("usb_port");
  config.bus.baud_rate = fields.whole("baud_rate", 1, 4000000);
  if (const auto timeout_s = fields.optional_number("reply_timeout", 0.001, 1.0)) {
    config.bus.reply_timeout = std::chrono::microseconds(std::llround(*timeout_s * 1e6));
  }
  config.bus.retries = fields.optional_whole("retries", 0, 10).value_or(config.bus.retries);
  config.max_step_rad = fields.optional_number("max_step", 0.001, 10.0).value_or(config.max_step_rad);
  config.torque_off_on_deactivate = fields.yes_or_no("torque_off_on_deactivate", true);
  config.park_time_limit_s = fields.optional_number("park_time_limit", 0.1, 60.0).value_or(config.park_time_limit_s);
  config.auto_reconnect = fields.yes_or_no("auto_reconnect", false);
  fields.finish();

  if (joints.empty()) refuse("joint", "at least one", "none");
  if (joints.size() > kMaxServos) {
    refuse("joint", "at most " + std::to_string(kMaxServos), std::to_string(joints.size()));
  }
  for (const JointBlock& block : joints) {
    config.joints.push_back(parse_joint(block));
    const ServoJoint& last = config.joints.back().servo;
    for (std::size_t i = 0; i + 1 < config.joints.size(); ++i) {
      const ServoJoint& other = config.joints[i].servo;
      if (other.name == last.name) refuse("joint/name", "one joint each", last.name + " at 2 joints");
      if (other.servo_id == last.servo_id) {
        refuse("joint/id", "one joint each", std::to_string(last.servo_id) + " at " + other.name + " and " + last.name);
      }
    }
  }
  return config;
}

}  // namespace so100
