#include "so100_hardware/pseudo_terminal.hpp"

#include <asm/termbits.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "so100_hardware/errors.hpp"

namespace so100 {
namespace {

[[noreturn]] void throw_errno(const std::string& what) {
  throw BusError(ErrorKind::kBadRequest, "virtual bus: " + what + ": " + std::strerror(errno));
}

void set_raw(int fd, int baud_rate) {
  termios2 settings{};
  settings.c_cflag = CS8 | CREAD | CLOCAL | BOTHER | (BOTHER << IBSHIFT);
  settings.c_ispeed = settings.c_ospeed = static_cast<speed_t>(baud_rate);
  settings.c_cc[VMIN] = 1;
  if (ioctl(fd, TCSETS2, &settings) != 0) throw_errno("cannot set up the pseudo-terminal");
}

}  // namespace

PseudoTerminal::PseudoTerminal(int baud_rate, bool watch_visits) {
  try {
    master_fd_ = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    char name[64];
    if (master_fd_ < 0 || grantpt(master_fd_) != 0 || unlockpt(master_fd_) != 0 ||
        ptsname_r(master_fd_, name, sizeof(name)) != 0) {
      throw_errno("cannot open a pseudo-terminal");
    }
    port_ = name;
    slave_fd_ = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (slave_fd_ < 0) throw_errno("cannot open " + port_);
    set_raw(slave_fd_, baud_rate);
    if (!watch_visits) return;
    visits_fd_ = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (visits_fd_ < 0 || inotify_add_watch(visits_fd_, name, IN_OPEN) < 0) {
      throw_errno("cannot watch " + port_ + " (inotify; see fs.inotify.max_user_instances)");
    }
  } catch (...) {
    close_all();
    throw;
  }
}

PseudoTerminal::~PseudoTerminal() { close_all(); }

void PseudoTerminal::close_all() noexcept {
  for (const int fd : {visits_fd_, slave_fd_, master_fd_}) {
    if (fd >= 0) close(fd);
  }
}

std::size_t PseudoTerminal::read(uint8_t* bytes, std::size_t capacity) noexcept {
  return static_cast<std::size_t>(std::max<ssize_t>(::read(master_fd_, bytes, capacity), 0));
}

void PseudoTerminal::write(const uint8_t* bytes, std::size_t count) noexcept {
  (void)!::write(master_fd_, bytes, count);
}

int PseudoTerminal::baud_rate() const noexcept {
  termios2 settings{};
  return ioctl(slave_fd_, TCGETS2, &settings) == 0 ? static_cast<int>(settings.c_ospeed) : 0;
}

bool PseudoTerminal::was_opened() noexcept {
  alignas(inotify_event) char events[4096];
  bool opened = false;
  while (visits_fd_ >= 0 && ::read(visits_fd_, events, sizeof(events)) > 0) opened = true;
  return opened;
}

void PseudoTerminal::end_exclusive() noexcept { (void)ioctl(slave_fd_, TIOCNXCL); }

}  // namespace so100
