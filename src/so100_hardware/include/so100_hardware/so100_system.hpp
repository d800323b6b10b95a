// The arm as a ros2_control system: lifecycle and control cycle of one so100::Arm, which has all the rules.
//
//   controller_manager      Arm
//   on_init                 its configuration is parsed, every interface checked; the node's thread starts
//   on_configure            open        port, servos, first reading
//   on_activate             activate    goals at the present positions, then torque
//   read, write             read, write
//   on_deactivate           deactivate  parked and without torque as the description says
//   on_cleanup, on_error    close       afterwards it can be configured again
//
// Threads. controller_manager keeps lifecycle calls and the control cycle apart (it skips a component's cycle while a
// transition has its lock), so nothing here is locked against that. ComponentNode's thread is beside both. It meets
// them in three places: Arm::report and Arm::status, behind a mutex that the cycle only tries; `lost`, an atomic; and
// `refusal`, behind a mutex that only transitions take.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "hardware_interface/system_interface.hpp"
#include "rclcpp/duration.hpp"
#include "rclcpp/time.hpp"
#include "rclcpp_lifecycle/state.hpp"
#include "so100_hardware/arm.hpp"
#include "so100_hardware/component_node.hpp"

namespace so100_hardware {

class So100System : public hardware_interface::SystemInterface {
 public:
  using CallbackReturn = hardware_interface::CallbackReturn;
  using State = rclcpp_lifecycle::State;

  ~So100System() override;

  CallbackReturn on_init(const hardware_interface::HardwareComponentInterfaceParams& params) override;
  // FAILURE, and unconfigured as before, where the port or a servo is not as described. Beside a simulator, that is
  // with auto_reconnect, it first waits for the port to appear.
  CallbackReturn on_configure(const State& previous) override;
  CallbackReturn on_cleanup(const State& previous) override;
  // FAILURE, inactive and without torque, where a servo does not answer.
  CallbackReturn on_activate(const State& previous) override;
  CallbackReturn on_deactivate(const State& previous) override;
  CallbackReturn on_shutdown(const State& previous) override;
  CallbackReturn on_error(const State& previous) override;

  // ERROR only when the bus as a whole is lost. Neither throws nor allocates.
  hardware_interface::return_type read(const rclcpp::Time& time, const rclcpp::Duration& period) override;
  hardware_interface::return_type write(const rclcpp::Time& time, const rclcpp::Duration& period) override;

 private:
  // One state interface: what it shows of which joint.
  struct Shown {
    hardware_interface::StateInterface::SharedPtr handle;
    double (*value)(const so100::GroupState&, std::size_t joint);
    std::size_t joint;
  };

  CallbackReturn refuse(const so100::BusError& error);
  void let_go();
  void open_arm();
  void find_handles();
  void show_state();

  std::unique_ptr<so100::Arm> arm_;
  std::vector<Shown> shown_;
  std::vector<hardware_interface::CommandInterface::SharedPtr> commands_;  // by joint
  std::array<double, so100::kMaxServos> goal_rad_{};
  ComponentEvents events_;
  bool opened_before_ = false;
  std::unique_ptr<ComponentNode> node_;  // its thread uses the above, so it goes first
};

}  // namespace so100_hardware
