#include "so100_hardware/component_node.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "lifecycle_msgs/msg/state.hpp"

namespace so100_hardware {
namespace {

using diagnostic_msgs::msg::DiagnosticArray;
using diagnostic_msgs::msg::DiagnosticStatus;
using diagnostic_msgs::msg::KeyValue;
using lifecycle_msgs::msg::State;
using so100::Trouble;

constexpr std::chrono::seconds kPeriod{1};
constexpr std::chrono::milliseconds kRound{100};

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text.empty() ? "none" : text;
}

std::vector<std::string> joints_in(const so100::Arm& arm, const so100::ArmStatus& status, Trouble trouble) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < arm.size(); ++i) {
    if (status.troubles[i] == trouble) names.push_back(arm.config().joints[i].servo.name);
  }
  return names;
}

}  // namespace

ComponentNode::ComponentNode(rclcpp::Node::SharedPtr node, const std::string& component, const so100::Arm& arm,
                             const ComponentEvents& events)
    : node_(std::move(node)),
      arm_(arm),
      events_(events),
      group_(node_->create_callback_group(rclcpp::CallbackGroupType::MutuallyExclusive, false)),
      manager_(node_, group_, executor_, component, stop_) {
  diagnostics_ = node_->create_publisher<DiagnosticArray>("/diagnostics", 10);
  service_ = node_->create_service<Trigger>(
      "~/reconnect",
      [this](std::shared_ptr<rmw_request_id_t> id, Trigger::Request::SharedPtr) { requests_.push_back(std::move(id)); },
      rclcpp::ServicesQoS(), group_);
  executor_.add_callback_group(group_, node_->get_node_base_interface());
  thread_ = std::thread([this] { run(); });
}

ComponentNode::~ComponentNode() {
  stop_ = true;
  thread_.join();
}

void ComponentNode::run() {
  const auto context = node_->get_node_base_interface()->get_context();
  auto next = std::chrono::steady_clock::now() + kPeriod;
  while (!stop_ && rclcpp::ok(context)) {
    try {
      executor_.spin_once(kRound);
      while (!requests_.empty()) {
        const auto id = requests_.front();
        requests_.erase(requests_.begin());
        Trigger::Response response = reconnect();
        if (!stop_) service_->send_response(*id, response);
      }
      if (std::chrono::steady_clock::now() < next) continue;
      next = std::chrono::steady_clock::now() + kPeriod;
      publish_diagnostics();
      try_by_itself();
    } catch (const std::exception& error) {
      if (!rclcpp::ok(context)) return;  // the end of the process pulls the context away under any call
      RCLCPP_ERROR(node_->get_logger(), "diagnostics and reconnect: %s", error.what());
      std::this_thread::sleep_for(kRound);
    }
  }
}

void ComponentNode::publish_diagnostics() {
  DiagnosticArray message;
  message.header.stamp = node_->now();
  for (const so100::Health& health : arm_.report()) {
    DiagnosticStatus status;
    status.level = health.level;
    status.name = std::string(node_->get_name()) + ": " + health.name;
    status.message = health.message;
    status.hardware_id = arm_.config().usb_port;
    for (const auto& [key, value] : health.values) {
      KeyValue& pair = status.values.emplace_back();
      pair.key = key;
      pair.value = value;
    }
    message.status.push_back(std::move(status));
  }
  diagnostics_->publish(message);
}

void ComponentNode::try_by_itself() {
  if (!events_.lost || !arm_.config().auto_reconnect) return;
  if (access(arm_.config().usb_port.c_str(), F_OK) != 0) return;  // not back yet: not worth a line in the log
  const Trigger::Response response = reconnect();
  if (response.success) RCLCPP_INFO(node_->get_logger(), "%s", response.message.c_str());
}

ComponentNode::Trigger::Response ComponentNode::reconnect() {
  Trigger::Response response;
  const so100::ArmStatus status = arm_.status();
  const std::vector<std::string> limp = joints_in(arm_, status, Trouble::kLimp);
  const std::vector<std::string> mute = joints_in(arm_, status, Trouble::kMute);
  const bool active = status.phase == so100::ArmPhase::kActive && !events_.lost;
  if (active && !mute.empty()) {
    // Starting anew needs all servos: the others would lose their torque for nothing.
    response.message = "expected every servo to answer, found " + joined(mute) +
                       " mute: check its cable. The others hold; the arm goes on when it answers again";
    return response;
  }
  if (active && limp.empty()) {
    response.success = true;
    response.message = "nothing to do: active, every servo answers and has its torque";
    return response;
  }
  const std::vector<std::string> controllers = manager_.active_controllers();
  manager_.keep(true);
  bool done = true;
  if (active) done = manager_.deactivate(controllers) && manager_.set_component_state(State::PRIMARY_STATE_INACTIVE);
  done = done && manager_.set_component_state(State::PRIMARY_STATE_ACTIVE);
  std::vector<std::string> activated;
  const bool resumed = done && manager_.activate_inactive(controllers, &activated);
  manager_.keep(false);
  if (!done) {
    const std::string refusal = events_.refusal();
    response.message =
        refusal.empty() ? "controller_manager did not change the component's state: see its log" : refusal;
  } else if (!resumed) {
    response.message = "active again, holding; but controller_manager did not activate " + joined(controllers) +
                       ": see its log, then activate them with ros2 control switch_controllers";
  } else {
    response.success = true;
    response.message = "active again, holding; controllers activated: " + joined(activated);
  }
  return response;
}

}  // namespace so100_hardware
