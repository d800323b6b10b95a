// A serial device or pseudo-terminal in raw 8N1, opened by one process only.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

namespace so100 {

using SteadyTime = std::chrono::steady_clock::time_point;

class SerialPort {
 public:
  // Throws BusError: kPortNotFound, kPortPermission, kNotASerialPort, kPortInUse, kBadRequest (baud rate).
  SerialPort(const std::string& path, int baud_rate);
  ~SerialPort();
  SerialPort(const SerialPort&) = delete;
  SerialPort& operator=(const SerialPort&) = delete;

  // All bytes, or false when the device is gone or takes none before the deadline.
  bool write_all(const uint8_t* bytes, std::size_t count, SteadyTime deadline) noexcept;

  // Bytes that are there, waiting for the first until the deadline: their number, 0 when none came, -1 when the
  // device is gone.
  int read_some(uint8_t* bytes, std::size_t capacity, SteadyTime deadline) noexcept;

  // Throws away what came unasked; returns how many bytes, or -1 when the device is gone.
  int discard_input() noexcept;

  const std::string& path() const noexcept { return path_; }

 private:
  std::string path_;
  int fd_ = -1;
};

}  // namespace so100
