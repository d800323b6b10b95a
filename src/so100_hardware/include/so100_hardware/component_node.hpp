// What a ros2_control component tells and is told beside the control cycle: /diagnostics once a second, and the service
// `~/reconnect`. Both run in a thread of their own, on the node that hardware_interface makes for the component.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "diagnostic_msgs/msg/diagnostic_array.hpp"
#include "rclcpp/rclcpp.hpp"
#include "so100_hardware/arm.hpp"
#include "so100_hardware/controller_manager_client.hpp"
#include "std_srvs/srv/trigger.hpp"

namespace so100_hardware {

// Where the component's transitions and the node's thread meet.
class ComponentEvents {
 public:
  std::atomic<bool> lost{false};  // the bus was lost while active, and the component was not active since

  // Why the last transition was refused, "" when it was not.
  void set_refusal(const std::string& text) {
    const std::lock_guard<std::mutex> lock(mutex_);
    refusal_ = text;
  }
  std::string refusal() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return refusal_;
  }

 private:
  mutable std::mutex mutex_;
  std::string refusal_;
};

class ComponentNode {
 public:
  // All three outlive the object.
  ComponentNode(rclcpp::Node::SharedPtr node, const std::string& component, const so100::Arm& arm,
                const ComponentEvents& events);
  ~ComponentNode();
  ComponentNode(const ComponentNode&) = delete;
  ComponentNode& operator=(const ComponentNode&) = delete;

 private:
  using Trigger = std_srvs::srv::Trigger;

  void run();
  void publish_diagnostics();
  void try_by_itself();
  // The way back to an active component and the controllers it had, whatever state it is in. A request that needs
  // nothing does nothing.
  Trigger::Response reconnect();

  rclcpp::Node::SharedPtr node_;
  const so100::Arm& arm_;
  const ComponentEvents& events_;
  rclcpp::CallbackGroup::SharedPtr group_;
  rclcpp::executors::SingleThreadedExecutor executor_;
  ControllerManagerClient manager_;
  rclcpp::Publisher<diagnostic_msgs::msg::DiagnosticArray>::SharedPtr diagnostics_;
  rclcpp::Service<Trigger>::SharedPtr service_;
  // Requests are answered between two rounds of the executor: reconnecting itself waits for other services.
  std::vector<std::shared_ptr<rmw_request_id_t>> requests_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace so100_hardware
