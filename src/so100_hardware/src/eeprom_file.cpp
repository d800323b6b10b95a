#include "so100_hardware/eeprom_file.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <sstream>

#include "so100_hardware/errors.hpp"
#include "so100_hardware/registers.hpp"

namespace so100 {
namespace {

bool is_kept(const Register& r) { return r.memory != Memory::kSram && r.access == Access::kReadWrite; }

[[noreturn]] void refuse(const std::string& path, int line, const std::string& problem) {
  throw BusError(ErrorKind::kBadRequest, "virtual bus: eeprom file " + path + ", line " + std::to_string(line) + ": " +
                                             problem + ". Correct it, or remove the file for servos as new.");
}

void load(std::istream& file, const std::string& path, ServoChain* chain) {
  std::size_t servos = 0;
  int number = 0;
  for (std::string text; std::getline(file, text);) {
    ++number;
    std::istringstream line(text.substr(0, text.find('#')));
    std::string name;
    if (!(line >> name)) continue;
    if (name == "servo") {
      if (++servos > chain->size()) break;
      continue;
    }
    const Register* found = nullptr;
    for (const Register& r : kRegisters) {
      if (r.name == name && is_kept(r)) found = &r;
    }
    int32_t value = 0;
    std::string more;
    if (found == nullptr)
      refuse(path, number, "expected 'servo' or the name of an EEPROM register, found '" + name + "'");
    if (servos == 0) refuse(path, number, "expected 'servo' before the first register, found '" + name + "'");
    if (!(line >> value) || line >> more || !found->holds(value)) {
      refuse(path, number, "expected " + name + " and a value that it can hold, found '" + text + "'");
    }
    (*chain)[servos - 1].set(*found, value);
  }
  if (servos != chain->size()) {
    refuse(path, number,
           "expected " + std::to_string(chain->size()) + " servos, found " +
               (servos > chain->size() ? "more" : std::to_string(servos)));
  }
}

}  // namespace

EepromFile::EepromFile(const std::string& path, ServoChain* chain) : path_(path) {
  if (path_.empty()) return;
  std::ifstream file(path_);
  if (file) load(file, path_, chain);
  file.close();
  if (!save(*chain)) {
    throw BusError(ErrorKind::kBadRequest,
                   "virtual bus: cannot write eeprom file " + path_ + ": " + std::strerror(errno));
  }
}

bool EepromFile::save(const ServoChain& chain) const noexcept {
  if (path_.empty()) return true;
  const std::string fresh = path_ + ".new";
  std::FILE* file = std::fopen(fresh.c_str(), "w");
  if (file == nullptr) return false;
  std::fputs("# EEPROM of the servos of so100_virtual_bus\n", file);
  for (std::size_t i = 0; i < chain.size(); ++i) {
    std::fputs("servo\n", file);
    for (const Register& r : kRegisters) {
      if (is_kept(r)) std::fprintf(file, "  %s %d\n", std::string(r.name).c_str(), chain[i].get(r));
    }
  }
  return std::fclose(file) == 0 && std::rename(fresh.c_str(), path_.c_str()) == 0;
}

}  // namespace so100
