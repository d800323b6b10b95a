#include "so100_hardware/virtual_bus.hpp"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <pty.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "so100_hardware/errors.hpp"

namespace so100 {
namespace {

// A packet that has stopped growing for this long is given up, so that a broken one cannot swallow the next.
constexpr int kPacketPatienceMs = 20;
// A program that was killed leaves the terminal marked exclusive, and the mark would keep its successor out. After
// this long without a byte nobody is taken to be driving.
constexpr int kIdleMs = 500;
constexpr double kMiddleTicks = 2048.0;

[[noreturn]] void throw_errno(const std::string& what) {
  throw BusError(ErrorKind::kBadRequest, "virtual bus: " + what + ": " + std::strerror(errno));
}

void make_link(const std::string& link, const std::string& port) {
  struct stat existing{};
  if (lstat(link.c_str(), &existing) == 0) {
    if (!S_ISLNK(existing.st_mode)) {
      throw BusError(ErrorKind::kBadRequest, "virtual bus: link " + link + " exists and is no symbolic link");
    }
    unlink(link.c_str());
  }
  if (symlink(port.c_str(), link.c_str()) != 0) throw_errno("cannot link " + link);
}

bool links_to(const std::string& link, const std::string& port) {
  char target[256];
  const ssize_t n = readlink(link.c_str(), target, sizeof(target));
  return n > 0 && port == std::string(target, static_cast<std::size_t>(n));
}

}  // namespace

VirtualBus::VirtualBus(const std::vector<uint8_t>& servo_ids, const std::string& link,
                       const std::vector<double>& start_ticks)
    : link_(link) {
  if (!start_ticks.empty() && start_ticks.size() != servo_ids.size()) {
    throw BusError(ErrorKind::kBadRequest, "virtual bus: start_ticks: expected " + std::to_string(servo_ids.size()) +
                                               " numbers, found " + std::to_string(start_ticks.size()));
  }
  for (std::size_t i = 0; i < servo_ids.size(); ++i) {
    const uint8_t id = servo_ids[i];
    if (id >= kBroadcastId || std::count(servo_ids.begin(), servo_ids.end(), id) != 1) {
      throw BusError(ErrorKind::kBadRequest, "virtual bus: servo_ids: expected different ids of 0 to 253, found " +
                                                 std::to_string(id) + (id < kBroadcastId ? " twice" : ""));
    }
    servos_.push_back({VirtualServo(id, start_ticks.empty() ? kMiddleTicks : start_ticks[i])});
  }
  replies_.reserve(servo_ids.size());
  char name[64];
  if (openpty(&master_fd_, &slave_fd_, name, nullptr, nullptr) != 0) throw_errno("cannot open a pseudo-terminal");
  port_ = name;
  try {
    termios raw{};
    tcgetattr(slave_fd_, &raw);
    cfmakeraw(&raw);
    tcsetattr(slave_fd_, TCSANOW, &raw);
    for (const int fd : {master_fd_, slave_fd_}) fcntl(fd, F_SETFD, FD_CLOEXEC);
    fcntl(master_fd_, F_SETFL, O_NONBLOCK);
    stop_fd_ = eventfd(0, EFD_CLOEXEC);
    if (stop_fd_ < 0) throw_errno("eventfd");
    if (!link_.empty()) make_link(link_, port_);
    // Signals are the business of the program's other threads.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    thread_ = std::thread([this] { serve(); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  } catch (...) {
    close(master_fd_);
    close(slave_fd_);
    if (stop_fd_ >= 0) close(stop_fd_);
    throw;
  }
}

VirtualBus::~VirtualBus() {
  const uint64_t one = 1;
  if (::write(stop_fd_, &one, sizeof(one)) == sizeof(one)) thread_.join();
  if (!link_.empty() && links_to(link_, port_)) unlink(link_.c_str());
  close(master_fd_);
  close(slave_fd_);
  close(stop_fd_);
}

void VirtualBus::exchange(const double* position_ticks, const double* speed_ticks_s, const double* load_permille,
                          double dt_s, ServoSetpoint* setpoints) noexcept {
  const std::lock_guard<std::mutex> lock(mutex_);
  for (std::size_t i = 0; i < servos_.size(); ++i) {
    servos_[i].servo.present(position_ticks[i], speed_ticks_s[i], load_permille[i], dt_s);
    setpoints[i] = servos_[i].servo.setpoint();
  }
}

std::vector<double> VirtualBus::actual_ticks() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::vector<double> ticks;
  for (const Slot& slot : servos_) ticks.push_back(slot.servo.actual_ticks());
  return ticks;
}

VirtualBus::Slot& VirtualBus::slot_of(uint8_t servo_id) {
  for (Slot& slot : servos_) {
    if (slot.servo.id() == servo_id) return slot;
  }
  throw BusError(ErrorKind::kBadRequest, "virtual bus: no servo with id " + std::to_string(servo_id));
}

int32_t VirtualBus::get(uint8_t servo_id, const Register& r) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return const_cast<VirtualBus*>(this)->slot_of(servo_id).servo.get(r);
}

void VirtualBus::set(uint8_t servo_id, const Register& r, int32_t value) {
  if (!r.holds(value)) {
    throw BusError(ErrorKind::kBadRequest,
                   "virtual bus: " + std::string(r.name) + ": cannot hold " + std::to_string(value));
  }
  const std::lock_guard<std::mutex> lock(mutex_);
  slot_of(servo_id).servo.set(r, value);
}

void VirtualBus::mute(uint8_t servo_id, bool muted) {
  const std::lock_guard<std::mutex> lock(mutex_);
  slot_of(servo_id).muted = muted;
}

