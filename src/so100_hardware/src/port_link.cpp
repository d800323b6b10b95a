#include "so100_hardware/port_link.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "so100_hardware/errors.hpp"

namespace so100 {

PortLink::PortLink(const std::string& path, const std::string& port) : path_(path) {
  struct stat existing{};
  if (!path_.empty() && lstat(path_.c_str(), &existing) == 0) {
    if (!S_ISLNK(existing.st_mode)) {
      throw BusError(ErrorKind::kBadRequest, "virtual bus: link " + path_ + " exists and is no symbolic link");
    }
    unlink(path_.c_str());
  }
  if (!lead_to(port)) {
    throw BusError(ErrorKind::kBadRequest, "virtual bus: cannot link " + path_ + ": " + std::strerror(errno));
  }
}

PortLink::~PortLink() { remove(); }

void PortLink::remove() noexcept {
  char target[256];
  const ssize_t n = path_.empty() ? 0 : readlink(path_.c_str(), target, sizeof(target));
  if (n > 0 && port_ == std::string(target, static_cast<std::size_t>(n))) unlink(path_.c_str());
}

bool PortLink::lead_to(const std::string& port) noexcept {
  remove();
  port_ = port;
  return path_.empty() || symlink(port_.c_str(), path_.c_str()) == 0;
}

}  // namespace so100
