// VirtualBus in Python.
#include "so100_hardware/virtual_bus.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "binding.hpp"
#include "so100_hardware/errors.hpp"
#include "so100_hardware/first_order_arm.hpp"

namespace so100 {
namespace {

struct PySetpoints {
  py::array_t<double> position_ticks;
  py::array_t<bool> torque_enabled;
  py::array_t<double> torque_share;
};

struct PyVirtualBus {
  std::unique_ptr<VirtualBus> bus;
  std::unique_ptr<FirstOrderArm> arm;

  VirtualBus& open() const {
    if (!bus) throw BusError(ErrorKind::kPortLost, "the virtual bus is closed");
    return *bus;
  }
  void close() {
    const py::gil_scoped_release release;
    arm.reset();
    bus.reset();
  }
};

PyVirtualBus make(const std::vector<int>& servo_ids, const std::optional<std::string>& link,
                  const std::optional<std::vector<double>>& start_ticks, const std::optional<std::string>& eeprom,
                  bool wire_timing, bool first_packet_lost, double eeprom_write_time_s) {
  VirtualBusOptions options;
  options.servo_ids.clear();
  for (const int id : servo_ids) {
    if (id < 0 || id >= kBroadcastId) {
      throw BusError(ErrorKind::kBadRequest, "servo_ids: expected ids of 0 to 253, found " + std::to_string(id));
    }
    options.servo_ids.push_back(static_cast<uint8_t>(id));
  }
  options.link = link.value_or("");
  options.start_ticks = start_ticks.value_or(std::vector<double>());
  options.eeprom = eeprom.value_or("");
  options.wire_timing = wire_timing;
  options.first_packet_lost = first_packet_lost;
  options.eeprom_write_time_s = eeprom_write_time_s;
  return {std::make_unique<VirtualBus>(options), nullptr};
}

PySetpoints exchange(const PyVirtualBus& b, const Floats& position, const Floats& speed, const Floats& load,
                     double dt_s) {
  VirtualBus& bus = b.open();
  if (b.arm) throw BusError(ErrorKind::kBadRequest, "the first-order arm moves this bus already");
  const std::size_t n = bus.size();
  std::vector<ServoSetpoint> setpoints(n);
  bus.exchange(floats_of(position, n, "position_ticks"), floats_of(speed, n, "speed_ticks_s"),
               floats_of(load, n, "load_permille"), dt_s, setpoints.data());
  const auto count = static_cast<py::ssize_t>(n);
  PySetpoints out{py::array_t<double>(count), py::array_t<bool>(count), py::array_t<double>(count)};
  for (std::size_t i = 0; i < n; ++i) {
    out.position_ticks.mutable_data()[i] = setpoints[i].position_ticks;
    out.torque_enabled.mutable_data()[i] = setpoints[i].torque_enabled;
    out.torque_share.mutable_data()[i] = setpoints[i].torque_share;
  }
  return out;
}

void inject_fault(const PyVirtualBus& b, const std::string& script) {
  VirtualBus& bus = b.open();
  const py::gil_scoped_release release;
  bus.inject_fault(script);
}

std::map<std::string, uint64_t> fault_counters(const PyVirtualBus& b) {
  std::map<std::string, uint64_t> out;
  const auto counts = b.open().fault_counters();
  for (int kind = 0; kind < kFaultKinds; ++kind) {
    out[fault_kind_name(static_cast<FaultKind>(kind))] = counts[static_cast<std::size_t>(kind)];
  }
  return out;
}

}  // namespace

void bind_virtual_bus(py::module_& m) {
  py::class_<PySetpoints>(m, "VirtualSetpoints", "Where the simulated servos' controllers want their shafts.")
      .def_readonly("position_ticks", &PySetpoints::position_ticks)
      .def_readonly("torque_enabled", &PySetpoints::torque_enabled)
      .def_readonly("torque_share", &PySetpoints::torque_share, "of full drive that the servo gives at most, 0..1");
  py::class_<PyVirtualBus>(m, "VirtualBus", "Simulated STS3215 servos behind a pseudo-terminal.")
      .def(py::init(&make), "servo_ids"_a = std::vector<int>{1, 2, 3, 4, 5, 6}, "link"_a = py::none(),
           "start_ticks"_a = py::none(), py::kw_only(), "eeprom"_a = py::none(), "wire_timing"_a = false,
           "first_packet_lost"_a = false, "eeprom_write_time_s"_a = VirtualBusOptions().eeprom_write_time_s)
      .def_property_readonly("port", [](const PyVirtualBus& b) { return b.open().port(); })
      .def("exchange", &exchange, "position_ticks"_a, "speed_ticks_s"_a, "load_permille"_a, "dt_s"_a)
      .def_property_readonly("bytes_carried", [](const PyVirtualBus& b) { return b.open().bytes_carried(); })
      .def_property_readonly("actual_ticks", [](const PyVirtualBus& b) { return b.open().actual_ticks(); })
      .def("start_first_order_arm",
           [](PyVirtualBus& b) {
             if (!b.arm) b.arm = std::make_unique<FirstOrderArm>(b.open());
           })
      .def(
          "get",
          [](const PyVirtualBus& b, uint8_t id, const std::string& name) {
            return b.open().get(id, register_of(name));
          },
          "servo_id"_a, "register"_a)
      .def(
          "set",
          [](const PyVirtualBus& b, uint8_t id, const std::string& name, int value) {
            b.open().set(id, register_of(name), value);
          },
          "servo_id"_a, "register"_a, "value"_a)
      .def("inject_fault", &inject_fault, "script"_a)
      .def_property_readonly("fault_counters", &fault_counters)
      .def(
          "capture", [](const PyVirtualBus& b, bool on) { b.open().capture(on); }, "on"_a = true)
      .def(
          "record", [](const PyVirtualBus& b, bool on) { b.open().record(on); }, "on"_a = true)
      .def("take_captured", [](const PyVirtualBus& b) { return b.open().take_captured(); })
      .def("take_replies", [](const PyVirtualBus& b) { return b.open().take_replies(); })
      .def("take_writes", [](const PyVirtualBus& b) { return b.open().take_writes(); })
      .def("take_fault_events", [](const PyVirtualBus& b) { return b.open().take_fault_events(); })
      .def("close", &PyVirtualBus::close)
      .def("__enter__", [](py::object b) { return b; })
      .def("__exit__", [](PyVirtualBus& b, const py::args&) { b.close(); });
}

}  // namespace so100
