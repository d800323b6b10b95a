// The text language of faults, one command a line. docs/virtual_bus.md describes it.
#pragma once

#include <string>
#include <vector>

#include "so100_hardware/fault_command.hpp"

namespace so100 {

// Throws BusError (kBadRequest) that names the line, what was expected and what was found; then nothing was read.
std::vector<FaultCommand> parse_fault_script(const std::string& text);

}  // namespace so100
