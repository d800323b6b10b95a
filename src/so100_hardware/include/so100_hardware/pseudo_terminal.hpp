// The pseudo-terminal that programs open as the servo bus's serial port.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace so100 {

// Used by one thread, but for port(), which never changes.
class PseudoTerminal {
 public:
  // Raw, at `baud_rate` until a program sets another. Throws BusError (kBadRequest).
  PseudoTerminal(int baud_rate, bool watch_visits);
  ~PseudoTerminal();
  PseudoTerminal(const PseudoTerminal&) = delete;
  PseudoTerminal& operator=(const PseudoTerminal&) = delete;

  const std::string& port() const noexcept { return port_; }
  // Readable when a program has written.
  int fd() const noexcept { return master_fd_; }
  // Readable when a program has opened the port; -1 unless visits are watched.
  int visits_fd() const noexcept { return visits_fd_; }
  // Whether a program has opened the port since the last call.
  bool was_opened() noexcept;

  // What programs have written: the number of bytes, 0 when there are none.
  std::size_t read(uint8_t* bytes, std::size_t capacity) noexcept;
  // A reader that does not read loses bytes once the terminal's buffer is full, as on a wire.
  void write(const uint8_t* bytes, std::size_t count) noexcept;
  // As the program that has the port open set it.
  int baud_rate() const noexcept;

  // Opens the terminal to everybody: a program that was killed leaves it marked exclusive.
  void end_exclusive() noexcept;

 private:
  void close_all() noexcept;

  std::string port_;
  int master_fd_ = -1;
  int slave_fd_ = -1;  // held open, so that the terminal outlives its visitors
  int visits_fd_ = -1;
};

}  // namespace so100
