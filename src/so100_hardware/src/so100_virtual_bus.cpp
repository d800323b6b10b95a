// so100_virtual_bus: servos without an arm. Prints the port that programs open, and serves it until SIGINT or SIGTERM.
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "so100_hardware/errors.hpp"
#include "so100_hardware/first_order_arm.hpp"
#include "so100_hardware/virtual_bus.hpp"

namespace {

constexpr const char* kUsage =
    R"(usage: so100_virtual_bus [options]

Six simulated STS3215 servos behind a pseudo-terminal, each turning a shaft that follows as a first-order lag.
Prints the port for programs to open, then serves it until SIGINT or SIGTERM.

  --link PATH             symbolic link to the port, removed at the end
  --ids LIST              servo ids on the bus (1,2,3,4,5,6)
  --ticks LIST            where each shaft stands at the start (2048,2048,...)
  --eeprom FILE           keeps the servos' EEPROM between runs; made if it is not there (none: as new)
  --eeprom-write-time S   how long a servo stores, and is deaf, after a write to EEPROM (0.015)
  --wire-timing           bytes take their time at the port's baud rate, one sender at a time (as fast as possible)
  --first-packet-lost     the first request after a program has opened the port is not heard
  --script FILE           faults to inject, their times counted from the start
  --log                   says on standard error which faults struck, began and ended
  --capture FILE          writes every byte with its time: seconds, > to or < from the servos, bytes in hex
  --help                  this text

Lines on standard input are faults too, done as they come: "mute servo 3 for 1.5", "flip bits probability 0.01",
"unplug for 2", "clear". docs/virtual_bus.md has the whole language.
)";

constexpr int kTickMs = 50;  // how often log and capture are written

struct Options {
  so100::VirtualBusOptions bus;
  std::string script;
  std::string capture;
  bool log = false;
  bool help = false;
};

bool numbers(const std::string& text, double lowest, double highest, std::vector<double>* out) {
  std::istringstream stream(text);
  std::string part;
  out->clear();
  while (std::getline(stream, part, ',')) {
    char* end = nullptr;
    out->push_back(std::strtod(part.c_str(), &end));
    if (end == part.c_str() || *end != 0 || !(out->back() >= lowest && out->back() <= highest)) return false;
  }
  return !out->empty();
}

bool take_value(const std::string& option, const std::string& value, Options* out) {
  std::vector<double> list;
  if (option == "--link") {
    out->bus.link = value;
  } else if (option == "--ids" && numbers(value, 0, 253, &list)) {
    out->bus.servo_ids.assign(list.begin(), list.end());
  } else if (option == "--ticks" && numbers(value, -32767, 32767, &list)) {
    out->bus.start_ticks = list;
  } else if (option == "--eeprom") {
    out->bus.eeprom = value;
  } else if (option == "--eeprom-write-time" && numbers(value, 0, 1, &list) && list.size() == 1) {
    out->bus.eeprom_write_time_s = list[0];
  } else if (option == "--script") {
    out->script = value;
  } else if (option == "--capture") {
    out->capture = value;
  } else {
    return false;
  }
  return true;
}

// False after saying what is wrong.
bool parse(int argc, char** argv, Options* out) {
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    if (option == "--ros-args") break;  // what `ros2 run` and launch files add is not for this program
    if (option == "--help") {
      out->help = true;
    } else if (option == "--wire-timing") {
      out->bus.wire_timing = true;
    } else if (option == "--first-packet-lost") {
      out->bus.first_packet_lost = true;
    } else if (option == "--log") {
      out->log = true;
    } else {
      const bool has_value = i + 1 < argc;
      if (has_value && take_value(option, argv[i + 1], out)) {
        ++i;
        continue;
      }
      std::cerr << "so100_virtual_bus: cannot use " << option << (has_value ? std::string(" ") + argv[i + 1] : "")
                << "\nTry so100_virtual_bus --help\n";
      return false;
    }
  }
  return true;
}

std::string contents(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  if (!(text << file.rdbuf())) {
    throw so100::BusError(so100::ErrorKind::kBadRequest, "so100_virtual_bus: cannot read script " + path);
  }
  return text.str();
}

void write_log(so100::VirtualBus& bus) {
  const char* const words[] = {"struck", "began", "ended"};
  for (const so100::FaultEvent& event : bus.take_fault_events()) {
    std::fprintf(stderr, "%.6f %s %s", event.time_s, so100::fault_kind_name(event.kind),
                 words[static_cast<int>(event.what)]);
    if (event.servo_id >= 0) std::fprintf(stderr, " servo %d", event.servo_id);
    std::fputc('\n', stderr);
  }
}

void write_capture(so100::VirtualBus& bus, std::ofstream& file) {
  char text[32];
  for (const so100::CapturedBytes& piece : bus.take_captured()) {
    std::snprintf(text, sizeof(text), "%.6f %c", piece.begin_s, piece.to_servos ? '>' : '<');
    file << text;
    for (const uint8_t byte : piece.bytes) {
      std::snprintf(text, sizeof(text), " %02x", byte);
      file << text;
    }
    file << '\n';
  }
  file.flush();
}

// Faults from standard input, one a line. Its end ends nothing.
class InputLines {
 public:
  int fd() const { return ended_ ? -1 : STDIN_FILENO; }

  void read_into(so100::VirtualBus& bus) {
    char bytes[4096];
    const ssize_t count = ::read(STDIN_FILENO, bytes, sizeof(bytes));
    if (count <= 0) {
      ended_ = true;
      return;
    }
    text_.append(bytes, static_cast<std::size_t>(count));
    for (std::size_t end; (end = text_.find('\n')) != std::string::npos; text_.erase(0, end + 1)) {
      try {
        bus.inject_fault(text_.substr(0, end));
      } catch (const so100::BusError& error) {
        std::cerr << error.what() << std::endl;
      }
    }
  }

 private:
  std::string text_;
  bool ended_ = false;
};

void run(const Options& options, int signals) {
  so100::VirtualBus bus(options.bus);
  std::ofstream capture;
  if (!options.capture.empty()) {
    capture.open(options.capture);
    if (!capture) {
      throw so100::BusError(so100::ErrorKind::kBadRequest, "so100_virtual_bus: cannot write " + options.capture);
    }
    bus.capture(true);
  }
  const so100::FirstOrderArm arm(bus);
  if (!options.script.empty()) bus.inject_fault(contents(options.script));
  std::cout << bus.port() << std::endl;
  InputLines input;
  const bool ticking = options.log || capture.is_open();
  for (bool stopped = false; !stopped;) {
    pollfd watched[2] = {{signals, POLLIN, 0}, {input.fd(), POLLIN, 0}};
    (void)poll(watched, 2, ticking ? kTickMs : -1);
    stopped = watched[0].revents != 0;
    if (watched[1].revents != 0) input.read_into(bus);
    if (options.log) write_log(bus);
    if (capture.is_open()) write_capture(bus, capture);
  }
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (!parse(argc, argv, &options)) return 2;
  if (options.help) {
    std::cout << kUsage;
    return 0;
  }
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGINT);
  sigaddset(&stop, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &stop, nullptr);
  signal(SIGTTIN, SIG_IGN);  // in the background of a terminal there is no input, and that is all
  const int signals = signalfd(-1, &stop, SFD_CLOEXEC);
  try {
    run(options, signals);
  } catch (const so100::BusError& error) {
    std::cerr << error.what() << "\n";
    return 2;
  }
  return 0;
}
