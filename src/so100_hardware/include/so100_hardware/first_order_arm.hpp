// The world behind a virtual bus when no simulator is: each shaft follows its setpoint as a first-order lag.
#pragma once

#include <atomic>
#include <thread>
#include <vector>

#include "so100_hardware/virtual_bus.hpp"

namespace so100 {

constexpr double kTimeConstantS = 0.03;    // of the lag
constexpr double kFastestTicksS = 3400.0;  // no-load speed at 7.4 V
constexpr double kStepS = 0.005;

// Without torque a shaft stays where it is. Runs in a thread of its own until destroyed.
class FirstOrderArm {
 public:
  // Starts where the bus's shafts stand. The bus must outlive the arm.
  explicit FirstOrderArm(VirtualBus& bus);
  ~FirstOrderArm();
  FirstOrderArm(const FirstOrderArm&) = delete;
  FirstOrderArm& operator=(const FirstOrderArm&) = delete;

 private:
  void run();

  VirtualBus& bus_;
  std::vector<double> position_ticks_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace so100
