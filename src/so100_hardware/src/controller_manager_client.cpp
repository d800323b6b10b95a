#include "so100_hardware/controller_manager_client.hpp"

#include <algorithm>
#include <memory>
#include <utility>

#include "lifecycle_msgs/msg/state.hpp"

namespace so100_hardware {
namespace {

using lifecycle_msgs::msg::State;

// A transition may wait for a simulator's port and park the arm before that.
constexpr std::chrono::seconds kAnswerTimeout{30};
constexpr std::chrono::milliseconds kSlice{50};
constexpr std::chrono::seconds kSwitchTimeout{5};

}  // namespace

ControllerManagerClient::ControllerManagerClient(const rclcpp::Node::SharedPtr& node,
                                                 const rclcpp::CallbackGroup::SharedPtr& group,
                                                 rclcpp::Executor& executor, std::string component,
                                                 const std::atomic<bool>& stop)
    : executor_(executor), component_(std::move(component)), stop_(stop) {
  const rclcpp::ServicesQoS qos;
  list_ = node->create_client<ListControllers>("controller_manager/list_controllers", qos, group);
  set_state_ = node->create_client<SetState>("controller_manager/set_hardware_component_state", qos, group);
  switch_ = node->create_client<Switch>("controller_manager/switch_controller", qos, group);
  rclcpp::SubscriptionOptions options;
  options.callback_group = group;
  activity_ = node->create_subscription<Activity>(
      "controller_manager/activity", rclcpp::QoS(1).reliable().transient_local(),
      [this](const Activity& activity) { remember(activity); }, options);
}

void ControllerManagerClient::remember(const Activity& activity) {
  if (keep_) return;
  const auto& components = activity.hardware_components;
  const bool active = std::any_of(components.begin(), components.end(), [this](const auto& component) {
    return component.name == component_ && component.state.id == State::PRIMARY_STATE_ACTIVE;
  });
  if (!active) return;
  active_.clear();
  for (const auto& controller : activity.controllers) {
    if (controller.state.id == State::PRIMARY_STATE_ACTIVE) active_.push_back(controller.name);
  }
}

bool ControllerManagerClient::set_component_state(uint8_t state) {
  auto request = std::make_shared<SetState::Request>();
  request->name = component_;
  request->target_state.id = state;
  const auto response = call(*set_state_, request);
  return response && response->ok;
}

bool ControllerManagerClient::deactivate(const std::vector<std::string>& controllers) {
  return switch_controllers({}, controllers);
}

bool ControllerManagerClient::activate_inactive(const std::vector<std::string>& controllers,
                                                std::vector<std::string>* activated) {
  const auto listed = call(*list_, std::make_shared<ListControllers::Request>());
  if (!listed) return false;
  std::vector<std::string> inactive;
  for (const auto& controller : listed->controller) {
    const bool wanted = std::find(controllers.begin(), controllers.end(), controller.name) != controllers.end();
    if (wanted && controller.state == "inactive") inactive.push_back(controller.name);
  }
  if (!switch_controllers(inactive, {})) return false;
  *activated = inactive;
  return true;
}

bool ControllerManagerClient::switch_controllers(const std::vector<std::string>& activate,
                                                 const std::vector<std::string>& deactivate) {
  if (activate.empty() && deactivate.empty()) return true;
  auto request = std::make_shared<Switch::Request>();
  request->activate_controllers = activate;
  request->deactivate_controllers = deactivate;
  request->strictness = Switch::Request::BEST_EFFORT;
  request->activate_asap = true;
  request->timeout = rclcpp::Duration(kSwitchTimeout);
  const auto response = call(*switch_, request);
  return response && response->ok;
}

template <typename Service>
typename Service::Response::SharedPtr ControllerManagerClient::call(
    rclcpp::Client<Service>& client, const typename Service::Request::SharedPtr& request) {
  if (!client.service_is_ready()) return nullptr;
  auto pending = client.async_send_request(request);
  const auto deadline = std::chrono::steady_clock::now() + kAnswerTimeout;
  while (!stop_ && std::chrono::steady_clock::now() < deadline) {
    const auto result = executor_.spin_until_future_complete(pending.future, kSlice);
    if (result == rclcpp::FutureReturnCode::SUCCESS) return pending.future.get();
    if (result == rclcpp::FutureReturnCode::INTERRUPTED) break;
  }
  client.remove_pending_request(pending.request_id);
  return nullptr;
}

}  // namespace so100_hardware
