// What the servos' EEPROM holds, kept in a text file between runs: "servo", then a line "name value" each register.
#pragma once

#include <string>

#include "so100_hardware/servo_chain.hpp"

namespace so100 {

class EepromFile {
 public:
  // `path` empty: no file. Puts the file's values into the servos, in their order; without a file makes one of what
  // they have. Throws BusError (kBadRequest): lines that are no register's, another number of servos, no permission.
  EepromFile(const std::string& path, ServoChain* chain);

  // False where the file could not be written; the old one is then still whole.
  bool save(const ServoChain& chain) const noexcept;

 private:
  std::string path_;
};

}  // namespace so100
