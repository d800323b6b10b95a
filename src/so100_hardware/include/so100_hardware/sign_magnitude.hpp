// Feetech's signed numbers: one sign bit above a magnitude, not two's complement.
#pragma once

#include <cstdint>

namespace so100 {

// `sign_bit` below zero means that the register is unsigned.
constexpr int32_t decode_sign_magnitude(uint16_t raw, int sign_bit) noexcept {
  if (sign_bit < 0) return raw;
  const int32_t magnitude = raw & ((1 << sign_bit) - 1);
  return (raw >> sign_bit) & 1 ? -magnitude : magnitude;
}

// True where encode_sign_magnitude has a code for the value in a register of `size` bytes.
constexpr bool sign_magnitude_holds(int32_t value, int sign_bit, int size) noexcept {
  if (sign_bit < 0) return value >= 0 && value < (1 << (8 * size));
  const int32_t limit = 1 << sign_bit;
  return value > -limit && value < limit;
}

constexpr uint16_t encode_sign_magnitude(int32_t value, int sign_bit) noexcept {
  if (sign_bit < 0 || value >= 0) return static_cast<uint16_t>(value);
  return static_cast<uint16_t>(-value | (1 << sign_bit));
}

}  // namespace so100
