#include "so100_hardware/fault_plan.hpp"

#include <algorithm>

#include "so100_hardware/fault_kinds.hpp"
#include "so100_hardware/packet.hpp"
#include "so100_hardware/packet_faults.hpp"

namespace so100 {
namespace {

constexpr double kOverheatedC = 75.0;        // beyond the factory's limit of 70
constexpr double kLeastSupplyVoltage = 3.5;  // below it the servo's controller stops

bool strikes(const FaultCommand& command, uint8_t servo_id) {
  return std::find(command.servos.begin(), command.servos.end(), servo_id) != command.servos.end();
}

bool is_of_bus(FaultKind kind) { return kind == FaultKind::kBrownOut || kind == FaultKind::kUnplug; }

// Done as soon as begun.
bool is_instant(const FaultCommand& command) {
  return command.unasked || command.kind == FaultKind::kSet || command.kind == FaultKind::kClear;
}

}  // namespace

const char* fault_kind_name(FaultKind kind) noexcept {
  for (const FaultKindRow& row : kFaultKindTable) {
    if (row.kind == kind) return row.name;
  }
  return "";
}

void FaultPlan::add(const std::vector<FaultCommand>& commands, const std::vector<uint8_t>& servo_ids, double now_s) {
  servo_ids_ = servo_ids;
  entries_.erase(
      std::remove_if(entries_.begin(), entries_.end(), [](const Entry& e) { return e.phase == Phase::kOver; }),
      entries_.end());
  for (std::size_t i = 0; i < commands.size(); ++i) {
    Entry entry{commands[i], now_s + commands[i].at_s, 0.0, Phase::kWaiting, {}};
    entry.end_s = entry.begin_s + entry.command.for_s;
    // A request that is for everybody is struck by what is for all.
    if (entry.command.servos.empty()) {
      entry.command.servos = servo_ids;
      entry.command.servos.push_back(kBroadcastId);
    }
    entry.random.seed(entry.command.seed * 1000003 + i);
    entries_.push_back(std::move(entry));
  }
}

std::vector<FaultCommand> FaultPlan::advance(double now_s, Ledger* ledger) {
  std::vector<FaultCommand> to_do;
  for (std::size_t i = 0; i < entries_.size(); ++i) {
    Entry& entry = entries_[i];
    const FaultCommand& command = entry.command;
    if (entry.phase == Phase::kWaiting && entry.begin_s <= now_s) {
      entry.phase = is_instant(command) ? Phase::kOver : Phase::kLasting;
      if (command.kind == FaultKind::kClear) {
        clear_before(i, command, entry.begin_s, ledger);
      } else if (is_instant(command)) {
        to_do.push_back(command);
      }
      if (command.unasked || is_of_bus(command.kind)) {
        ledger->note({entry.begin_s, command.kind, FaultEvent::What::kBegan, -1});
      } else if (!is_packet_fault(command.kind) && command.kind != FaultKind::kClear) {
        for (const uint8_t id : command.servos) {
          if (id != kBroadcastId) ledger->note({entry.begin_s, command.kind, FaultEvent::What::kBegan, id});
        }
      }
    }
    if (entry.phase == Phase::kLasting && entry.end_s <= now_s) end(entry, entry.end_s, ledger);
  }
  return to_do;
}

void FaultPlan::end(Entry& entry, double time_s, Ledger* ledger) {
  const FaultCommand& command = entry.command;
  if (entry.phase == Phase::kLasting && is_of_bus(command.kind)) {
    ledger->note({time_s, command.kind, FaultEvent::What::kEnded, -1});
  } else if (entry.phase == Phase::kLasting && !is_packet_fault(command.kind)) {
    for (const uint8_t id : command.servos) {
      if (id != kBroadcastId) ledger->note({time_s, command.kind, FaultEvent::What::kEnded, id});
    }
  }
  entry.phase = Phase::kOver;
}

void FaultPlan::clear_before(std::size_t place, const FaultCommand& clear, double time_s, Ledger* ledger) {
  for (std::size_t i = 0; i < place; ++i) {
    Entry& entry = entries_[i];
    if (entry.phase == Phase::kOver || (!clear.clears_all && entry.command.kind != clear.cleared)) continue;
    if (is_of_bus(entry.command.kind) && !strikes(clear, kBroadcastId)) continue;
    Entry ended = entry;
    std::vector<uint8_t>& left = entry.command.servos;
    left.erase(std::remove_if(left.begin(), left.end(), [&clear](uint8_t id) { return strikes(clear, id); }),
               left.end());
    if (left.empty()) entry.phase = Phase::kOver;
    std::vector<uint8_t>& gone = ended.command.servos;
    gone.erase(std::remove_if(gone.begin(), gone.end(), [&clear](uint8_t id) { return !strikes(clear, id); }),
               gone.end());
    end(ended, time_s, ledger);
  }
}

double FaultPlan::next_change_s() const noexcept {
  double next_s = kForever;
  for (const Entry& entry : entries_) {
    if (entry.phase == Phase::kWaiting) next_s = std::min(next_s, entry.begin_s);
    if (entry.phase == Phase::kLasting) next_s = std::min(next_s, entry.end_s);
  }
  return next_s;
}

ServoConditions FaultPlan::conditions(uint8_t servo_id) const noexcept {
  ServoConditions out;
  for (const Entry& entry : entries_) {
    const FaultCommand& command = entry.command;
    if (entry.phase != Phase::kLasting || !strikes(command, servo_id)) continue;
    switch (command.kind) {
      case FaultKind::kMute:
        out.mute = true;
        break;
      case FaultKind::kReboot:
      case FaultKind::kBrownOut:
        out.unpowered = true;
        break;
      case FaultKind::kStall:
        out.blocked = true;
        break;
      case FaultKind::kOverload:
        out.overloaded = true;
        break;
      case FaultKind::kOverheat:
        out.temperature_c = command.has_value ? command.value : kOverheatedC;
        break;
      case FaultKind::kVoltage:
        out.voltage_v = command.value;
        out.unpowered = out.unpowered || command.value < kLeastSupplyVoltage;
        break;
      case FaultKind::kTakeId:
        out.answers_as = static_cast<uint8_t>(command.value);
        break;
      default:
        break;
    }
  }
  return out;
}

bool FaultPlan::unplugged() const noexcept {
  return std::any_of(entries_.begin(), entries_.end(),
                     [](const Entry& e) { return e.phase == Phase::kLasting && e.command.kind == FaultKind::kUnplug; });
}

bool FaultPlan::unplugged_for_good() const noexcept {
  return std::any_of(entries_.begin(), entries_.end(), [](const Entry& e) {
    return e.phase == Phase::kLasting && e.command.kind == FaultKind::kUnplug && !e.command.keeps_link;
  });
}

bool FaultPlan::tampers_with(bool requests) const noexcept {
  return std::any_of(entries_.begin(), entries_.end(), [requests](const Entry& e) {
    return e.phase == Phase::kLasting && is_packet_fault(e.command.kind) && e.command.in_requests == requests;
  });
}

void FaultPlan::strike(uint8_t servo_id, bool request, double now_s, Emission* packet, Ledger* ledger) {
  for (Entry& entry : entries_) {
    FaultCommand& command = entry.command;
    if (entry.phase != Phase::kLasting || !is_packet_fault(command.kind) || command.in_requests != request) continue;
    if (!strikes(command, servo_id) || draw(entry.random) >= command.probability) continue;
    if (!tamper(command, servo_ids_, entry.random, packet)) continue;
    packet->faults.push_back(command.kind);
    ledger->note({now_s, command.kind, FaultEvent::What::kStruck, servo_id == kBroadcastId ? -1 : servo_id});
    if (--command.count == 0) entry.phase = Phase::kOver;
  }
}

std::vector<uint8_t> FaultPlan::unasked_bytes(const FaultCommand& command) {
  std::mt19937_64 random(command.seed);
  Emission nothing;
  for (uint64_t i = 0; i < command.count; ++i) tamper(command, servo_ids_, random, &nothing);
  return nothing.before;
}

}  // namespace so100
