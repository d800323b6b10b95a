// The thread that serves a virtual bus: it listens, lets time pass for the faults, and sends what is due.
#include <poll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "so100_hardware/errors.hpp"
#include "so100_hardware/packet_faults.hpp"
#include "so100_hardware/virtual_bus.hpp"

namespace so100 {
namespace {

// A packet that has stopped growing for this long is given up, so that a broken one cannot swallow the next.
constexpr double kPacketPatienceS = 0.02;
// A program that was killed leaves the terminal marked exclusive, and the mark would keep its successor out. After
// this long without a byte nobody is taken to be driving.
constexpr double kIdleS = 0.5;
// After bytes came, more are looked for without sleeping: most masters' next request is near, and falling asleep and
// waking up would take longer than answering.
constexpr double kAwakeS = 60e-6;

}  // namespace

void VirtualBus::serve() {
  prctl(PR_SET_TIMERSLACK, 1);  // waits end when they should
  uint8_t bytes[512];
  for (;;) {
    send_due(monotonic_s());
    double until_s = 0.0;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (stop_) return;
      advance_faults(monotonic_s());
      until_s = next_event_s();
    }
    wait(until_s);
    if (!plugged_) continue;
    const double now_s = monotonic_s();
    // Before its bytes, for it came before them.
    if (terminal_->was_opened()) lose_next_packet_ = first_packet_lost_;
    const std::size_t count = terminal_->read(bytes, sizeof(bytes));
    if (count > 0) {
      receive(bytes, count, now_s);
    } else if (parser_.pending() > 0 && now_s - last_byte_s_ >= kPacketPatienceS) {
      parser_.skip();
    } else if (now_s - last_byte_s_ >= kIdleS) {
      last_byte_s_ = now_s;
      terminal_->end_exclusive();
    }
  }
}

double VirtualBus::next_event_s() const {
  double next_s = plan_.next_change_s();
  if (!outgoing_.empty()) next_s = std::min(next_s, outgoing_.front().due_s);
  return std::min(next_s, last_byte_s_ + (parser_.pending() > 0 ? kPacketPatienceS : kIdleS));
}

// Until bytes come, a fault is asked for, or that time; exactly that time where a reply is due then.
void VirtualBus::wait(double until_s) {
  const bool exactly = !outgoing_.empty() && outgoing_.front().due_s <= until_s;
  const double left_s = until_s - (exactly ? kWakeUpS : 0.0) - monotonic_s();
  if (left_s > 0.0 || !exactly) {
    pollfd watched[2] = {{wake_fd_, POLLIN, 0}, {plugged_ ? terminal_->fd() : -1, POLLIN, 0}};
    const double sleep_s = std::clamp(left_s, 0.0, 3600.0);
    const double whole_s = std::floor(sleep_s);
    const timespec timeout = {static_cast<time_t>(whole_s), static_cast<long>((sleep_s - whole_s) * 1e9)};
    constexpr timespec kNoTime = {0, 0};
    const double awake_until_s = std::min(until_s, last_byte_s_ + kAwakeS);
    int ready = 0;
    while (ready == 0 && monotonic_s() < awake_until_s) ready = ppoll(watched, 2, &kNoTime, nullptr);
    if (ready == 0) ready = ppoll(watched, 2, &timeout, nullptr);
    if (watched[0].revents != 0) {
      uint64_t wakes = 0;
      (void)!::read(wake_fd_, &wakes, sizeof(wakes));
    }
    if (ready > 0) return;
  }
  if (exactly) wait_until(until_s);
}

void VirtualBus::advance_faults(double now_s) {
  if (faults_done_ == faults_asked_ && plan_.next_change_s() > now_s) return;
  for (const FaultCommand& command : plan_.advance(now_s, &ledger_)) {
    if (command.unasked) {
      queue({now_s, now_s, plan_.unasked_bytes(command)});
    } else {
      set_all(command);
    }
  }
  for (std::size_t i = 0; i < chain_.size(); ++i) chain_[i].impose(plan_.conditions(chain_.name_of(i)));
  if (plugged_ && plan_.unplugged()) plug_out();
  if (!plugged_ && !plan_.unplugged()) plug_in();
  faults_done_ = faults_asked_;
  fault_done_.notify_all();
}

void VirtualBus::set_all(const FaultCommand& command) {
  const Register& r = register_named(command.name);
  const std::vector<uint8_t> ids = chain_.ids();
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (std::count(command.servos.begin(), command.servos.end(), ids[i]) == 0) continue;
    chain_[i].set(r, static_cast<int32_t>(command.value));
  }
  if (r.memory != Memory::kSram) keep_eeprom();
}

void VirtualBus::keep_eeprom() {
  if (!eeprom_.save(chain_)) std::perror("virtual bus: EEPROM file");
}

void VirtualBus::plug_out() {
  // The new terminal is made before the old one goes: so it cannot get the old one's name.
  std::unique_ptr<PseudoTerminal> next;
  try {
    next = std::make_unique<PseudoTerminal>(kInitialBaudRate, first_packet_lost_);
  } catch (const BusError& error) {
    std::fprintf(stderr, "cannot unplug: %s\n", error.what());
    return;
  }
  link_returns_ = !plan_.unplugged_for_good();
  link_.remove();
  terminal_ = std::move(next);
  plugged_ = false;
  outgoing_.clear();
  parser_.clear();
}

