#include "so100_hardware/serial_port.hpp"

#include <asm/termbits.h>  // termios2: any baud rate, not only the B... constants
#include <dirent.h>
#include <fcntl.h>
#include <linux/serial.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "so100_hardware/errors.hpp"

namespace so100 {
namespace {

// " by process 123 (name)" for each process that has the device open, as far as /proc lets us see it. Behind a
// pseudo-terminal the simulator is one of them.
std::string holder_of(const std::string& path) {
  char real[PATH_MAX];
  if (realpath(path.c_str(), real) == nullptr) return "";
  DIR* proc = opendir("/proc");
  if (proc == nullptr) return "";
  std::string found;
  while (const dirent* process = readdir(proc)) {
    const int pid = std::atoi(process->d_name);
    if (pid <= 0) continue;
    const std::string base = std::string("/proc/") + process->d_name;
    DIR* fds = opendir((base + "/fd").c_str());
    if (fds == nullptr) continue;
    bool holds = false;
    while (const dirent* entry = readdir(fds)) {
      char target[PATH_MAX];
      const ssize_t n = readlink((base + "/fd/" + entry->d_name).c_str(), target, sizeof(target) - 1);
      if (n <= 0) continue;
      target[n] = 0;
      holds = holds || std::strcmp(target, real) == 0;
    }
    closedir(fds);
    char name[64] = "";
    if (holds) {
      if (std::FILE* comm = std::fopen((base + "/comm").c_str(), "r")) {
        if (std::fgets(name, sizeof(name), comm) != nullptr) name[std::strcspn(name, "\n")] = 0;
        std::fclose(comm);
      }
      const std::string text = std::string(" by process ") + process->d_name + " (" + name + ")";
      found += (found.empty() ? "" : " or") + text;
    }
  }
  closedir(proc);
  return found;
}

[[noreturn]] void throw_open_error(const std::string& path, int error) {
  switch (error) {
    case ENOENT:
    case ENXIO:
    case ENODEV:
      throw BusError(ErrorKind::kPortNotFound,
                     path +
                         ": no such device. Expected the arm's serial port; check that the controller board is "
                         "plugged in and powered, list the ports with `ls /dev/serial/by-id`, and set usb_port.");
    case EACCES:
    case EPERM:
      throw BusError(ErrorKind::kPortPermission,
                     path +
                         ": permission denied. Add the user to the device's group (`sudo usermod -aG dialout "
                         "$USER`, then log in again) or install a udev rule.");
    case EBUSY:
      throw BusError(ErrorKind::kPortInUse, path + ": already in use" + holder_of(path) +
                                                ". Only one program can drive the arm; stop the other one.");
    default:
      throw BusError(ErrorKind::kNotASerialPort, path + ": cannot be opened as a serial device (" +
                                                     std::strerror(error) + "). Set usb_port to the arm's port.");
  }
}

// ppoll for one event until the deadline: 1 ready, 0 not, -1 device gone.
int wait_for(int fd, short event, SteadyTime deadline) noexcept {
  for (;;) {
    auto left = std::chrono::duration_cast<std::chrono::nanoseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() < 0) left = std::chrono::nanoseconds(0);
    const timespec timeout = {static_cast<time_t>(left.count() / 1000000000),
                              static_cast<long>(left.count() % 1000000000)};
    pollfd request = {fd, event, 0};
    const int ready = ppoll(&request, 1, &timeout, nullptr);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return ready;
    if (request.revents & event) return 1;
    return -1;  // hang-up or error without data
  }
}

void configure_raw(int fd, const std::string& path, int baud_rate) {
  termios2 settings{};
  if (ioctl(fd, TCGETS2, &settings) != 0) {
    throw BusError(ErrorKind::kNotASerialPort,
                   path +
                       ": is not a serial device. Expected a serial port or pseudo-terminal; set usb_port to the "
                       "arm's port (`ls /dev/serial/by-id`).");
  }
  settings.c_iflag = 0;
  settings.c_oflag = 0;
  settings.c_lflag = 0;
  settings.c_cflag = CS8 | CREAD | CLOCAL | BOTHER | (BOTHER << IBSHIFT);
  settings.c_ispeed = settings.c_ospeed = static_cast<speed_t>(baud_rate);
  settings.c_cc[VMIN] = 0;
  settings.c_cc[VTIME] = 0;
  if (ioctl(fd, TCSETS2, &settings) != 0) {
    throw BusError(ErrorKind::kBadRequest,
                   path + ": does not take " + std::to_string(baud_rate) + " baud (" + std::strerror(errno) + ").");
  }
}

// USB adapters batch received bytes for up to 16 ms unless asked not to. Devices that do not know the request
// (pseudo-terminals, CDC-ACM boards) have no such delay, so a refusal is no error.
void ask_for_low_latency(int fd) {
  serial_struct serial{};
  if (ioctl(fd, TIOCGSERIAL, &serial) != 0) return;
  serial.flags |= ASYNC_LOW_LATENCY;
  (void)ioctl(fd, TIOCSSERIAL, &serial);
}

}  // namespace

SerialPort::SerialPort(const std::string& path, int baud_rate) : path_(path) {
  if (baud_rate <= 0) {
    throw BusError(ErrorKind::kBadRequest, "baud_rate: expected a positive number, found " + std::to_string(baud_rate));
  }
  fd_ = open(path.c_str(), O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
  if (fd_ < 0) throw_open_error(path, errno);
  try {
    // The lock first: settings of a port that another driver uses must not be touched.
    if (flock(fd_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) throw_open_error(path, EBUSY);
    configure_raw(fd_, path, baud_rate);
    (void)ioctl(fd_, TIOCEXCL);  // keeps out programs that do not ask for the lock
    ask_for_low_latency(fd_);
  } catch (...) {
    close(fd_);
    throw;
  }
}

SerialPort::~SerialPort() {
  (void)ioctl(fd_, TIOCNXCL);
  close(fd_);
}

bool SerialPort::write_all(const uint8_t* bytes, std::size_t count, SteadyTime deadline) noexcept {
  while (count > 0) {
    const ssize_t n = write(fd_, bytes, count);
    if (n > 0) {
      bytes += n;
      count -= static_cast<std::size_t>(n);
    } else if (n < 0 && errno != EAGAIN && errno != EINTR) {
      return false;
    } else if (wait_for(fd_, POLLOUT, deadline) != 1) {
      return false;
    }
  }
  return true;
}

int SerialPort::read_some(uint8_t* bytes, std::size_t capacity, SteadyTime deadline) noexcept {
  for (;;) {
    const int ready = wait_for(fd_, POLLIN, deadline);
    if (ready <= 0) return ready;
    const ssize_t n = read(fd_, bytes, capacity);
    if (n > 0) return static_cast<int>(n);
    if (n == 0) return -1;  // readable but empty: the other end hung up
    if (errno != EAGAIN && errno != EINTR) return -1;
  }
}

int SerialPort::discard_input() noexcept {
  uint8_t bytes[256];
  int discarded = 0;
  for (;;) {
    const ssize_t n = read(fd_, bytes, sizeof(bytes));
    if (n > 0) {
      discarded += static_cast<int>(n);
    } else if (n == 0 || errno == EAGAIN) {
      return discarded;
    } else if (errno != EINTR) {
      return -1;
    }
  }
}

}  // namespace so100