void VirtualBus::inject(const std::vector<uint8_t>& bytes) {
  const std::lock_guard<std::mutex> lock(mutex_);
  noise_.insert(noise_.end(), bytes.begin(), bytes.end());
}

void VirtualBus::serve() noexcept {
  pollfd watched[2] = {{master_fd_, POLLIN, 0}, {stop_fd_, POLLIN, 0}};
  uint8_t bytes[512];
  for (;;) {
    const bool waiting = parser_.pending() > 0;
    const int ready = poll(watched, 2, waiting ? kPacketPatienceMs : kIdleMs);
    if (watched[1].revents != 0) return;
    if (ready == 0 && waiting) parser_.skip();
    if (ready == 0 && !waiting) (void)ioctl(slave_fd_, TIOCNXCL);
    if (ready > 0) {
      const ssize_t n = ::read(master_fd_, bytes, sizeof(bytes));
      if (n > 0) {
        bytes_carried_ += static_cast<uint64_t>(n);
        parser_.push(bytes, static_cast<std::size_t>(n));
      }
    }
    PacketView request{};
    while (parser_.next(&request)) {
      {
        const std::lock_guard<std::mutex> lock(mutex_);
        handle(request);
      }
      send_replies();
    }
  }
}

void VirtualBus::handle(const PacketView& request) noexcept {
  const auto instruction = static_cast<Instruction>(request.code);
  if (instruction == Instruction::kSyncRead) return handle_sync_read(request);
  if (instruction == Instruction::kSyncWrite) return handle_sync_write(request);
  const bool broadcast = request.id == kBroadcastId;
  for (Slot& slot : servos_) {
    if (slot.muted || (!broadcast && slot.servo.id() != request.id)) continue;
    // One servo has the id; a write may just have given it another.
    if (execute(slot.servo, instruction, request.parameters, request.count, broadcast) && !broadcast) break;
  }
}

// True when the instruction was this servo's and has been dealt with.
bool VirtualBus::execute(VirtualServo& servo, Instruction instruction, const uint8_t* parameters, std::size_t count,
                         bool broadcast) noexcept {
  const uint8_t id = servo.id();
  bool acknowledge = false;
  switch (instruction) {
    case Instruction::kPing:
      reply(servo, nullptr, 0);  // all answer a broadcast one, in the order of the bus
      break;
    case Instruction::kRead: {
      if (broadcast || count != 2 || parameters[1] > kMaxParameters) break;
      uint8_t data[kMaxParameters];
      servo.read(parameters[0], parameters[1], data);
      reply(servo, data, parameters[1]);
      break;
    }
    case Instruction::kWrite:
      if (count < 2) break;
      servo.write(parameters[0], parameters + 1, count - 1);
      acknowledge = !broadcast;
      break;
    case Instruction::kRegWrite:
      if (count < 2) break;
      servo.reg_write(parameters[0], parameters + 1, count - 1);
      acknowledge = !broadcast;
      break;
    case Instruction::kAction:
      servo.action();
      acknowledge = !broadcast;
      break;
    default:
      break;
  }
  if (acknowledge && servo.answers_writes()) {
    reply(servo, nullptr, 0);
    // The acknowledgement of a new id still comes from the old one.
    Reply& last = replies_.back();
    last.size = encode_packet(id, servo.error_bits(), nullptr, 0, last.bytes.data());
  }
  return true;
}

void VirtualBus::handle_sync_read(const PacketView& request) noexcept {
  if (request.count < 2 || request.parameters[1] > kMaxParameters) return;
  uint8_t data[kMaxParameters];
  const std::size_t size = request.parameters[1];
  for (std::size_t i = 2; i < request.count; ++i) {
    for (const Slot& slot : servos_) {
      if (slot.muted || slot.servo.id() != request.parameters[i]) continue;
      slot.servo.read(request.parameters[0], size, data);
      reply(slot.servo, data, size);
    }
  }
}

void VirtualBus::handle_sync_write(const PacketView& request) noexcept {
  if (request.count < 2 || request.parameters[1] == 0) return;
  const std::size_t size = request.parameters[1];
  for (std::size_t i = 2; i + size < request.count; i += 1 + size) {
    for (Slot& slot : servos_) {
      if (slot.muted || slot.servo.id() != request.parameters[i]) continue;
      slot.servo.write(request.parameters[0], request.parameters + i + 1, size);
      break;
    }
  }
}

void VirtualBus::reply(const VirtualServo& servo, const uint8_t* parameters, std::size_t count) noexcept {
  if (replies_.size() == replies_.capacity()) return;  // an id listed twice in a sync read
  Reply packet{servo.return_delay_s(), 0, {}};
  packet.size = encode_packet(servo.id(), servo.error_bits(), parameters, count, packet.bytes.data());
  replies_.push_back(packet);
}

void VirtualBus::send_replies() noexcept {
  if (replies_.empty()) return;
  std::vector<uint8_t> noise;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    noise.swap(noise_);
  }
  // A reader that does not read loses bytes once the terminal's buffer is full, as on a wire: hence no retry.
  bytes_carried_ += noise.size();
  if (!noise.empty()) (void)!::write(master_fd_, noise.data(), noise.size());
  for (const Reply& packet : replies_) {
    if (packet.delay_s > 0.0) std::this_thread::sleep_for(std::chrono::duration<double>(packet.delay_s));
    bytes_carried_ += packet.size;
    (void)!::write(master_fd_, packet.bytes.data(), packet.size);
  }
  replies_.clear();
}

}  // namespace so100
