// controller_manager as a hardware component sees it: which controllers are active with it, and how to bring it and
// them back. Lives in one thread, that of `executor`.
#pragma once

#include <atomic>
#include <chrono>
#include <string>
#include <vector>

#include "controller_manager_msgs/msg/controller_manager_activity.hpp"
#include "controller_manager_msgs/srv/list_controllers.hpp"
#include "controller_manager_msgs/srv/set_hardware_component_state.hpp"
#include "controller_manager_msgs/srv/switch_controller.hpp"
#include "rclcpp/rclcpp.hpp"

namespace so100_hardware {

class ControllerManagerClient {
 public:
  // `controller_manager` of the node's namespace. Calls return early once `stop` is set.
  ControllerManagerClient(const rclcpp::Node::SharedPtr& node, const rclcpp::CallbackGroup::SharedPtr& group,
                          rclcpp::Executor& executor, std::string component, const std::atomic<bool>& stop);

  // The controllers that were active when the component last was, as controller_manager tells on ~/activity. While
  // `keep` is set the list stays: what happens then is not what the user wanted to have active.
  const std::vector<std::string>& active_controllers() const { return active_; }
  void keep(bool on) { keep_ = on; }

  // The following wait for controller_manager's answer. False where there is none or it refuses.
  bool set_component_state(uint8_t state);
  bool deactivate(const std::vector<std::string>& controllers);
  // Those of `controllers` that are inactive; the list gets those that it could activate.
  bool activate_inactive(const std::vector<std::string>& controllers, std::vector<std::string>* activated);

 private:
  using Activity = controller_manager_msgs::msg::ControllerManagerActivity;
  using ListControllers = controller_manager_msgs::srv::ListControllers;
  using SetState = controller_manager_msgs::srv::SetHardwareComponentState;
  using Switch = controller_manager_msgs::srv::SwitchController;

  void remember(const Activity& activity);
  bool switch_controllers(const std::vector<std::string>& activate, const std::vector<std::string>& deactivate);
  template <typename Service>
  typename Service::Response::SharedPtr call(rclcpp::Client<Service>& client,
                                             const typename Service::Request::SharedPtr& request);

  rclcpp::Executor& executor_;
  std::string component_;
  const std::atomic<bool>& stop_;
  bool keep_ = false;
  std::vector<std::string> active_;
  rclcpp::Subscription<Activity>::SharedPtr activity_;
  rclcpp::Client<ListControllers>::SharedPtr list_;
  rclcpp::Client<SetState>::SharedPtr set_state_;
  rclcpp::Client<Switch>::SharedPtr switch_;
};

}  // namespace so100_hardware
