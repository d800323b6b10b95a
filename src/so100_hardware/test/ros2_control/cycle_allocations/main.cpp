// Counts the allocations of the thread that runs the plugin's control cycle. The one argument is a file with a robot
// description whose port is there.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <new>
#include <sstream>

#include "hardware_interface/component_parser.hpp"
#include "hardware_interface/system_interface.hpp"
#include "pluginlib/class_loader.hpp"
#include "rclcpp/rclcpp.hpp"

namespace {
thread_local unsigned long allocations = 0;
}  // namespace

void* operator new(std::size_t size) {
  ++allocations;
  if (void* p = std::malloc(size)) return p;
  throw std::bad_alloc();
}
void* operator new[](std::size_t size) { return operator new(size); }
void operator delete(void* p) noexcept { std::free(p); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t) noexcept { std::free(p); }

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  rclcpp::init(0, nullptr);
  std::stringstream urdf;
  urdf << std::ifstream(argv[1]).rdbuf();
  const auto executor = std::make_shared<rclcpp::executors::SingleThreadedExecutor>();
  hardware_interface::HardwareComponentParams params;
  params.hardware_info = hardware_interface::parse_control_resources_from_urdf(urdf.str()).at(0);
  params.clock = std::make_shared<rclcpp::Clock>();
  params.executor = executor;
  pluginlib::ClassLoader<hardware_interface::SystemInterface> loader("hardware_interface",
                                                                     "hardware_interface::SystemInterface");
  auto plugin = loader.createUniqueInstance(params.hardware_info.hardware_plugin_name);
  using hardware_interface::CallbackReturn;
  const rclcpp_lifecycle::State unused;
  if (plugin->init(params) != CallbackReturn::SUCCESS) return 3;
  const auto states = plugin->on_export_state_interfaces();
  const auto commands = plugin->on_export_command_interfaces();
  if (plugin->on_configure(unused) != CallbackReturn::SUCCESS) return 4;
  if (plugin->on_activate(unused) != CallbackReturn::SUCCESS) return 5;
  const rclcpp::Time time;
  const rclcpp::Duration period(0, 10000000);
  int failed = 0;
  const unsigned long before = allocations;
  for (int cycle = 0; cycle < 300; ++cycle) {
    failed += plugin->read(time, period) != hardware_interface::return_type::OK;
    failed += plugin->write(time, period) != hardware_interface::return_type::OK;
  }
  const unsigned long counted = allocations - before;
  std::printf("%lu allocations in 300 cycles, %d failed, %zu states\n", counted, failed, states.size());
  plugin->on_shutdown(unused);
  plugin.reset();
  rclcpp::shutdown();
  return 0;
}
