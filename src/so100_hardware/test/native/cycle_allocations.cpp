// Counts the allocations of the thread that runs the control cycle, in calm and in trouble: there must be none.
#include <cstdio>
#include <cstdlib>
#include <new>

#include "so100_hardware/arm.hpp"
#include "so100_hardware/virtual_bus.hpp"

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

int main() {
  so100::VirtualBusOptions options;
  options.servo_ids = {1, 2};
  so100::VirtualBus bus(options);
  const auto joint = [](const char* name, const char* id) {
    return so100::JointBlock{name,
                             {{"id", id},
                              {"sign", "1"},
                              {"zero_ticks", "2047"},
                              {"range_min", "500"},
                              {"range_max", "3500"},
                              {"max_velocity", "4"}},
                             "-2",
                             "2"};
  };
  so100::Arm arm(
      so100::parse_arm_config({{"usb_port", bus.port()}, {"baud_rate", "1000000"}, {"reply_timeout", "0.01"}},
                              {joint("a", "1"), joint("b", "2")}));
  double now_s = 0.0;
  arm.open(now_s);
  arm.activate(now_s);
  const double goal[] = {3.0, 0.1};  // clamped and slowed
  allocations = 0;
  for (int cycle = 0; cycle < 300; ++cycle) {
    if (cycle == 100) {
      const unsigned long before = allocations;
      bus.inject_fault("foreign bytes FF FF 01 02 03 count 1");
      allocations = before;
    }
    if (cycle == 150 || cycle == 250) {
      const unsigned long before = allocations;
      bus.inject_fault(cycle == 150 ? "mute servo 2" : "clear");  // silent, mute, asked again
      allocations = before;
    }
    now_s += 0.01;
    (void)arm.read(now_s);
    (void)arm.write(goal, now_s);
  }
  const unsigned long in_cycles = allocations;
  const so100::ArmCounters counters = arm.counters();
  std::printf("%lu allocations in %lu cycles, %lu of them held\n", in_cycles,
              static_cast<unsigned long>(counters.cycles), static_cast<unsigned long>(counters.held_cycles));
  arm.deactivate();
  return in_cycles == 0 && counters.held_cycles > 50 && counters.clamped_goals > 0 ? 0 : 1;
}
