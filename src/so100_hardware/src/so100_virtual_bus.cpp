// so100_virtual_bus: servos without an arm. Prints the port that programs open, and serves it until SIGINT or SIGTERM.
#include <signal.h>

#include <cstdlib>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "so100_hardware/errors.hpp"
#include "so100_hardware/first_order_arm.hpp"
#include "so100_hardware/virtual_bus.hpp"

namespace {

constexpr const char* kUsage =
    "usage: so100_virtual_bus [--link PATH] [--ids 1,2,3,4,5,6] [--ticks 2048,...]\n"
    "  --link PATH   symbolic link to the port, removed at the end\n"
    "  --ids LIST    servo ids on the bus\n"
    "  --ticks LIST  where each shaft stands at the start (default: the middle, 2048)\n";

bool numbers(const std::string& text, double lowest, double highest, std::vector<double>* out) {
  std::istringstream stream(text);
  std::string part;
  out->clear();
  while (std::getline(stream, part, ',')) {
    char* end = nullptr;
    out->push_back(std::strtod(part.c_str(), &end));
    if (end == part.c_str() || *end != 0 || !(out->back() >= lowest && out->back() <= highest)) return false;
  }
  return !out->empty();
}

}  // namespace

int main(int argc, char** argv) {
  std::string link;
  std::vector<double> ids = {1, 2, 3, 4, 5, 6};
  std::vector<double> ticks;
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    const bool has_value = i + 1 < argc;
    if (option == "--help") {
      std::cout << kUsage;
      return 0;
    }
    if (option == "--ros-args") break;  // what `ros2 run` and launch files add is not for this program
    bool good = has_value;
    if (good && option == "--link") {
      link = argv[++i];
    } else if (good && option == "--ids") {
      good = numbers(argv[++i], 0, 253, &ids);
    } else if (good && option == "--ticks") {
      good = numbers(argv[++i], -32767, 32767, &ticks);
    } else {
      good = false;
    }
    if (!good) {
      std::cerr << "so100_virtual_bus: cannot use " << option << (has_value ? std::string(" ") + argv[i] : "") << "\n"
                << kUsage;
      return 2;
    }
  }
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGINT);
  sigaddset(&stop, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &stop, nullptr);
  try {
    so100::VirtualBusOptions options;
    options.servo_ids.assign(ids.begin(), ids.end());
    options.link = link;
    options.start_ticks = ticks;
    so100::VirtualBus bus(options);
    const so100::FirstOrderArm arm(bus);
    std::cout << bus.port() << std::endl;
    int signal = 0;
    sigwait(&stop, &signal);
  } catch (const so100::BusError& error) {
    std::cerr << error.what() << "\n";
    return 2;
  }
  return 0;
}