void VirtualBus::plug_in() {
  plugged_ = true;
  lose_next_packet_ = first_packet_lost_;
  if (link_returns_ && !link_.lead_to(terminal_->port())) std::perror(("virtual bus: " + link_.path()).c_str());
}

void VirtualBus::receive(const uint8_t* bytes, std::size_t count, double now_s) {
  const int baud_rate = terminal_->baud_rate();
  const Wire::Span span = wire_.carry(count, now_s, baud_rate);
  bytes_carried_ += count;
  last_byte_s_ = now_s;
  const std::lock_guard<std::mutex> lock(mutex_);
  if (ledger_.capturing) ledger_.captured.push_back({span.begin_s, span.end_s, true, {bytes, bytes + count}});
  parser_.push(bytes, count);
  PacketView request{};
  while (parser_.next(&request)) {
    if (lose_next_packet_) {
      lose_next_packet_ = false;
      continue;
    }
    const double time_s = span.end_s - static_cast<double>(parser_.pending()) * wire_.byte_time_s(baud_rate);
    if (plan_.tampers_with(true)) {
      hear_tampered(request, time_s, baud_rate);
    } else {
      hear(request, false, time_s, baud_rate);
    }
  }
}

void VirtualBus::hear_tampered(const PacketView& request, double time_s, int baud_rate) {
  Emission packet;
  packet.packet.resize(kOverheadBytes + request.count);
  encode_packet(request.id, request.code, request.parameters, request.count, packet.packet.data());
  plan_.strike(request.id, true, time_s, &packet, &ledger_);
  if (packet.faults.empty()) return hear(request, false, time_s, baud_rate);
  PacketParser parser;
  parser.push(packet.packet.data(), packet.packet.size());
  for (PacketView left{}; parser.next(&left);) hear(left, true, time_s, baud_rate);
}

void VirtualBus::hear(const PacketView& request, bool tampered, double time_s, int baud_rate) {
  ++requests_;
  const std::vector<Reply>& replies = chain_.handle({request, requests_, time_s, baud_rate, tampered}, &ledger_);
  double line_free_s = time_s;
  for (auto first = replies.begin(); first != replies.end();) {
    const auto next = std::find_if(first + 1, replies.end(), [](const Reply& r) { return !r.collides; });
    answer(first, next, time_s, &line_free_s, baud_rate);
    first = next;
  }
  if (chain_.eeprom_changed()) keep_eeprom();
}

// One reply, or several that collide.
void VirtualBus::answer(std::vector<Reply>::const_iterator begin, std::vector<Reply>::const_iterator end,
                        double request_s, double* line_free_s, int baud_rate) {
  const uint8_t name = chain_.name_of(begin->servo);
  Emission packet;
  packet.packet.assign(begin->bytes.begin(), begin->bytes.begin() + static_cast<std::ptrdiff_t>(begin->size));
  if (end - begin > 1) packet.faults.push_back(FaultKind::kTakeId);
  for (auto other = begin + 1; other != end; ++other) collide(other->bytes.data(), other->size, &packet.packet);
  if (plan_.tampers_with(false)) plan_.strike(name, false, request_s, &packet, &ledger_);

  const double ready_s = *line_free_s + begin->delay_s;
  std::vector<uint8_t> bytes = std::move(packet.before);
  bytes.insert(bytes.end(), packet.packet.begin(), packet.packet.end());
  Wire::Span span{};
  if (packet.late_s > 0.0) {  // others may talk meanwhile
    span.begin_s = ready_s + packet.late_s;
    span.end_s = span.begin_s + static_cast<double>(bytes.size()) * wire_.byte_time_s(baud_rate);
  } else {
    span = wire_.carry(bytes.empty() ? begin->size : bytes.size(), ready_s, baud_rate);
    *line_free_s = span.end_s;
  }
  if (ledger_.recording) {
    ledger_.replies.push_back({requests_,
                               request_s,
                               span.end_s,
                               name,
                               begin->address,
                               {begin->bytes.begin(), begin->bytes.begin() + static_cast<std::ptrdiff_t>(begin->size)},
                               bytes,
                               packet.faults});
  }
  if (!bytes.empty()) queue({span.begin_s, span.end_s, std::move(bytes)});
}

void VirtualBus::queue(Outgoing packet) {
  const auto place = std::upper_bound(outgoing_.begin(), outgoing_.end(), packet.due_s,
                                      [](double due_s, const Outgoing& other) { return due_s < other.due_s; });
  outgoing_.insert(place, std::move(packet));
}

// All that is due goes out at once, so that whoever waits for it is woken once.
void VirtualBus::send_due(double now_s) {
  if (outgoing_.empty() || outgoing_.front().due_s > now_s) return;
  batch_.clear();
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (; !outgoing_.empty() && outgoing_.front().due_s <= now_s; outgoing_.pop_front()) {
      Outgoing& packet = outgoing_.front();
      batch_.insert(batch_.end(), packet.bytes.begin(), packet.bytes.end());
      if (!ledger_.capturing) continue;
      ledger_.captured.push_back({packet.begin_s, packet.due_s, false, std::move(packet.bytes)});
    }
  }
  bytes_carried_ += batch_.size();
  if (plugged_) terminal_->write(batch_.data(), batch_.size());
}

}  // namespace so100
