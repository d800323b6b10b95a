// A symbolic link with a steady name for a port that has none.
#pragma once

#include <string>

namespace so100 {

// Removed by the destructor, if it still leads to the port.
class PortLink {
 public:
  // `path` empty: no link. One that is there already is replaced, any other file is not. Throws BusError (kBadRequest).
  PortLink(const std::string& path, const std::string& port);
  ~PortLink();
  PortLink(const PortLink&) = delete;
  PortLink& operator=(const PortLink&) = delete;

  const std::string& path() const noexcept { return path_; }

  void remove() noexcept;
  // Leads to another port from now on; tells whether that could be done.
  bool lead_to(const std::string& port) noexcept;

 private:
  std::string path_;
  std::string port_;
};

}  // namespace so100
