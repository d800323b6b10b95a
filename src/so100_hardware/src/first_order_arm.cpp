#include "so100_hardware/first_order_arm.hpp"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <chrono>

namespace so100 {

FirstOrderArm::FirstOrderArm(VirtualBus& bus) : bus_(bus), position_ticks_(bus.actual_ticks()) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

FirstOrderArm::~FirstOrderArm() {
  stop_ = true;
  thread_.join();
}

void FirstOrderArm::run() {
  const std::size_t n = position_ticks_.size();
  std::vector<double> speed(n, 0.0);
  std::vector<double> load(n, 0.0);
  std::vector<ServoSetpoint> setpoints(n);
  auto next = std::chrono::steady_clock::now();
  while (!stop_) {
    bus_.exchange(position_ticks_.data(), speed.data(), load.data(), kStepS, setpoints.data());
    for (std::size_t i = 0; i < n; ++i) {
      const double error = setpoints[i].position_ticks - position_ticks_[i];
      const double fastest = kFastestTicksS * setpoints[i].torque_share;  // 0 without torque
      speed[i] = std::clamp(error / kTimeConstantS, -fastest, fastest);
      load[i] = 1000.0 * speed[i] / kFastestTicksS;
      position_ticks_[i] += speed[i] * kStepS;
    }
    next += std::chrono::duration_cast<std::chrono::steady_clock::duration>(std::chrono::duration<double>(kStepS));
    std::this_thread::sleep_until(next);
  }
}

}  // namespace so100
