#include "so100_hardware/so100_system.hpp"

#include <chrono>
#include <map>
#include <stdexcept>
#include <string>
#include <thread>

#include "lifecycle_msgs/msg/state.hpp"
#include "pluginlib/class_list_macros.hpp"
#include "rclcpp/logging.hpp"

namespace so100_hardware {
namespace {

using hardware_interface::ComponentInfo;
using hardware_interface::HardwareInfo;
using hardware_interface::InterfaceInfo;
using hardware_interface::return_type;
using so100::Arm;
using so100::BusError;
using so100::ErrorKind;
using so100::Fault;
using so100::GroupState;

constexpr std::chrono::seconds kPortWait{10};  // a simulator starts beside controller_manager
constexpr std::chrono::milliseconds kPortLook{100};

using Value = double (*)(const GroupState&, std::size_t);

// Every state interface that the plugin can show.
const std::map<std::string, Value>& values() {
  static const std::map<std::string, Value> all = {
      {"position", [](const GroupState& s, std::size_t i) { return s.position_rad[i]; }},
      {"velocity", [](const GroupState& s, std::size_t i) { return s.velocity_rad_s[i]; }},
      {"effort", [](const GroupState& s, std::size_t i) { return s.effort[i]; }},
      {"load", [](const GroupState& s, std::size_t i) { return s.effort[i]; }},
      {"temperature", [](const GroupState& s, std::size_t i) { return s.temperature_c[i]; }},
      {"voltage", [](const GroupState& s, std::size_t i) { return s.voltage_v[i]; }},
      {"current", [](const GroupState& s, std::size_t i) { return s.current_a[i]; }},
      {"error_flags", [](const GroupState& s, std::size_t i) { return static_cast<double>(s.error_bits[i]); }},
  };
  return all;
}

// The cycle's own clock: the bus's timeouts are real time, also where ROS time is a simulator's.
double now_s() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

[[noreturn]] void unfit(const std::string& field, const std::string& expected, const std::string& found) {
  throw BusError(ErrorKind::kDescription,
                 "robot_description: " + field + ": expected " + expected + ", found " + found);
}

std::string names_of(const std::vector<InterfaceInfo>& interfaces) {
  std::string text;
  for (const InterfaceInfo& interface : interfaces) text += (text.empty() ? "" : ", ") + interface.name;
  return text.empty() ? "none" : text;
}

void check_type(const std::string& field, const InterfaceInfo& interface) {
  if (interface.data_type != "double") unfit(field + " " + interface.name, "data_type double", interface.data_type);
}

void check_interfaces(const ComponentInfo& joint) {
  const std::string field = "joint " + joint.name;
  if (joint.command_interfaces.size() != 1 || joint.command_interfaces[0].name != "position") {
    unfit(field + "/command_interface", "position alone", names_of(joint.command_interfaces));
  }
  check_type(field + "/command_interface", joint.command_interfaces[0]);
  std::string known;
  for (const auto& entry : values()) known += (known.empty() ? "" : ", ") + entry.first;
  bool position = false;
  for (const InterfaceInfo& state : joint.state_interfaces) {
    if (values().count(state.name) == 0) unfit(field + "/state_interface", "one of " + known, "'" + state.name + "'");
    check_type(field + "/state_interface", state);
    position = position || state.name == "position";
  }
  if (!position) unfit(field + "/state_interface", "position among them", names_of(joint.state_interfaces));
}

so100::ArmConfig config_of(const HardwareInfo& info) {
  if (!info.sensors.empty()) unfit("sensor", "none: servos are joints", info.sensors[0].name);
  if (!info.gpios.empty()) unfit("gpio", "none: servos are joints", info.gpios[0].name);
  std::vector<so100::JointBlock> joints;
  for (const ComponentInfo& joint : info.joints) {
    check_interfaces(joint);
    const InterfaceInfo& command = joint.command_interfaces[0];
    joints.push_back({joint.name, {joint.parameters.begin(), joint.parameters.end()}, command.min, command.max});
  }
  return so100::parse_arm_config({info.hardware_parameters.begin(), info.hardware_parameters.end()}, joints);
}

}  // namespace

So100System::~So100System() {
  node_.reset();
  let_go();
}

So100System::CallbackReturn So100System::on_init(const hardware_interface::HardwareComponentInterfaceParams& params) {
  if (SystemInterface::on_init(params) != CallbackReturn::SUCCESS) return CallbackReturn::ERROR;
  try {
    arm_ = std::make_unique<Arm>(config_of(get_hardware_info()));
  } catch (const BusError& error) {
    RCLCPP_FATAL(get_logger(), "%s", error.what());
    return CallbackReturn::ERROR;
  }
  if (get_node()) {
    node_ = std::make_unique<ComponentNode>(get_node(), get_name(), *arm_, events_);
  } else {
    RCLCPP_WARN(get_logger(), "no executor, hence no node: neither /diagnostics nor reconnect");
  }
  return CallbackReturn::SUCCESS;
}

So100System::CallbackReturn So100System::on_configure(const State&) {
  try {
    open_arm();
    find_handles();
  } catch (const BusError& error) {
    return refuse(error);
  }
  for (const std::string& gain : arm_->gains_written()) RCLCPP_INFO(get_logger(), "%s", gain.c_str());
  show_state();
  RCLCPP_INFO(get_logger(), "%zu servos on %s, torque as it was", arm_->size(), arm_->config().usb_port.c_str());
  return CallbackReturn::SUCCESS;
}

void So100System::open_arm() {
  const bool wait = arm_->config().auto_reconnect && !opened_before_;
  const auto deadline = std::chrono::steady_clock::now() + kPortWait;
  for (;;) {
    try {
      arm_->open(now_s());
      opened_before_ = true;
      return;
    } catch (const BusError& error) {
      if (error.kind() != ErrorKind::kPortNotFound || !wait || !rclcpp::ok()) throw;
      if (std::chrono::steady_clock::now() >= deadline) throw;
    }
    std::this_thread::sleep_for(kPortLook);
  }
}

void So100System::find_handles() {
  shown_.clear();
  commands_.clear();
  const auto& joints = get_hardware_info().joints;
  for (std::size_t i = 0; i < joints.size(); ++i) {
    for (const InterfaceInfo& state : joints[i].state_interfaces) {
      shown_.push_back({get_state_interface_handle(joints[i].name + "/" + state.name), values().at(state.name), i});
    }
    commands_.push_back(get_command_interface_handle(joints[i].name + "/position"));
  }
}

void So100System::show_state() {
  for (const Shown& shown : shown_) {
    (void)set_state(shown.handle, shown.value(arm_->state(), shown.joint), false);
  }
}

So100System::CallbackReturn So100System::on_activate(const State&) {
  try {
    arm_->activate(now_s());
  } catch (const BusError& error) {
    return refuse(error);
  }
  show_state();
  for (std::size_t i = 0; i < arm_->size(); ++i) {
    goal_rad_[i] = arm_->state().position_rad[i];
    (void)set_command(commands_[i], goal_rad_[i], true);
  }
  events_.lost = false;
  events_.set_refusal("");
  RCLCPP_INFO(get_logger(), "goals set to the present positions, torque on, holding");
  return CallbackReturn::SUCCESS;
}

So100System::CallbackReturn So100System::refuse(const BusError& error) {
  // While it reconnects by itself the same reason may come once a second; once is enough in the log.
  const bool again = events_.lost && arm_->config().auto_reconnect && events_.refusal() == error.what();
  if (!again) RCLCPP_ERROR(get_logger(), "%s", error.what());
  events_.set_refusal(error.what());
  return CallbackReturn::FAILURE;
}

void So100System::let_go() {
  if (!arm_) return;
  const Fault fault = arm_->deactivate();
  if (fault != Fault::kNone) {
    RCLCPP_ERROR(get_logger(), "torque off failed (%s): the arm may still be stiff", so100::fault_name(fault));
  }
}

So100System::CallbackReturn So100System::on_deactivate(const State&) {
  let_go();
  return CallbackReturn::SUCCESS;
}

So100System::CallbackReturn So100System::on_cleanup(const State&) {
  arm_->close();
  return CallbackReturn::SUCCESS;
}

// From the active state too, without on_deactivate.
So100System::CallbackReturn So100System::on_shutdown(const State&) {
  let_go();
  arm_->close();
  return CallbackReturn::SUCCESS;
}

// SUCCESS leaves the component unconfigured, so that it can be configured again; anything else would need a new
// process.
So100System::CallbackReturn So100System::on_error(const State& previous) {
  const Fault fault = arm_->lost();
  if (fault == Fault::kNone) {
    let_go();
  } else {
    if (previous.id() == lifecycle_msgs::msg::State::PRIMARY_STATE_ACTIVE) events_.lost = true;
    RCLCPP_ERROR(get_logger(), "bus lost: %s; %s", so100::lost_text(fault).c_str(),
                 arm_->config().auto_reconnect ? "reconnecting when it is back"
                                               : "call ~/reconnect of this component's node when it is back");
  }
  arm_->close();
  return CallbackReturn::SUCCESS;
}

return_type So100System::read(const rclcpp::Time&, const rclcpp::Duration&) {
  (void)arm_->read(now_s());
  if (arm_->lost() != Fault::kNone) return return_type::ERROR;
  show_state();
  return return_type::OK;
}

return_type So100System::write(const rclcpp::Time&, const rclcpp::Duration&) {
  for (std::size_t i = 0; i < commands_.size(); ++i) {
    (void)get_command(commands_[i], goal_rad_[i], false);  // one that another thread is just reading stays as it was
  }
  (void)arm_->write(goal_rad_.data(), now_s());
  return arm_->lost() == Fault::kNone ? return_type::OK : return_type::ERROR;
}

}  // namespace so100_hardware

PLUGINLIB_EXPORT_CLASS(so100_hardware::So100System, hardware_interface::SystemInterface)
