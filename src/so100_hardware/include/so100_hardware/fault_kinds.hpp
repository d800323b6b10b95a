// The kinds of faults as the script language has them: their words and what may follow.
#pragma once

#include <cstdint>

#include "so100_hardware/fault_command.hpp"

namespace so100 {

// What may follow a kind's words.
enum FaultOption : unsigned {
  kServo = 1,
  kFor = 2,
  kChance = 4,  // probability, count, seed
  kInRequests = 8,
  kUnasked = 16,
  kLink = 32,
};
enum class FaultArgument : uint8_t {
  kNone,
  kAmount,
  kHexBytes,
  kBy,
  kToVolts,
  kToDegrees,
  kId,
  kOptionalId,
  kRegister,
  kKind
};

struct FaultKindRow {
  FaultKind kind;
  const char* name;  // as counted; plural
  const char* first;
  const char* second;      // without its s; "" where there is one word
  FaultArgument argument;  // kAmount stands between the words, the others behind them
  double lowest, highest;  // of the argument's number
  unsigned options;
};

constexpr unsigned kOfPackets = kServo | kFor | kChance;
inline constexpr FaultKindRow kFaultKindTable[] = {
    {FaultKind::kFlipBits, "flip bits", "flip", "bit", FaultArgument::kAmount, 1, 64, kOfPackets | kInRequests},
    {FaultKind::kLoseBytes, "lose bytes", "lose", "byte", FaultArgument::kAmount, 1, 64, kOfPackets | kInRequests},
    {FaultKind::kDoubleBytes, "double bytes", "double", "byte", FaultArgument::kAmount, 1, 64,
     kOfPackets | kInRequests},
    {FaultKind::kFalsifyBits, "falsify bits", "falsify", "bit", FaultArgument::kAmount, 1, 64,
     kOfPackets | kInRequests},
    {FaultKind::kLosePackets, "lose packets", "lose", "packet", FaultArgument::kNone, 0, 0, kOfPackets | kInRequests},
    {FaultKind::kLateReplies, "late replies", "late", "replie", FaultArgument::kBy, 0, 60, kOfPackets},
    {FaultKind::kForeignBytes, "foreign bytes", "foreign", "byte", FaultArgument::kHexBytes, 0, 0,
     kOfPackets | kUnasked},
    {FaultKind::kForeignPackets, "foreign packets", "foreign", "packet", FaultArgument::kNone, 0, 0,
     kOfPackets | kUnasked},
    {FaultKind::kWrongId, "wrong id", "wrong", "id", FaultArgument::kOptionalId, 0, 253, kOfPackets},
    {FaultKind::kMute, "mute", "mute", "", FaultArgument::kNone, 0, 0, kServo | kFor},
    {FaultKind::kReboot, "reboot", "reboot", "", FaultArgument::kNone, 0, 0, kServo | kFor},
    {FaultKind::kStall, "stall", "stall", "", FaultArgument::kNone, 0, 0, kServo | kFor},
    {FaultKind::kOverload, "overload", "overload", "", FaultArgument::kNone, 0, 0, kServo | kFor},
    {FaultKind::kOverheat, "overheat", "overheat", "", FaultArgument::kToDegrees, 0, 255, kServo | kFor},
    {FaultKind::kVoltage, "voltage", "voltage", "", FaultArgument::kToVolts, 0, 25.5, kServo | kFor},
    {FaultKind::kTakeId, "take id", "take", "id", FaultArgument::kId, 0, 253, kServo | kFor},
    {FaultKind::kBrownOut, "brown-out", "brown-out", "", FaultArgument::kNone, 0, 0, kFor},
    {FaultKind::kUnplug, "unplug", "unplug", "", FaultArgument::kNone, 0, 0, kFor | kLink},
    {FaultKind::kSet, "set", "set", "", FaultArgument::kRegister, 0, 0, kServo},
    {FaultKind::kClear, "clear", "clear", "", FaultArgument::kKind, 0, 0, kServo},
};

}  // namespace so100
