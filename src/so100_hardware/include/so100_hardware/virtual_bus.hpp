// Simulated servos behind a pseudo-terminal, answering whatever program opens it as the real bus would.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "so100_hardware/eeprom_file.hpp"
#include "so100_hardware/fault_plan.hpp"
#include "so100_hardware/ledger.hpp"
#include "so100_hardware/packet.hpp"
#include "so100_hardware/port_link.hpp"
#include "so100_hardware/pseudo_terminal.hpp"
#include "so100_hardware/servo_chain.hpp"
#include "so100_hardware/wire.hpp"

namespace so100 {

constexpr int kInitialBaudRate = 1000000;  // of the port, for programs that set none

struct VirtualBusOptions {
  std::vector<uint8_t> servo_ids = {1, 2, 3, 4, 5, 6};
  std::string link;                 // symbolic link to the port, replaced if it is one already; empty: none
  std::vector<double> start_ticks;  // where each shaft stands until the first exchange; empty: the middle, 2048
  std::string eeprom;               // file that keeps the EEPROM between runs; empty: as new at each start
  bool wire_timing = false;         // bytes take their time; else replies come as soon as the servos' delays allow
  bool first_packet_lost = false;   // the first request after a program has opened the port is not heard
  double eeprom_write_time_s = 0.015;
};

// One thread serves the bus; every public call may come from any other thread. They meet at one mutex.
class VirtualBus {
 public:
  // Throws BusError (kBadRequest).
  explicit VirtualBus(const VirtualBusOptions& options);
  ~VirtualBus();
  VirtualBus(const VirtualBus&) = delete;
  VirtualBus& operator=(const VirtualBus&) = delete;

  std::string port() const;  // empty while unplugged; another one afterwards
  const std::string& link() const noexcept { return link_.path(); }
  std::size_t size() const noexcept { return chain_.size(); }

  // What each shaft does now (arrays of size()), then the servos' profiles move on by dt_s and tell where to.
  void exchange(const double* position_ticks, const double* speed_ticks_s, const double* load_permille, double dt_s,
                ServoSetpoint* setpoints) noexcept;

  // Both ways since the start, as they would have been on the wire.
  uint64_t bytes_carried() const noexcept { return bytes_carried_; }

  // Each shaft's position as last given.
  std::vector<double> actual_ticks() const;

  // Any register of a servo, past access rules and locks. Throws BusError (kBadRequest) for an unknown id, or a value
  // that the register cannot hold.
  int32_t get(uint8_t servo_id, const Register& r) const;
  void set(uint8_t servo_id, const Register& r, int32_t value);

  // Faults in the language of fault_script.hpp, their times counted from now. What is due at once has happened when
  // the call returns. Throws BusError (kBadRequest); then none was taken.
  void inject_fault(const std::string& script);
  // By kind: servos for those of servos, packets for those of packets.
  std::array<uint64_t, kFaultKinds> fault_counters() const;

  // The records are kept from the time they are asked for, and taken once.
  void capture(bool on);
  void record(bool on);
  std::vector<CapturedBytes> take_captured();
  std::vector<ReplyRecord> take_replies();
  std::vector<WriteRecord> take_writes();
  std::vector<FaultEvent> take_fault_events();

 private:
  struct Outgoing {
    double begin_s;
    double due_s;
    std::vector<uint8_t> bytes;
  };

  void serve();
  double next_event_s() const;
  void wait(double until_s);
  void advance_faults(double now_s);
  void set_all(const FaultCommand& command);
  void keep_eeprom();
  void plug_out();
  void plug_in();
  void receive(const uint8_t* bytes, std::size_t count, double now_s);
  void hear(const PacketView& request, bool tampered, double time_s, int baud_rate);
  void hear_tampered(const PacketView& request, double time_s, int baud_rate);
  void answer(std::vector<Reply>::const_iterator begin, std::vector<Reply>::const_iterator end, double request_s,
              double* line_free_s, int baud_rate);
  void queue(Outgoing packet);
  void send_due(double now_s);
  void wake() noexcept;

  // The serving thread's.
  Wire wire_;
  PacketParser parser_;
  std::deque<Outgoing> outgoing_;  // by due_s
  std::vector<uint8_t> batch_;
  double last_byte_s_ = 0.0;
  bool lose_next_packet_;

  // Guarded by the mutex.
  mutable std::mutex mutex_;
  ServoChain chain_;
  FaultPlan plan_;
  Ledger ledger_;
  std::unique_ptr<PseudoTerminal> terminal_;
  bool plugged_ = true;
  bool link_returns_ = true;
  bool stop_ = false;
  uint64_t requests_ = 0;
  uint64_t faults_asked_ = 0;
  uint64_t faults_done_ = 0;
  std::condition_variable fault_done_;

  const bool first_packet_lost_;
  EepromFile eeprom_;
  PortLink link_;
  int wake_fd_ = -1;
  std::atomic<uint64_t> bytes_carried_{0};
  std::thread thread_;
};

}  // namespace so100
