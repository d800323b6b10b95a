#include "so100_hardware/virtual_bus.hpp"

#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "so100_hardware/errors.hpp"
#include "so100_hardware/fault_script.hpp"

namespace so100 {

VirtualBus::VirtualBus(const VirtualBusOptions& options)
    : wire_(options.wire_timing),
      lose_next_packet_(options.first_packet_lost),
      chain_(options.servo_ids, options.start_ticks, options.eeprom_write_time_s),
      terminal_(std::make_unique<PseudoTerminal>(kInitialBaudRate, options.first_packet_lost)),
      first_packet_lost_(options.first_packet_lost),
      eeprom_(options.eeprom, &chain_),
      link_(options.link, terminal_->port()) {
  wake_fd_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake_fd_ < 0) throw BusError(ErrorKind::kBadRequest, "virtual bus: cannot make an eventfd");
  // Signals are the business of the program's other threads.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { serve(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

VirtualBus::~VirtualBus() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
  }
  wake();
  thread_.join();
  close(wake_fd_);
}

void VirtualBus::wake() noexcept {
  const uint64_t one = 1;
  (void)!::write(wake_fd_, &one, sizeof(one));
}

std::string VirtualBus::port() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return plugged_ ? terminal_->port() : "";
}

void VirtualBus::exchange(const double* position_ticks, const double* speed_ticks_s, const double* load_permille,
                          double dt_s, ServoSetpoint* setpoints) noexcept {
  const std::lock_guard<std::mutex> lock(mutex_);
  for (std::size_t i = 0; i < chain_.size(); ++i) {
    chain_[i].present(position_ticks[i], speed_ticks_s[i], load_permille[i], dt_s);
    setpoints[i] = chain_[i].setpoint();
  }
}

std::vector<double> VirtualBus::actual_ticks() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::vector<double> ticks;
  for (std::size_t i = 0; i < chain_.size(); ++i) ticks.push_back(chain_[i].actual_ticks());
  return ticks;
}

int32_t VirtualBus::get(uint8_t servo_id, const Register& r) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return const_cast<VirtualBus*>(this)->chain_.of_id(servo_id).get(r);
}

void VirtualBus::set(uint8_t servo_id, const Register& r, int32_t value) {
  if (!r.holds(value)) {
    throw BusError(ErrorKind::kBadRequest,
                   "virtual bus: " + std::string(r.name) + ": cannot hold " + std::to_string(value));
  }
  const std::lock_guard<std::mutex> lock(mutex_);
  chain_.of_id(servo_id).set(r, value);
  if (r.memory != Memory::kSram) keep_eeprom();
}

void VirtualBus::inject_fault(const std::string& script) {
  const std::vector<FaultCommand> commands = parse_fault_script(script);
  std::unique_lock<std::mutex> lock(mutex_);
  for (const FaultCommand& command : commands) {
    for (const uint8_t id : command.servos) chain_.of_id(id);
  }
  plan_.add(commands, chain_.ids(), monotonic_s());
  const uint64_t mine = ++faults_asked_;
  wake();
  fault_done_.wait(lock, [this, mine] { return faults_done_ >= mine; });
}

std::array<uint64_t, kFaultKinds> VirtualBus::fault_counters() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return ledger_.fault_counts;
}

void VirtualBus::capture(bool on) {
  const std::lock_guard<std::mutex> lock(mutex_);
  ledger_.capturing = on;
}

void VirtualBus::record(bool on) {
  const std::lock_guard<std::mutex> lock(mutex_);
  ledger_.recording = on;
}

std::vector<CapturedBytes> VirtualBus::take_captured() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return take(ledger_.captured);
}

std::vector<ReplyRecord> VirtualBus::take_replies() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return take(ledger_.replies);
}

std::vector<WriteRecord> VirtualBus::take_writes() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return take(ledger_.writes);
}

std::vector<FaultEvent> VirtualBus::take_fault_events() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return take(ledger_.events);
}

}  // namespace so100
