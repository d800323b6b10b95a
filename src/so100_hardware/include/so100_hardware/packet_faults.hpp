// What a fault does to one packet's bytes.
#pragma once

#include <random>
#include <vector>

#include "so100_hardware/fault_command.hpp"
#include "so100_hardware/fault_plan.hpp"

namespace so100 {

// Uniform in [0, 1) and in [0, n), the same with every standard library.
double draw(std::mt19937_64& random) noexcept;
std::size_t draw_below(std::mt19937_64& random, std::size_t n) noexcept;

// `servo_ids`: whose packets may come foreign. False where the packet has nothing that the fault could strike.
bool tamper(const FaultCommand& fault, const std::vector<uint8_t>& servo_ids, std::mt19937_64& random,
            Emission* packet);

// Two servos talking at once, the second a byte late: a bit is 1 only where both say so.
void collide(const uint8_t* other, std::size_t count, std::vector<uint8_t>* packet);

}  // namespace so100
